// The words of the console, each with its unit and its meaning.
import { Heading } from "../parts/frame.js";
import { termsByWord } from "../parts/terms.js";
import { html, useEffect } from "../parts/view.js";

export function Glossary({ name }) {
  useEffect(() => {
    const entry = name && document.getElementById(`term-${name}`);
    if (!entry) return;
    entry.scrollIntoView({ block: "center" });
    entry.focus({ preventScroll: true });
  }, [name]);
  return html`<div class="page-head"><${Heading} title="Glossary" /></div>
    <p class="lead">Each word has one meaning: here, in messages, and in the code.</p>
    <dl class="glossary">
      ${termsByWord().map(({ id, word, unit, text }) => html`<div key=${id} id=${`term-${id}`} tabindex="-1" class=${id === name ? "is-marked" : ""}>
        <dt><a href=${`#/glossary/${id}`}>${word}</a>${unit && html`<span class="unit"> ${unit}</span>`}</dt>
        <dd>${text}</dd>
      </div>`)}
    </dl>`;
}
