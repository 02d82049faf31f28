/**
 * Finished sentences out of a growing text, for screen readers: they hear whole sentences, never tokens.
 * Markdown marks are left out; code blocks are announced by a word, not read.
 */

const SENTENCE_END = /[.!?…](?=\s)|[。！？]|\n/g;
const FENCE = /^\s*(```|~~~)/;

export class Sentences {
  constructor() {
    this.read = 0;
    this.inCode = false;
  }

  /** The sentences that `text` (all of the answer so far) has finished since the last call; with `over`, the rest. */
  take(text, over = false) {
    const finished = [];
    SENTENCE_END.lastIndex = this.read;
    while (SENTENCE_END.exec(text)) {
      finished.push(text.slice(this.read, SENTENCE_END.lastIndex));
      this.read = SENTENCE_END.lastIndex;
    }
    if (over) finished.push(text.slice(this.read));
    if (over) this.read = text.length;
    return finished.map((one) => this.plain(one)).filter(Boolean);
  }

  plain(sentence) {
    if (FENCE.test(sentence)) {
      this.inCode = !this.inCode;
      return "";
    }
    if (this.inCode) return "";
    const words = sentence.replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[*_`#>|]+/g, "");
    return /[\p{L}\p{N}]/u.test(words) ? words.replace(/\s+/g, " ").trim() : "";
  }
}
