/** Text fields as tall as their text, and the key that sends what stands in them. */

const SIZES_ITSELF = CSS.supports("field-sizing", "content");

/** On a phone's keyboard Enter makes a new line; there is a button to send. */
export const touch = matchMedia("(pointer: coarse)");

/** Browsers with `field-sizing: content` do it themselves. */
export function fitHeight(field) {
  if (SIZES_ITSELF) return;
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
}

/** 229: Safari reports the Enter that ends a composition as a key of its own. */
const isEnter = (event) => event.key === "Enter" && !event.isComposing && event.keyCode !== 229;

export const isSend = (event) =>
  isSave(event) || (isEnter(event) && !event.shiftKey && !event.altKey && !touch.matches);

/** Of what has many lines of its own, such as an answer. */
export const isSave = (event) => isEnter(event) && (event.ctrlKey || event.metaKey);
