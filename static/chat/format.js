/** Numbers and times as people read them. Pure; the language comes in. */

const ORDINAL_ENDS = { one: "st", two: "nd", few: "rd", other: "th" };
const ordinalRules = new Intl.PluralRules("en", { type: "ordinal" });

/** 1st, 2nd, 3rd, 11th. */
export const ordinal = (number) => `${number}${ORDINAL_ENDS[ordinalRules.select(number)]}`;

export const integer = (number, locale) => new Intl.NumberFormat(locale).format(Math.round(number));

/** Seconds with one decimal below ten, whole above: 0.4, 12. */
export const seconds = (value) => (value < 9.95 ? value.toFixed(1) : String(Math.round(value)));

/** A wait in seconds rounded as an honest estimate is: to 1 below ten, 5 below a minute, else whole minutes. */
export function roughly(wait) {
  if (wait < 10) return { unit: "s", value: Math.max(1, Math.round(wait)) };
  if (wait < 58) return { unit: "s", value: Math.round(wait / 5) * 5 };
  if (wait < 90 * 60) return { unit: "min", value: Math.max(1, Math.round(wait / 60)) };
  return { unit: "h", value: Math.round(wait / 3600) };
}

/** Seconds by which an estimate may be missed before that is said. */
const LATE_S = 3;

/** Under this an estimate says "any moment", in seconds. */
export const SOON_S = 1;

/** What to say, as a key of the dictionary and its values, when so many seconds of an estimated wait are left. */
export function waitWords(left) {
  if (left < -LATE_S) return ["eta_late"];
  return left < SOON_S ? ["eta_now"] : ["eta", roughly(left)];
}

/** Tokens per second after the first one, or null where that says nothing. */
export function speed({ completion_tokens: tokens, ttft_s: ttft, total_s: total }) {
  if (!tokens || tokens < 2 || total == null || ttft == null) return null;
  const writing = total - ttft;
  return writing > 0.05 ? (tokens - 1) / writing : null;
}

/** A guess before the server counts: four letters of a Latin script make a token, one character of any other does. */
export function roughTokens(text) {
  const wide = text.match(/[\u0080-\uffff]/g)?.length ?? 0;
  return wide + Math.round((text.length - wide) / 4);
}

const clock = (locale) => new Intl.DateTimeFormat(locale, { timeStyle: "short" });
const calendar = (locale) => new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const clocks = new Map();

/** When something was said: the time of today, else the day and the time. Both moments in ms. */
export function moment(at, now, locale) {
  if (!clocks.has(locale)) clocks.set(locale, [clock(locale), calendar(locale)]);
  const isToday = new Date(at).toDateString() === new Date(now).toDateString();
  return clocks.get(locale)[isToday ? 0 : 1].format(at);
}
