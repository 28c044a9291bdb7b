// What has become of a message: ticks as WhatsApp draws them, and in red why it did not arrive.

import { element, icon } from "../lib/dom.js";

const STATUSES = {
  accepted: ["pending", "Accepted"],
  sent: ["tick", "Sent"],
  delivered: ["ticks", "Delivered"],
  read: ["ticks", "Read"],
  failed: ["refused", "Not delivered"],
  deleted: ["clear", "Deleted"],
};

/** Shows the status of a message in its bubble, if that shows another one. */
export function showStatus(bubble, { data }) {
  const [drawn, words] = STATUSES[data.status] ?? STATUSES.accepted;
  if (bubble.dataset.status === words) return;
  bubble.dataset.status = words;
  bubble.setAttribute("aria-description", [words, data.failure].filter(Boolean).join(": "));
  for (const before of bubble.querySelectorAll(":scope > .undelivered, .status")) before.remove();
  const footer = bubble.querySelector(":scope > footer");
  footer.append(element("span", { class: `status is-${data.status}`, title: words }, icon(drawn)));
  if (data.failure) footer.before(element("p", { class: "undelivered", dir: "auto" }, icon("refused"), `${words}: ${data.failure}`));
}
