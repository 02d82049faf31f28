/**
 * Buttons that copy what a field holds: `data-copy` names the field, `data-copied` is what the button says then.
 * Without scripts they stay hidden; the field can be copied by hand.
 */

async function copy(field) {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    // Without HTTPS there is no clipboard, and a browser may refuse it; the old command works in both.
    if (!document.execCommand("copy")) throw new Error("The browser copies nothing here.");
  }
}

for (const button of document.querySelectorAll("[data-copy]")) {
  const field = /** @type {HTMLInputElement} */ (document.getElementById(button.dataset.copy));
  field.addEventListener("focus", () => field.select());
  button.addEventListener("click", () =>
    copy(field).then(
      () => (button.textContent = button.dataset.copied),
      () => field.focus(),
    ),
  );
  button.hidden = false;
}
