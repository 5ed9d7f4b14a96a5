// A word with its explanation: shown on hover and on focus, and a link to the glossary.
import { TERMS } from "./terms.js";
import { html, signal, useEffect, useLayoutEffect, useRef } from "./view.js";

/** What the one tooltip of the page shows: the term's id and the element it belongs to. */
const shown = signal(null);
const TIP = "tip";
const HIDE_AFTER_MS = 120;
let hiding = null;

function show(id, element) {
  clearTimeout(hiding);
  shown.value = { id, element };
}

function hide() {
  clearTimeout(hiding);
  // The pointer may move onto the tooltip itself.
  hiding = setTimeout(() => {
    shown.value = null;
  }, HIDE_AFTER_MS);
}

/** What an element needs to explain a term on hover and focus; nothing if there is none. */
export function useTip(id) {
  const element = useRef(null);
  const described = shown.value !== null && shown.value.element === element.current;
  useEffect(() => () => {
    if (shown.peek()?.element === element.current) shown.value = null;
  }, []);
  if (!id) return {};
  return {
    ref: element,
    "aria-describedby": described ? TIP : undefined,
    onMouseEnter: () => show(id, element.current),
    onMouseLeave: hide,
    onFocus: () => show(id, element.current),
    onBlur: hide,
  };
}

/** `html\`<${Term} id="lag">Lag<//>\``; without children the word of the glossary. */
export function Term({ id, children }) {
  const [word] = TERMS[id];
  return html`<a class="term" href=${`#/glossary/${id}`} ...${useTip(id)}>${children ?? word}</a>`;
}

/** The tooltip; once in the page. */
export function Tip() {
  const box = useRef(null);
  const current = shown.value;
  useEffect(() => {
    const escape = (event) => {
      if (event.key === "Escape") shown.value = null;
    };
    document.addEventListener("keydown", escape);
    return () => document.removeEventListener("keydown", escape);
  }, []);
  useLayoutEffect(() => {
    if (!current || !box.current) return;
    const at = current.element.getBoundingClientRect();
    const own = box.current.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.left, innerWidth - own.width - 8));
    const above = at.bottom + own.height + 12 > innerHeight && at.top > own.height + 12;
    box.current.style.left = `${left}px`;
    box.current.style.top = `${above ? at.top - own.height - 6 : at.bottom + 6}px`;
  });
  const [word, unit, text] = current ? TERMS[current.id] : [];
  return html`<div id=${TIP} role="tooltip" class="tip" hidden=${!current} ref=${box}
    onMouseEnter=${() => clearTimeout(hiding)} onMouseLeave=${hide}>
    ${current && html`<strong>${word}</strong>${unit && html`<span class="unit"> ${unit}</span>`}<p>${text}</p>`}
  </div>`;
}
