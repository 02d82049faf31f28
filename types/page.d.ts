// The page's state and the events that change it (static/chat/reducer.js), for the type check alone.

declare namespace Page {
  type Params = Wire.Params;

  /** A document in a composer, or in a question that was sent. */
  type Document = Partial<Api.AttachedItem> & {
    key?: string;
    id: string;
    name: string;
    size: number;
    /** In a composer: how far it is. */
    state?: "waiting" | "sending" | "reading" | "ready" | "unreadable" | "failed";
    /** Bytes that have arrived. */
    sent?: number;
    code?: string;
    message?: string;
  };

  /** A message of the tree. `key` outlives the change from the page's id to the server's. */
  interface Message {
    id: string;
    key?: string;
    parent: string | null;
    role: "user" | "assistant";
    content: string;
    reasoning?: string;
    created_at: string | number;
    generation: string | null;
    feedback?: Api.FeedbackItem | null;
    attachments?: Document[];
  }

  /** Messages by id, the children of each in order, and which child is shown. */
  interface Tree {
    nodes: Record<string, Message>;
    children: Record<string, string[]>;
    chosen: Record<string, string>;
  }

  /** A conversation that was opened; its fields come with `ready`. */
  type Conversation = Partial<Omit<Api.OpenedConversation, "messages" | "updated_at">> & {
    id: string;
    updated_at?: string | number;
    key?: string;
    status: "loading" | "ready" | "failed";
    tree?: Tree | null;
    code?: string;
    message?: string;
  };

  /** An answer being made, or made while the page was open. */
  interface Generation {
    id: string;
    conversation: string;
    answer: string;
    status: Api.GenerationItem["status"];
    seq: number;
    text: string;
    reasoning: string;
    /** Not accepted by the server yet. */
    local?: boolean;
    stopping?: boolean;
    position?: number | null;
    /** Seconds that are left, as estimated at `eta_at` (ms). */
    eta?: number | null;
    eta_at?: number;
    asked_at?: number;
    finish_reason?: Wire.FinishedFrame["finish_reason"] | null;
    message?: string;
    usage?: Wire.Usage;
    first_message?: string | null;
  }

  /** A question or a wish for another answer that the server has not accepted yet. */
  interface Sent {
    id: string;
    kind: "submit" | "regenerate";
    conversation: string;
    at: number;
    content?: string;
    attachments?: Document[];
    parent?: string | null;
    message?: string;
  }

  /** Why something was not accepted, with what was asked. */
  interface Refusal {
    id: string;
    kind: Sent["kind"];
    conversation: string | null;
    content?: string;
    code: Wire.Code;
    message: string;
    retryAfter: number | null;
    needed?: number | null;
    most?: number | null;
  }

  interface List {
    items: ListItem[];
    next: string | null;
    folders: string[];
    status: "loading" | "ready" | "failed";
    message?: string;
  }

  /** A row of the sidebar; one that begins here has the time of its first question in ms. */
  type ListItem = Partial<Omit<Api.ConversationItem, "updated_at">> & { id: string; updated_at?: string | number };

  /** Which conversations are listed: the archive, a folder (by name), or all others. */
  interface ListView {
    archived: boolean;
    folder: string;
  }

  interface Connection {
    state: "connecting" | "online" | "offline" | "closed";
    code: number | null;
  }

  interface State {
    connection: Connection;
    engine: Wire.EngineStatus | null;
    maxContentChars: number | null;
    quota: Wire.Budget[];
    notices: Wire.Notice[];
    announcement: Wire.Announcement | null;
    current: string | null;
    conversations: Record<string, Conversation>;
    generations: Record<string, Generation>;
    sent: Record<string, Sent>;
    /** Generations that run for this person anywhere, and their conversations. */
    busy: Record<string, string>;
    list: List;
    refusal?: Refusal | null;
  }

  /** A frame of the server as the page takes it in: with the time of its arrival (ms). */
  type Frame = Wire.ServerFrame & { at?: number };

  /** What the person does. */
  type Act =
    | {
        type: "sent";
        id: string;
        conversation: string | null;
        parent: string | null;
        content: string;
        attachments?: Document[];
        preset?: string | null;
        temporary?: boolean;
        at: number;
      }
    | { type: "regenerating"; id: string; conversation: string; question: string; message: string; at: number }
    | { type: "opened"; conversation: string | null }
    | { type: "chosen"; conversation: string; message: string }
    | { type: "message_removed"; conversation: string; message: string }
    | { type: "rated"; conversation: string; message: string; feedback: Api.FeedbackItem | null }
    | { type: "stopping"; generation: string }
    | { type: "dismissed" }
    | { type: "refused"; refusal: Refusal }
    | { type: "notices_seen" };

  /** What HTTP and the connection bring. */
  type Result =
    | { type: "connection"; state: Connection["state"]; code?: number | null }
    | { type: "loaded"; conversation: Api.OpenedConversation }
    | { type: "load_failed"; conversation: string; code: string; message: string }
    | ({ type: "listed"; append?: boolean; since?: number } & Api.ConversationPage)
    | { type: "list_failed"; message: string }
    | { type: "patched"; item: ListItem }
    | { type: "removed"; conversation: string }
    | { type: "restored"; item: ListItem };

  type Event = Frame | Act | Result;
  type EventOf<T extends Event["type"]> = Extract<Event, { type: T }>;

  /** The next state after each kind of event; kinds that the page does not know change nothing. */
  type Handlers = { [T in Event["type"]]?: (state: State, event: EventOf<T>) => State };

  type Question = Wire.Submit | Wire.Regenerate;

  /** What the socket is given: where to connect, whom to tell, and for tests the clock, chance and WebSocket. */
  interface SocketOptions {
    url: string;
    /** `asked` is the question that an `accepted` or `rejected` answers. */
    onFrame(frame: Wire.ServerFrame, asked?: Question): void;
    onConnection(connection: { state: Connection["state"]; code: number }): void;
    /** What to follow after connecting. */
    cursors(): { generation: string; after: number }[];
    /** Questions that are not accepted yet. */
    outbox?: Map<string, Question>;
    Socket?: typeof WebSocket;
    clock?: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
    random?(): number;
  }

  /** What static/chat/actions.js has of the browser (static/chat/view/page.js): the address, and its events. */
  interface Browser {
    socketUrl(): string;
    /** The conversation that the address names, and the message. */
    conversation(): string | null;
    message(): string | null;
    /** Another address: a step that the browser can go back. */
    go(address: string): void;
    /** Another address for what is shown. */
    rename(address: string): void;
    on(name: "online" | "offline" | "popstate" | "pagehide", handler: () => void): void;
  }

  /** What stands in the page's shell (chatsite/pages/shell.py). */
  interface Boot {
    user: { name: string; email: string; is_staff: boolean };
    conversation: string | null;
    language: string;
    features: string[];
  }
}

// What a selector finds is of a kind that TypeScript cannot know.
interface ParentNode {
  querySelector(selectors: string): any;
  querySelectorAll(selectors: string): NodeListOf<any>;
}

// No form here has two fields of one name or sends a file; the wire's schemas look at what it holds.
interface FormData {
  get(name: string): any;
}

/** Mermaid in the diagram's frame, loaded by a script of its own. */
declare const mermaid: any;

/** DOMPurify's minified file leaves its name on the window. */
declare var DOMPurify: typeof import("dompurify").default;

declare module "uplot";
declare module "katex";
