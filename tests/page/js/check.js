/** Assertions for the tests that run in the browser, and a seeded source of chance. */

export function ok(value, words = "expected a true value") {
  if (!value) throw new Error(words);
}

const show = (value) => JSON.stringify(value, (_, one) => (one === undefined ? "undefined" : one));

export function equal(actual, expected, words = "") {
  const same = show(actual) === show(expected);
  if (!same) throw new Error(`${words} expected ${show(expected)}, got ${show(actual)}`.trim());
}

/** mulberry32: numbers in [0, 1) that a seed repeats. */
export function chance(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A text cut at random places. */
export function cut(text, random, most = 12) {
  const parts = [];
  for (let at = 0; at < text.length;) {
    const next = Math.min(text.length, at + 1 + Math.floor(random() * most));
    parts.push(text.slice(at, next));
    at = next;
  }
  return parts;
}
