// Made from chatsite/streaming/frames.py by `python -m tools.page_types`; a test holds them together.

declare namespace Wire {
  type Code =
    | "empty"
    | "too_long"
    | "forbidden_text"
    | "rate_limited"
    | "quota_exceeded"
    | "queue_full"
    | "engine_unavailable"
    | "storage_full"
    | "not_found"
    | "not_in_plan"
    | "bad_frame";

  type FinishReason = "stop" | "length" | "cancelled" | "timeout" | "interrupted" | "error";

  type ClientFrame = Submit | Regenerate | Cancel | Follow | Ping;

  type ServerFrame =
    | Hello
    | Accepted
    | QueuedFrame
    | StartedFrame
    | DeltaFrame
    | SnapshotFrame
    | FinishedFrame
    | Rejected
    | Changed
    | Announced
    | Status
    | Quota
    | Pong
    | Error;

  /** Ask something. `id` is the client's own: the same id twice is the same generation. */
  interface Submit {
    type: "submit";
    id: string;
    content: string;
    conversation?: string | null;
    parent?: string | null;
    params?: Params | null;
    preset?: string | null;
    temporary?: boolean;
    attachments?: AttachmentChoice[];
  }

  /** Sampling chosen by the person; what is left out takes the site's default. */
  interface Params {
    temperature?: number | null;
    top_p?: number | null;
    max_tokens?: number | null;
    seed?: number | null;
  }

  /** A document of one's own. `beginning`: where all of it does not fit, as much as fits will do. */
  interface AttachmentChoice {
    id: string;
    beginning?: boolean;
  }

  /** A new answer beside an existing one. `message` is the answer (or the question) to answer again. */
  interface Regenerate {
    type: "regenerate";
    id: string;
    message: string;
    params?: Params | null;
  }

  /** Stop a generation. What was made is kept and charged. */
  interface Cancel {
    type: "cancel";
    generation: string;
  }

  /** Stream a generation from after this seq. */
  interface Follow {
    type: "follow";
    generation: string;
    after?: number;
  }

  /** Answered by pong. */
  interface Ping {
    type: "ping";
  }

  /** First frame after connecting: the wire, the engine, what runs for this person, what is announced. */
  interface Hello {
    type: "hello";
    version: number;
    engine: EngineStatus;
    max_content_chars: number;
    active: Active[];
    announcement: Announcement | null;
  }

  /** The engine as a person needs to know it. `emulated` engines say so wherever they are named. */
  interface EngineStatus {
    state: "starting" | "ready" | "restarting" | "failed" | "paused" | "draining" | "down";
    detail: string;
    progress: number | null;
    model: string;
    emulated: boolean;
    context_tokens: number;
    waiting: number;
    running: number;
  }

  /** A generation of this person that is queued or running. */
  interface Active {
    generation: string;
    conversation: string;
    answer: string;
  }

  /** What administrators tell everybody, in plain text. A browser knows by `id` what was put away. */
  interface Announcement {
    id: number;
    text: string;
    important: boolean;
  }

  /** The submit is committed. The sender follows the generation from 0 without asking. */
  interface Accepted {
    type: "accepted";
    id: string;
    conversation: string;
    message: string;
    answer: string;
    generation: string;
    first_message: string | null;
  }

  /** Position in the queue from 1, and the estimated wait in seconds. */
  interface QueuedFrame {
    type: "queued";
    generation: string;
    position: number;
    eta_s: number | null;
  }

  /** The engine has it. */
  interface StartedFrame {
    type: "started";
    generation: string;
  }

  /** Text that follows everything sent before; `seq` grows, and may jump where deltas were joined. */
  interface DeltaFrame {
    type: "delta";
    generation: string;
    seq: number;
    text: string;
    reasoning?: string;
  }

  /** The whole answer up to `seq`: replaces what the client holds. */
  interface SnapshotFrame {
    type: "snapshot";
    generation: string;
    seq: number;
    text: string;
    reasoning?: string;
  }

  /** The last frame of a generation; the answer is recorded. */
  interface FinishedFrame {
    type: "finished";
    generation: string;
    seq: number;
    finish_reason: FinishReason;
    usage: Usage;
    message: string;
  }

  /** Tokens and times of one generation; times in seconds, None where that did not happen. */
  interface Usage {
    prompt_tokens?: number;
    cached_tokens?: number;
    completion_tokens?: number;
    queue_s?: number | null;
    ttft_s?: number | null;
    total_s?: number | null;
    reasoning_s?: number | null;
  }

  /** A submit or regenerate was refused; nothing was stored. */
  interface Rejected {
    type: "rejected";
    id: string;
    code: Code;
    message: string;
    retry_after_s?: number | null;
    needed?: number | null;
    most?: number | null;
  }

  /** A conversation was asked in, answered, renamed, moved or deleted by another tab or device. */
  interface Changed {
    type: "changed";
    conversation: string;
  }

  /** Something else is announced to everybody now, or nothing any more. */
  interface Announced {
    type: "announced";
    announcement: Announcement | null;
  }

  /** The engine's state changed, or somebody else's load did. */
  interface Status {
    type: "status";
    engine: EngineStatus;
  }

  /** How the person stands with their token budgets; empty where nothing limits them. */
  interface Quota {
    type: "quota";
    budgets: Budget[];
    notices: BudgetAlert[];
  }

  /** One budget in tokens. `used` counts reservations; `warn` from 80 % on. */
  interface Budget {
    name: "day" | "month" | "grant";
    used: number;
    limit: number;
    resets_at: string;
    warn: boolean;
  }

  /** A share of a budget, in percent, that was passed, and that the person has not dismissed yet. */
  interface BudgetAlert {
    budget: "day" | "month";
    percent: number;
    resets_at: string;
  }

  /** The answer to ping. */
  interface Pong {
    type: "pong";
  }

  /** A frame could not be served. The connection stays open unless flooded. */
  interface Error {
    type: "error";
    code: Code;
    message: string;
  }
}
