/** Text fields as tall as their text. Browsers with `field-sizing: content` do it themselves. */

const SIZES_ITSELF = CSS.supports("field-sizing", "content");

export function fitHeight(field) {
  if (SIZES_ITSELF) return;
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
}
