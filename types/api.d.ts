// Made from chatsite/api by `python -m tools.page_types`; a test holds them together.

declare namespace Api {
  /** The account's password, or its address where it has no password (single sign-on). */
  interface EraseForm {
    proof: string;
  }

  /** What is about to be uploaded. The name is for people; what the file is, its content says. */
  interface NewFile {
    name: string;
    size: number;
  }

  /** Where a piece belongs: how many bytes of the file stand before it. */
  interface Piece {
    offset: number;
  }

  /** What a text's bytes shall be taken for: one of the names that documents are shown with. */
  interface ChosenEncoding {
    encoding: string;
  }

  /** One instruction for all documents. */
  interface NewBatch {
    instruction: string;
    attachments: Wire.AttachmentChoice[];
    preset?: string | null;
    temperature?: number | null;
    top_p?: number | null;
    max_tokens?: number | null;
  }

  /** Positions of items; left out: all. */
  interface Which {
    items?: number[] | null;
  }

  /** What a person may change; what is left out stays. */
  interface Change {
    title?: string | null;
    pinned?: boolean | null;
  }

  /** Conversations picked in the list. */
  interface Chosen {
    ids: string[];
  }

  /** Where the picked ones go; what is left out stays. */
  interface Filed {
    ids: string[];
    archived?: boolean | null;
    folder?: string | null;
  }

  /** Which part of the list; `before` is the `next` of the page before. */
  interface Listing {
    archived?: boolean;
    folder?: string;
    before?: string;
  }

  /** `expires_at` with its time zone; left out: never. `token_budget`: inside the owner's quota. */
  interface NewKey {
    name: string;
    scopes: string[];
    expires_at?: string | null;
    token_budget?: number | null;
  }

  /** A prompt as its owner writes it. */
  interface PromptForm {
    name: string;
    content: string;
    shared?: boolean;
  }

  /** A preset as its owner writes it; null takes the site's default. */
  interface PresetForm {
    name: string;
    system?: string;
    temperature?: number | null;
    top_p?: number | null;
    max_tokens?: number | null;
  }

  /** What the model shall always know, and whether it names new conversations; what is left out stays. */
  interface InstructionsForm {
    text?: string | null;
    titles?: boolean | null;
  }

  /** An answer as the person wants it to read. */
  interface Words {
    content: string;
  }

  /** Thumbs: up 1, down -1, neither 0; and why. */
  interface Rating {
    value: -1 | 0 | 1;
    comment?: string;
  }

  /** Days since it was last written in; null: as the site says. */
  interface KeepForm {
    days: number | null;
  }

  /** `q`: what to look for; `before`: the `next` of the page before. */
  interface Search {
    q?: string;
    before?: number | null;
  }

  /** A conversation as the list shows it. */
  interface ConversationItem {
    id: string;
    title: string;
    updated_at: string;
    pinned: boolean;
    archived: boolean;
    folder: string;
    temporary: boolean;
    preset: string | null;
  }

  /** A page of the list; the first one names the folders too. */
  interface ConversationPage {
    conversations: ConversationItem[];
    next: string | null;
    folders?: string[];
  }

  /** How an answer is or was made. */
  interface GenerationItem {
    id: string;
    status: "queued" | "running" | "finished" | "failed" | "cancelled" | "timed_out" | "interrupted";
    seq: number;
    finish_reason: Wire.FinishReason | null;
    message: string;
    usage: Wire.Usage;
    first_message: string | null;
  }

  /** What a person thinks of an answer. */
  interface FeedbackItem {
    value: -1 | 1;
    comment: string;
  }

  /** An uploaded document; `reason` and `figures` say why it is unreadable. */
  interface DocumentItem {
    id: string;
    name: string;
    kind: string;
    size: number;
    status: "uploading" | "ready" | "unreadable";
    reason: string | null;
    figures: Record<string, number>;
    encoding: string | null;
    pages: number | null;
    sparse_pages: number;
    chars: number;
    tokens: number;
  }

  /** A place for a file, and the most bytes of one piece. */
  interface BegunUpload {
    id: string;
    name: string;
    kind: string;
    size: number;
    status: "uploading" | "ready" | "unreadable";
    reason: string | null;
    figures: Record<string, number>;
    encoding: string | null;
    pages: number | null;
    sparse_pages: number;
    chars: number;
    tokens: number;
    piece_bytes: number;
  }

