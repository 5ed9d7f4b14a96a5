// Live results of a pipeline: the groups that changed, folded into what each is now.
import { endSession, pipelinePath } from "./api.js";
import { millis } from "./format.js";
import { signal, useEffect, useRef } from "./view.js";

/** Groups that are kept; those that changed longest ago go first. */
const GROUPS_MAX = 10_000;
/** Rows of a process plugin are events: this many of the newest are kept. */
const EVENTS_MAX = 2_000;
/** The eye follows two changes a second, and the host is asked for no more. */
const SHOW_EVERY_MS = 500;
const RETRY_MS = 2_000;

/**
 * Follows the live results while the component is shown and the tab is visible. The value has `columns`, `keys` (how many of
 * them are the key), `groups` (a list of `{id, key, rows, epoch, start, end, seen}`), `leftOut`, `missed`, `forgotten`, `isOpen`, `epoch`.
 */
export function useLive(pipeline, running) {
  const kept = useRef(null);
  if (kept.current?.pipeline !== pipeline) kept.current = begin(pipeline);
  const follow = kept.current;
  useEffect(() => {
    if (!running) return undefined;
    return connect(follow);
  }, [follow, running]);
  return follow.shown.value;
}

function begin(pipeline) {
  const empty = { columns: [], keys: 0, groups: [], leftOut: 0, missed: 0, forgotten: 0, isOpen: false, epoch: null, events: 0 };
  return { pipeline, groups: new Map(), count: 0, state: { ...empty }, shown: signal(empty), dirty: false };
}

function connect(follow) {
  let stream = null;
  let retry = null;
  const show = setInterval(() => {
    if (!follow.dirty) return;
    follow.dirty = false;
    follow.shown.value = { ...follow.state, groups: [...follow.groups.values()] };
  }, SHOW_EVERY_MS);
  const mark = (isOpen) => {
    follow.state.isOpen = isOpen;
    follow.dirty = true;
  };
  const close = () => {
    clearTimeout(retry);
    stream?.close();
    stream = null;
  };
  const open = () => {
    close();
    if (document.hidden) return;
    stream = new EventSource(pipelinePath(follow.pipeline, "/live?calm=true"));
    stream.onopen = () => mark(true);
    stream.addEventListener("results", (event) => fold(follow, event.data));
    stream.addEventListener("missed", (event) => {
      follow.state.missed += JSON.parse(event.data).events;
      follow.dirty = true;
    });
    // The host ends the stream when the session by which it was opened has ended: the login opens by itself.
    stream.addEventListener("ended", (event) => {
      mark(false);
      close();
      if (JSON.parse(event.data).code === "session") endSession();
    });
    stream.onerror = () => {
      mark(false);
      close();
      retry = setTimeout(open, RETRY_MS);
    };
  };
  document.addEventListener("visibilitychange", open);
  open();
  return () => {
    document.removeEventListener("visibilitychange", open);
    clearInterval(show);
    close();
  };
}

function fold(follow, text) {
  const event = JSON.parse(text);
  const { state, groups } = follow;
  const begins = event.columns.indexOf("window_start");
  const ends = event.columns.indexOf("window_end");
  const isEvents = event.columns.includes("event_time") && begins < 0;
  if (state.columns.join() !== event.columns.join()) groups.clear();
  Object.assign(state, { columns: event.columns, keys: event.key_columns, epoch: event.uncommitted_epoch, isEvents });
  // What is left out of one event comes with a later one: only the newest count says something.
  state.leftOut = event.rows_left_out;
  state.events += 1;
  const fresh = new Map();
  for (const row of event.rows) {
    const key = row.slice(0, event.key_columns);
    const id = isEvents ? String((follow.count += 1)) : JSON.stringify([key, row[begins] ?? null, row[ends] ?? null]);
    const group = fresh.get(id);
    if (group) group.rows.push(row);
    else fresh.set(id, { id, key, name: nameOf(key), rows: [row], epoch: event.uncommitted_epoch, start: millis(row[begins]), end: millis(row[ends]), fired: null });
  }
  for (const [id, group] of fresh) {
    // Deleted first, so that the order of the map is that of the last change.
    groups.delete(id);
    groups.set(id, group);
  }
  const most = isEvents ? EVENTS_MAX : GROUPS_MAX;
  for (const id of groups.keys()) {
    if (groups.size <= most) break;
    groups.delete(id);
    state.forgotten = most;
  }
  follow.dirty = true;
}

/** A key for people: its values with commas; `all rows` if there is none. */
export const nameOf = (key) => (key.length ? key.map((value) => (value === null ? "null" : String(value))).join(", ") : "all rows");
