// A sentence of the host: what it has in backticks is shown as code.
import { sentence } from "./api.js";
import { html } from "./view.js";

/** Text in, text and `<code>` out. */
export function said(message) {
  return sentence(message).split(/`([^`]+)`/).map((part, place) => (place % 2 ? html`<code>${part}</code>` : part));
}
