/**
 * What the browser keeps of conversations. Drafts, so that a reload, a crash or a refusal loses nothing; questions
 * sent but not yet accepted, per tab, so that they are sent again after a reload; which branch was last looked at.
 */

const DRAFT = "chatsite.draft.";
const OUTBOX = "chatsite.outbox";
const BRANCHES = "chatsite.branches";

/** Conversations whose branch is remembered; the oldest choice is forgotten first. */
const MOST_BRANCHES = 200;

/** The key of what is written before a conversation exists. */
export const NEW = "new";

/** Storage may be full or forbidden; then what it would keep lives as long as the page does. */
function attempt(action) {
  try {
    return action();
  } catch {
    return null;
  }
}

/** The key of a message's new words. */
export const editOf = (message) => `edit.${message}`;

export class Drafts {
  constructor(storage) {
    this.storage = storage;
    this.held = new Map();
  }

  get(conversation) {
    const key = conversation ?? NEW;
    return this.held.get(key) ?? attempt(() => this.storage.getItem(DRAFT + key)) ?? "";
  }

  set(conversation, text) {
    const key = conversation ?? NEW;
    this.held.set(key, text);
    attempt(() => (text ? this.storage.setItem(DRAFT + key, text) : this.storage.removeItem(DRAFT + key)));
  }
}

/** A Map of frames by id that survives a reload of its tab. @extends {Map<string, Wire.Submit | Wire.Regenerate>} */
export class Outbox extends Map {
  constructor(storage) {
    super(attempt(() => JSON.parse(storage.getItem(OUTBOX))) ?? []);
    this.storage = storage;
  }

  set(id, frame) {
    super.set(id, frame);
    this.save();
    return this;
  }

  delete(id) {
    const had = super.delete(id);
    if (had) this.save();
    return had;
  }

  save() {
    if (this.storage) attempt(() => this.storage.setItem(OUTBOX, JSON.stringify([...this])));
  }
}

/** Which branch a person last looked at in each conversation: the newest is shown otherwise. */
export class Branches {
  constructor(storage) {
    this.storage = storage;
    this.held = new Map(attempt(() => JSON.parse(storage.getItem(BRANCHES))) ?? []);
  }

  /** The last message of the branch that was chosen here, or null. */
  get(conversation) {
    return this.held.get(conversation) ?? null;
  }

  /** Remember a choice; null forgets it, as when something newer was written. */
  set(conversation, leaf) {
    if (!this.held.delete(conversation) && !leaf) return;
    if (leaf) this.held.set(conversation, leaf);
    while (this.held.size > MOST_BRANCHES) this.held.delete(this.held.keys().next().value);
    attempt(() => this.storage.setItem(BRANCHES, JSON.stringify([...this.held])));
  }
}