  /** A document as it stands in a message; `given` is how many of its characters the model got. */
  interface AttachedItem {
    id: string;
    name: string;
    kind: string;
    size: number;
    status: "uploading" | "ready" | "unreadable";
    reason: string | null;
    figures: Record<string, number>;
    encoding: string | null;
    pages: number | null;
    sparse_pages: number;
    chars: number;
    tokens: number;
    given: number | null;
  }

  /** A message with the generation that makes or made it. */
  interface MessageItem {
    id: string;
    parent: string | null;
    role: "user" | "assistant";
    content: string;
    reasoning: string;
    created_at: string;
    generation: GenerationItem | null;
    feedback: FeedbackItem | null;
    attachments: AttachedItem[];
  }

  /** A conversation with its whole tree, oldest message first; `leaf` is its newest message. */
  interface OpenedConversation {
    id: string;
    title: string;
    updated_at: string;
    pinned: boolean;
    archived: boolean;
    folder: string;
    temporary: boolean;
    preset: string | null;
    leaf: string | null;
    batch: boolean;
    messages: MessageItem[];
  }

  /** A hit as the sidebar shows it; `title` and `context` are plain and hit parts in turn. */
  interface SearchHit {
    conversation: string;
    message: string | null;
    role: string;
    at: string;
    title: string[];
    context: string[];
  }

  /** Hits, and where the next ones begin. */
  interface SearchPage {
    hits: SearchHit[];
    next: string | null;
  }

  /** A prompt of the library; `by` names the owner of one that is shared. */
  interface PromptItem {
    id: string;
    name: string;
    content: string;
    shared: boolean;
    mine: boolean;
    by: string;
  }

  /** A system prompt with sampling; null takes the site's default. */
  interface PresetItem {
    id: string;
    name: string;
    system: string;
    temperature: number | null;
    top_p: number | null;
    max_tokens: number | null;
  }

  /** A link to a branch. */
  interface ShareItem {
    id: string;
    path: string;
    public: boolean;
    created_at: string;
    conversation: string;
    title: string;
  }

  /** An API key as the list shows it: never its text. */
  interface KeyItem {
    id: string;
    name: string;
    prefix: string;
    scopes: string[];
    created_at: string;
    expires_at: string | null;
    last_used_at: string | null;
    token_budget: number | null;
    tokens_used: number;
  }

  /** Where something was replaced or left out: a conversation's title and the id of a node, or neither. */
  interface ImportPlaceItem {
    conversation: string;
    node: string;
  }

  /** Why something was replaced or left out, how often, and the first places of it. */
  interface ImportReasonItem {
    reason: string;
    outcome: "replaced" | "omitted";
    words: string;
    count: number;
    places: ImportPlaceItem[];
  }

  /** What an import found: its messages here, its nodes by what became of them, and why. */
  interface ImportReportItem {
    new_messages: number;
    known_messages: number;
    nodes: number;
    read: number;
    replaced: number;
    omitted: number;
    reasons: ImportReasonItem[];
  }

  /** An export or import under way or over. */
  interface JobItem {
    id: string;
    kind: "export" | "import";
    status: "receiving" | "queued" | "running" | "finished" | "failed" | "cancelled";
    format: string | null;
    conversation: string | null;
    done: number;
    total: number;
    result: Record<string, any> | null;
    report: ImportReportItem | null;
    message: string;
    file: string | null;
    size: number;
    created_at: string;
    ends_at: string;
  }

  /** A document of a batch: `status` is its own state, or that of its generation once it has one. */
  interface BatchRow {
    position: number;
    document: DocumentItem;
    status: string;
    code: string | null;
    message: string;
    question: string | null;
    answer: string | null;
    generation: string | null;
  }

  /** One instruction for many documents; `waits_for` is the refusal that holds it up. */
  interface BatchItem {
    id: string;
    instruction: string;
    waits_for: string | null;
    items: BatchRow[];
  }

  /** Which branch, and for whom. */
  interface ShareForm {
    leaf: string;
    public?: boolean;
  }

  /** What to export. Without a conversation: everything; with a leaf: the branch that ends in it. */
  interface ExportForm {
    format: "json" | "markdown" | "html" | "pdf" | "docx";
    conversation?: string | null;
    leaf?: string | null;
  }

  /** One conversation as a file; with a leaf: the branch that ends in it. */
  interface FileForm {
    format?: "json" | "markdown" | "html" | "pdf" | "docx";
    leaf?: string | null;
  }

  /** Where the next bytes belong: how many were sent before. */
  interface Part {
    offset: number;
  }

  /** The file that will come, in parts. */
  interface ImportForm {
    size: number;
  }
}
