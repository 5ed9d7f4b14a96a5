// What one looks for on a page of records and takes along to the next one.
import { html, signal, useState } from "./view.js";

/** Set by a link «look among the late rows», taken by the page that it leads to. */
const taken = signal("");

/** The text of a filter, as `useState` has it: it begins with what was brought from the page before. */
export function useSought() {
  const [text, setText] = useState(() => {
    const brought = taken.peek();
    taken.value = "";
    return brought;
  });
  return [text, setText];
}

/** A link to another page that looks for the same text there. */
export function TakeAlong({ to, text, children }) {
  return html`<a href=${to} onClick=${() => (taken.value = text)}>${children}</a>`;
}

/** Instead of rows: the text is in none of those that were read so far. `seek` reads older ones, `children` say where else to look. */
export function NotFound({ count, noun, seek, busy, children }) {
  return html`<span>None of the ${count} newest ${noun} has this text. </span>
    ${seek && html`<button onClick=${seek} disabled=${busy}>${busy ? "Reading older files …" : "Search older ones"}</button> `}
    <span class="note">${children}</span>`;
}
