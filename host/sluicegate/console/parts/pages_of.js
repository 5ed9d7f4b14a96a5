// Rows that are asked for in pages, newest first: the first page is asked again while one looks, older ones on demand.
import { Failure, ask } from "./api.js";
import { usePoll } from "./poll.js";
import { html, useEffect, useState } from "./view.js";

const EVERY_MS = 3_000;

/** `path` has a query already. Gives `{poll, rows, more}`; `more` is a button, or nothing. */
export function usePages(path) {
  const poll = usePoll(path, EVERY_MS);
  const [older, setOlder] = useState({ path, rows: [], next: undefined, busy: false, failure: null });
  const mine = older.path === path ? older : { path, rows: [], next: undefined, busy: false, failure: null };
  useEffect(() => setOlder((before) => (before.path === path ? before : { path, rows: [], next: undefined, busy: false, failure: null })), [path]);
  const next = mine.next === undefined ? poll.data?.older : mine.next;
  const load = async () => {
    // What the first page shows now stays, so that no row falls between it and the older ones.
    const head = mine.rows.length ? mine.rows : poll.data.rows;
    setOlder({ ...mine, rows: head, busy: true, failure: null, next });
    try {
      const answer = await ask(`${path}&before=${encodeURIComponent(next)}`);
      setOlder({ path, rows: head.concat(answer.rows), next: answer.older ?? null, busy: false, failure: null });
    } catch (reason) {
      setOlder({ ...mine, rows: head, next, busy: false, failure: reason instanceof Failure ? reason.message : String(reason) });
    }
  };
  const more = html`
    ${mine.failure && html`<p class="notice bad" role="alert">${mine.failure}</p>`}
    ${next !== null && next !== undefined && html`<p class="beyond"><button onClick=${load} disabled=${mine.busy}>${mine.busy ? "Reading older files …" : "Show older"}</button></p>`}
    ${mine.rows.length > 0 && html`<p class="note">Older rows are shown, so new ones wait. <button class="link" onClick=${() => setOlder({ path, rows: [], next: undefined, busy: false, failure: null })}>Back to the newest</button></p>`}`;
  return { poll, rows: mine.rows.length ? mine.rows : poll.data?.rows ?? [], more };
}
