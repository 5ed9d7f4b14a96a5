// A sentence of the host: what it has in backticks is shown as code.
import { sentence } from "./api.js";
import { html } from "./view.js";

/** A whole sentence: it begins with a capital and ends with a stop. */
export const said = (message) => coded(sentence(message));

/** Part of a sentence. */
export const coded = (text) => String(text).split(/`([^`]+)`/).map((part, place) => (place % 2 ? html`<code>${part}</code>` : part));
