/** What was wrong or good about an answer, in words. */

import { html } from "../html.js";
import { t } from "../i18n.js";
import { rate } from "../messages.js";
import { closeDialog } from "../notices.js";
import { Dialog } from "./dialog.js";

export function Body({ message }) {
  const onSubmit = (event) => {
    event.preventDefault();
    rate(message, message.feedback.value, new FormData(event.currentTarget).get("comment").trim());
    closeDialog();
  };
  return html`<${Dialog} title=${t("comment_title")}>
    <form class="stack" onSubmit=${onSubmit}>
      <label>
        ${t(message.feedback.value > 0 ? "comment_good" : "comment_bad")}
        <textarea
          name="comment"
          data-first
          rows="4"
          maxlength="2000"
          defaultValue=${message.feedback.comment}></textarea>
      </label>
      <p class="soft">${t("comment_seen_by")}</p>
      <div class="ends"><button type="submit" class="button primary">${t("save")}</button></div>
    </form>
  <//>`;
}
