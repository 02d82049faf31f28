/**
 * What is being written, kept per conversation in this browser, so that a reload, a crash or a refusal loses nothing;
 * and questions sent but not yet accepted, kept per tab, so that they are sent again after a reload.
 */

const DRAFT = "chatsite.draft.";
const OUTBOX = "chatsite.outbox";

/** The key of what is written before a conversation exists. */
export const NEW = "new";

/** Storage may be full or forbidden; then drafts live as long as the page does. */
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

/** A Map of frames by id that survives a reload of its tab. */
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
