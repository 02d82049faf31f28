/**
 * References of an answer and what defines them, over all of its blocks. Pure: it knows who asked for which label, and
 * who must be drawn again.
 *
 * A definition counts from its first place on. While the answer grows, one may still come for any reference, and a
 * reference for any definition; so who asked in vain is drawn again at the end, and so are definitions.
 */

/** @typedef {{draw: () => void}} Drawn what is drawn with references in it */

export class References {
  constructor() {
    this.growing = true;
    this.taken = 0;
    this.definitions = new Map();
    /** @type {Map<string, Set<Drawn>>} */
    this.asking = new Map();
    /** @type {Map<any, {drawn: Drawn, use: string}>} who draws a definition, and how it was drawn */
    this.notes = new Map();
    /** @type {Map<Drawn, {labels: Set<string>, block: any}>} */
    this.known = new Map();
    /** @type {Set<Drawn>} */
    this.stale = new Set();
  }

  /** Take the definitions so far, the ones that are known among them first. */
  take(definitions, growing) {
    for (; this.taken < definitions.length; this.taken += 1) {
      const block = definitions[this.taken];
      if (this.definitions.has(block.label)) continue;
      this.definitions.set(block.label, block);
      for (const one of this.asking.get(block.label) ?? []) this.stale.add(one);
    }
    if (this.growing && !growing) this.settle();
  }

  /** The answer is over: what waited for more is decided. */
  settle() {
    this.growing = false;
    for (const [label, drawn] of this.asking) {
      if (!this.definitions.has(label)) for (const one of drawn) this.stale.add(one);
    }
    for (const { drawn } of this.notes.values()) this.stale.add(drawn);
  }

  /** The definition of a label for `drawn`, which is drawn again when that changes. */
  ask(label, drawn) {
    const definition = this.definitions.get(label);
    const note = this.notes.get(definition);
    if (note && note.use !== "used" && counts(definition, note.drawn, drawn)) this.stale.add(note.drawn);
    if (!this.asking.has(label)) this.asking.set(label, new Set());
    this.asking.get(label).add(drawn);
    this.recordOf(drawn).labels.add(label);
    return definition;
  }

  /**
   * How a definition is to be seen: `used`, `unused`, or `open` while nobody can say. `drawn` shows it, and asks anew:
   * what it asked for before counts, or footnotes that name themselves or each other were drawn again without end.
   */
  useOf(block, drawn) {
    const first = this.definitions.get(block.label) ?? block;
    const asking = [...(this.asking.get(block.label) ?? [])].some((one) => counts(block, drawn, one));
    const use = asking && first === block ? "used" : this.growing ? "open" : "unused";
    this.forget(drawn);
    this.notes.set(block, { drawn, use });
    this.recordOf(drawn).block = block;
    return use;
  }

  /** @returns {{labels: Set<string>, block: any}} */
  recordOf(drawn) {
    if (!this.known.has(drawn)) this.known.set(drawn, { labels: new Set(), block: null });
    return this.known.get(drawn);
  }

  /** `drawn` is gone, or asks anew. */
  forget(drawn) {
    const record = this.known.get(drawn);
    if (!record) return;
    for (const label of record.labels) this.asking.get(label).delete(drawn);
    this.notes.delete(record.block);
    this.known.delete(drawn);
    this.stale.delete(drawn);
  }

  /** Draw again what is stale; false where `until` came first. */
  redraw(until) {
    for (const one of this.stale) {
      this.stale.delete(one);
      one.draw();
      if (performance.now() > until) return this.stale.size === 0;
    }
    return true;
  }
}

/** Whether it uses a definition that `asker` asks for it: of its own words only those of a footnote are seen then. */
const counts = (definition, drawn, asker) => definition.kind === "footnote" || asker !== drawn;
