// A sentence of the host: what it has in backticks is shown as code.
import { sentence } from "./api.js";
import { html } from "./view.js";

/** A whole sentence: it begins with a capital and ends with a stop. */
export const said = (message) => coded(sentence(message));

/** Part of a sentence. */
export const coded = (text) => String(text).split(/`([^`]+)`/).map((part, place) => (place % 2 ? html`<code>${words(part)}</code>` : part));

/** Longer words may be broken: a phone has no room for them. */
const WHOLE_MAX = 30;

/** A browser breaks a line behind each hyphen, and `--accept-topic` would be two words. */
const words = (text) => text.split(/( +)/).map((word) => (/\S/.test(word) && word.length <= WHOLE_MAX ? html`<span class="unbroken">${word}</span>` : word));

/** A path or an address, which may be broken where it has a slash. */
export const breakable = (text) => String(text).split(/(?<=\/)(?=[^/])/).map((part, order) => [order > 0 && html`<wbr />`, part]);
