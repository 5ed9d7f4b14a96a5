// Bytes of records for people: as text in which nothing is hidden, or as hex. Never as markup, and never all at once.
import { bytes as size, exact } from "./format.js";
import { html, useState } from "./view.js";

/** Characters that are drawn at first, and with each further look. */
const CHARACTERS_AT_FIRST = 4_000;
const CHARACTERS_MORE = 32_000;
/** So few are not worth a click. */
const CHARACTERS_LEFT = 500;

/** `data` is `{text}` or `{hex}` with `bytes` and `cut`, as the host sends it. */
export function Bytes({ data, name }) {
  const [shown, setShown] = useState(CHARACTERS_AT_FIRST);
  if (!data) return html`<span class="note">none</span>`;
  const isText = data.text !== undefined && data.text !== null;
  const whole = isText ? data.text : data.hex ?? "";
  const length = whole.length <= shown + CHARACTERS_LEFT ? whole.length : shown;
  const part = isText ? safeCut(whole, length) : whole.slice(0, length === whole.length ? length : length - (length % 64));
  const beyond = whole.length - part.length;
  return html`<div class="bytes">
    <pre tabindex="0" role="group" aria-label=${name}>${isText ? visible(part) : dump(part)}</pre>
    <p class="note">${isText ? "Text" : "Bytes in hex: they are no UTF-8"}, ${html`<span title=${`${exact(data.bytes)} bytes`}>${size(data.bytes)}</span>`}${data.cut ? "; the host sent the beginning, the table has all of it" : ""}.
      ${beyond > 0 && html` ${exact(beyond)} more characters. <button onClick=${() => setShown(shown + CHARACTERS_MORE)}>Show more</button>`}</p>
  </div>`;
}

/** Cuts between characters, not inside one that takes two units. */
function safeCut(text, length) {
  if (length >= text.length) return text;
  const code = text.charCodeAt(length - 1);
  return text.slice(0, code >= 0xd800 && code <= 0xdbff ? length - 1 : length);
}

// Controls, and marks that turn the direction of text or have no width: unseen they could make a record look like another.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\t\n]+/u;
const HIDDEN_ALL = new RegExp(HIDDEN.source, "gu");

/** Text in which control characters are written out: `\x1b` for escape, `\n` at the end of a line, `U+202E` for what turns text. */
export function visible(text) {
  const parts = [];
  let last = 0;
  for (const found of text.matchAll(HIDDEN_ALL)) {
    if (found.index > last) parts.push(text.slice(last, found.index));
    parts.push(html`<span class="control">${[...found[0]].map(written).join("")}</span>`);
    // A line of a record stays a line.
    if (found[0].includes("\n")) parts.push("\n".repeat(found[0].split("\n").length - 1));
    last = found.index + found[0].length;
  }
  parts.push(text.slice(last));
  return parts;
}

const SHORT = { "\0": "\\0", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

function written(character) {
  const hex = character.codePointAt(0).toString(16);
  if (SHORT[character]) return SHORT[character];
  return hex.length <= 2 ? `\\x${hex.padStart(2, "0")}` : `U+${hex.toUpperCase().padStart(4, "0")}`;
}

/** Sixteen bytes a line: where, the bytes, and what of them is ASCII. */
function dump(hex) {
  const lines = [];
  for (let at = 0; at < hex.length; at += 32) {
    const pairs = hex.slice(at, at + 32).match(/../g) ?? [];
    const text = pairs.map((pair) => {
      const code = parseInt(pair, 16);
      return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : "·";
    });
    lines.push(`${(at / 2).toString(16).padStart(6, "0")}  ${pairs.join(" ").padEnd(47)}  ${text.join("")}`);
  }
  return lines.join("\n");
}
