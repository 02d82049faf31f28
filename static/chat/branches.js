/** Which branch a person last looked at in each conversation, kept in this browser: the newest is shown otherwise. */

const KEY = "chatsite.branches";

/** Conversations remembered; the oldest choice is forgotten first. */
const MOST = 200;

function attempt(action) {
  try {
    return action();
  } catch {
    return null; // Storage is full or forbidden: the choice then lasts as long as the page.
  }
}

export class Branches {
  constructor(storage) {
    this.storage = storage;
    this.held = new Map(attempt(() => JSON.parse(storage.getItem(KEY))) ?? []);
  }

  /** The last message of the branch that was chosen here, or null. */
  get(conversation) {
    return this.held.get(conversation) ?? null;
  }

  /** Remember a choice; null forgets it, as when something newer was written. */
  set(conversation, leaf) {
    if (!this.held.delete(conversation) && !leaf) return;
    if (leaf) this.held.set(conversation, leaf);
    while (this.held.size > MOST) this.held.delete(this.held.keys().next().value);
    attempt(() => this.storage.setItem(KEY, JSON.stringify([...this.held])));
  }
}
