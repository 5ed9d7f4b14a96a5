// The last 15 minutes of a pipeline: asked for once as a whole, then only for what is new.
import { pipelinePath } from "./api.js";
import { millis } from "./format.js";
import { usePoll } from "./poll.js";

const SPAN_MS = 15 * 60 * 1_000;
/** Columns of values per step, as the host names them. */
const SERIES = [
  "read", "accepted", "filtered", "late", "dead_lettered", "written_rows", "dead_letters",
  "lag", "watermark_delay_seconds", "open_groups", "state_bytes",
];
const STAGE_SERIES = ["rows", "dropped", "micros_per_row"];

/**
 * `{at, series, stages, marks}` or null: `at` in seconds since 1970, `series.read` and so on as long as `at`, with null where
 * nothing is known; `stages[id].rows` likewise; `marks` oldest first, each with `seconds`.
 */
export function useHistory(pipeline, every = 2_000) {
  const path = pipelinePath(pipeline, "/history");
  const { data } = usePoll(path, every, { address: (kept) => addressOf(path, kept), fold });
  return data;
}

function addressOf(path, kept) {
  const last = kept?.at.at(-1);
  // After a longer gap all is asked for again: what the host remembers may have begun again as well.
  if (!last || Date.now() - last * 1_000 > SPAN_MS / 2) return path;
  return `${path}?since=${encodeURIComponent(new Date(last * 1_000).toISOString())}`;
}

function fold(kept, answer) {
  const at = answer.at.map((moment) => millis(moment) / 1_000);
  const last = kept?.at.at(-1) ?? -Infinity;
  const asked = kept && (at.length === 0 || at[0] > last - 1) ? kept : null;
  const first = asked ? at.findIndex((seconds) => seconds > last) : 0;
  const fresh = first < 0 ? at.length : first;
  const newest = at.at(-1) ?? last;
  const old = asked?.at ?? [];
  const cut = old.findIndex((seconds) => seconds > newest - SPAN_MS / 1_000);
  const from = cut < 0 ? old.length : cut;
  const join = (before, after) => {
    const head = before ?? new Array(old.length).fill(null);
    return head.slice(from).concat((after ?? new Array(at.length).fill(null)).slice(fresh));
  };
  const series = Object.fromEntries(SERIES.map((name) => [name, join(asked?.series[name], answer[name])]));
  const names = new Set([...Object.keys(asked?.stages ?? {}), ...Object.keys(answer.stages ?? {})]);
  const stages = Object.fromEntries([...names].map((stage) => [
    stage,
    Object.fromEntries(STAGE_SERIES.map((name) => [name, join(asked?.stages[stage]?.[name], answer.stages?.[stage]?.[name])])),
  ]));
  return {
    at: join(old, at),
    series,
    stages,
    marks: joinMarks(asked?.marks ?? [], answer.marks ?? [], newest - SPAN_MS / 1_000),
  };
}

function joinMarks(before, after, since) {
  const marks = new Map();
  for (const mark of [...before, ...after.map((told) => ({ ...told, seconds: millis(told.at) / 1_000 }))]) {
    if (mark.seconds >= since) marks.set(`${mark.kind} ${mark.seconds} ${mark.stage ?? ""} ${mark.epoch ?? ""}`, mark);
  }
  return [...marks.values()].sort((one, other) => one.seconds - other.seconds);
}

/** Each value as the mean of `steps` values up to it: ten seconds, if nothing else is said. The first ones share a mean. */
export const smooth = (values, steps = 5) =>
  values.map((value, step) => (value === null || value === undefined ? null : recent(values.slice(Math.max(0, step + 1 - steps), Math.max(step + 1, steps)), steps)));

/** Written rows come with each commit: over so many steps there are some of them. */
export const COMMIT_STEPS = 10;

/** The mean of the last `steps` known values; null if there is none. */
export function recent(values, steps = 5) {
  const known = (values ?? []).slice(-steps).filter((value) => value !== null && value !== undefined);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}
