/** What stands between double braces in a prompt of the library. Pure; the clock is an argument. */

const two = (number) => String(number).padStart(2, "0");

const KNOWN = {
  date: (now) => `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`,
  time: (now) => `${two(now.getHours())}:${two(now.getMinutes())}`,
};

const PLACEHOLDER = /\{\{\s*([^{}\s](?:[^{}\n]{0,58}[^{}\s])?)\s*\}\}/g;

/** The prompt with local date and time filled in, and where what is left to the person first stands, else its end. */
export function fill(content, now) {
  const text = content.replace(PLACEHOLDER, (whole, name) =>
    Object.hasOwn(KNOWN, name.toLowerCase()) ? KNOWN[name.toLowerCase()](now) : whole,
  );
  const left = new RegExp(PLACEHOLDER, "").exec(text);
  return left
    ? { text, start: left.index, end: left.index + left[0].length }
    : { text, start: text.length, end: text.length };
}
