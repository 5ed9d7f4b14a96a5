// What every page has: its title and heading, and a sentence where data is not there yet or cannot be had.
import { isLost } from "./connection.js";
import { said } from "./said.js";
import { html, useEffect, useRef } from "./view.js";

let isFirst = true;

/** The heading of a page. It takes the focus when one comes from another page, so that a screen reader says where one is. */
export function Heading({ title, children }) {
  const heading = useRef(null);
  useEffect(() => {
    document.title = `${title} · Sluicegate`;
  }, [title]);
  useEffect(() => {
    if (!isFirst) heading.current?.focus({ preventScroll: true });
    isFirst = false;
  }, []);
  return html`<h1 tabindex="-1" ref=${heading}>${children ?? title}</h1>`;
}

/** In place of data: what is wrong, or that it is on its way. Null if `poll` has data. */
export function Waiting({ poll, what }) {
  if (poll.data !== null) return null;
  // The page may be newer than the host, behind a proxy or in a browser that was left open.
  if (poll.failure?.code === "no_such_path") return html`<p class="notice">This version of the host does not tell ${what}.</p>`;
  // Above the page it is said already.
  if (poll.failure && !(poll.failure.isLost && isLost.value)) return html`<p class="notice bad" role="alert">${said(poll.failure.message)}</p>`;
  return html`<p class="waiting">Waiting for ${what} …</p>`;
}

/** When data is there, and the newest question after it failed for another reason than the connection. */
export function Stale({ poll }) {
  if (poll.data === null || !poll.failure || poll.failure.isLost) return null;
  return html`<p class="notice bad" role="alert">${said(poll.failure.message)}</p>`;
}

/** A part of a page with a heading of its own. */
export function Section({ title, note, children, id }) {
  const name = id ?? title.toLowerCase().replaceAll(/[^a-z]+/g, "-");
  return html`<section aria-labelledby=${name}>
    <div class="section-head"><h2 id=${name}>${title}</h2>${note && html`<p class="note">${note}</p>`}</div>
    ${children}
  </section>`;
}
