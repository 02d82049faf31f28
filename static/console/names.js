/* Names for screen readers where the admin's own widgets leave fields without one. */

const labelOf = (id) => document.querySelector(`label[for="${id}"]`)?.textContent.trim().replace(/:$/, "");

function nameSearchFields() {
  for (const box of document.querySelectorAll(".select2-selection, .select2-selection__rendered")) {
    const id = box.closest(".select2-container").previousElementSibling?.id;
    box.removeAttribute("aria-labelledby");
    box.setAttribute("aria-label", labelOf(id) ?? id);
    // Where several can be chosen, the field to type into is inside.
    box.querySelector(".select2-search__field")?.setAttribute("aria-label", labelOf(id) ?? id);
    // A cross for all, as a span between the list's items: no list may hold one, and each item has its own.
    box.querySelector("ul > .select2-selection__clear")?.remove();
  }
}

function nameDatesAndTimes() {
  for (const field of document.querySelectorAll(".vDateField, .vTimeField")) {
    if (labelOf(field.id)) continue;
    const row = field.closest("fieldset, .form-row");
    const name = row?.querySelector("legend, label")?.textContent.trim().replace(/:$/, "") ?? field.name;
    const part = field.previousSibling?.textContent?.trim() ?? "";
    field.setAttribute("aria-label", `${name} ${part}`.trim());
  }
}

function nameTooltips() {
  for (const tip of document.querySelectorAll("span.help-tooltip[aria-label]")) tip.setAttribute("role", "img");
}

// After the widgets have built themselves; search fields are built again when they change.
window.addEventListener("load", () => {
  nameSearchFields();
  new MutationObserver(nameSearchFields).observe(document.body, { childList: true, subtree: true });
  nameDatesAndTimes();
  nameTooltips();
});
