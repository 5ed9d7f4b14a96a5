// Rows that are asked for in pages, newest first: the first page is asked again while one looks, older ones on demand.
import { Failure, ask } from "./api.js";
import { usePoll } from "./poll.js";
import { html, useEffect, useState } from "./view.js";

const EVERY_MS = 3_000;
/** Older pages that one search reads before it asks whether to go on. */
const PAGES_SOUGHT = 20;

/**
 * `path` has a query already. Gives `{poll, rows, more, seek, busy}`: `more` is a button, or nothing; `seek(isWanted)` reads
 * older pages until one has such a row, and is null if there is none.
 */
export function usePages(path) {
  const poll = usePoll(path, EVERY_MS);
  const [older, setOlder] = useState({ path, rows: [], next: undefined, busy: false, failure: null });
  const mine = older.path === path ? older : { path, rows: [], next: undefined, busy: false, failure: null };
  useEffect(() => setOlder((before) => (before.path === path ? before : { path, rows: [], next: undefined, busy: false, failure: null })), [path]);
  const next = mine.next === undefined ? poll.data?.older : mine.next;
  const settle = (state) => setOlder((before) => (before.path === path ? state : before));
  const seek = async (isWanted) => {
    // What the first page shows now stays, so that no row falls between it and the older ones.
    const head = mine.rows.length ? mine.rows : poll.data.rows;
    setOlder({ ...mine, rows: head, busy: true, failure: null, next });
    try {
      let rows = head;
      let at = next;
      for (let page = 0; page < PAGES_SOUGHT && at !== null; page += 1) {
        const answer = await ask(`${path}&before=${encodeURIComponent(at)}`);
        rows = rows.concat(answer.rows);
        at = answer.older ?? null;
        if (answer.rows.some(isWanted)) break;
      }
      settle({ path, rows, next: at, busy: false, failure: null });
    } catch (reason) {
      settle({ ...mine, rows: head, next, busy: false, failure: reason instanceof Failure ? reason.message : String(reason) });
    }
  };
  const hasOlder = next !== null && next !== undefined;
  const more = html`
    ${mine.failure && html`<p class="notice bad" role="alert">${mine.failure}</p>`}
    ${hasOlder && html`<p class="beyond"><button onClick=${() => seek(() => true)} disabled=${mine.busy}>${mine.busy ? "Reading older files …" : "Show older"}</button></p>`}
    ${mine.rows.length > 0 && html`<p class="note">Older rows are shown, so new ones wait. <button class="link" onClick=${() => setOlder({ path, rows: [], next: undefined, busy: false, failure: null })}>Back to the newest</button></p>`}`;
  return { poll, rows: mine.rows.length ? mine.rows : poll.data?.rows ?? [], more, seek: hasOlder ? seek : null, busy: mine.busy };
}
