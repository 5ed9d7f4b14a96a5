// Open windows, or keys: what each group would give if it fired now, by the module that runs.
import { Failure, pipelinePath, respond } from "../parts/api.js";
import { Value } from "../parts/figures.js";
import { clock, digits, many, moment } from "../parts/format.js";
import { Stale, Waiting } from "../parts/frame.js";
import { standsBy } from "../parts/leadership.js";
import { hasEnded, howEnded } from "../parts/phase.js";
import { PipelineHead } from "../parts/pipeline_head.js";
import { usePoll } from "../parts/poll.js";
import { Table } from "../parts/table.js";
import { Term } from "../parts/term.js";
import { html, useEffect, useState } from "../parts/view.js";

const ROWS_ASKED = 500;
const EVERY_MS = 2_000;
const TYPE_AFTER_MS = 300;
const FORMATS = [
  ["JSON", "application/json", "json"],
  ["Arrow", "application/vnd.apache.arrow.stream", "arrow"],
  ["Parquet", "application/vnd.apache.parquet", "parquet"],
];

export function Windows({ name }) {
  const status = usePoll(pipelinePath(name));
  const keyed = status.data?.shape?.grouping?.kind === "keyed";
  return html`<${PipelineHead} name=${name} poll=${status} title=${keyed ? "Keys" : "Open windows"} />
    <${Waiting} poll=${status} what="the pipeline" />
    ${status.data && (status.data.shape?.grouping === null
      ? html`<p class="notice">This pipeline writes raw rows: it has no windows and no keys.</p>`
      : standsBy(status.data)
        ? html`<p class="lead">What is open is in the memory of the leader.</p>`
        : html`<${Groups} name=${name} keyed=${keyed} phase=${status.data.phase} />`)}`;
}

function Groups({ name, keyed, phase }) {
  const [text, setText] = useState("");
  const [key, setKey] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setKey(text.trim()), TYPE_AFTER_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const query = `?limit=${ROWS_ASKED}${key ? `&key=${encodeURIComponent(key)}` : ""}`;
  const poll = usePoll(pipelinePath(name, `/windows${query}`), EVERY_MS);
  const found = poll.data;
  const title = keyed ? "Keys" : "Open windows";
  const ended = hasEnded(phase);
  if (ended && !found) {
    return html`<p class="lead">${howEnded(phase)}: nothing is open in this host. ${phase === "finished" ? "Every result is in the tables of its sinks." : "What was open is in its last commit, and is here again when it runs."}</p>`;
  }
  return html`
    <p class="lead">${ended ? html`${howEnded(phase)}: this is the last that this page has seen.` : keyed
      ? html`Each <${Term} id="key" /> with its <${Term} id="state" /> and its next <${Term} id="timer" />.`
      : html`What each open <${Term} id="group" /> would give if it fired now, by the module that runs. It is <${Term} id="not_committed" />.`}</p>
    <div class="tools">
      <label class="search"><span class="unseen">Filter by key</span>
        <input type="search" aria-label="Filter by key" placeholder="Filter by key" value=${text} onInput=${(event) => setText(event.target.value)} /></label>
      <span class="note">${found ? html`${many(found.groups, keyed ? "key" : "group")} · watermark <${Value} value=${found.watermark} of="time" />` : ""}</span>
      ${!ended && html`<${Downloads} name=${name} query=${query} />`}
    </div>
    <${Waiting} poll=${poll} what=${`the ${title.toLowerCase()}`} />
    ${!ended && html`<${Stale} poll=${poll} />`}
    ${found && html`<${Table} name="Open windows" rows=${found.rows} keyOf=${(row) => keyOf(found, row)} noun="row"
      empty=${key ? "No group has this key." : "Nothing is open at the moment."} columns=${columnsOf(found)} />
      ${found.rows_left_out > 0 && html`<p class="note">The host left out ${many(found.rows_left_out, "row")}. A filter shows those of one key.</p>`}`}`;
}

const keyOf = (found, row) => JSON.stringify(found.columns.map((column, place) => (isPart(found, column, place) ? row[place] : 0)));
const isPart = (found, { name }, place) => place < keyCount(found) || name === "window_start" || name === "window_end";
const keyCount = ({ key_columns }) => (Array.isArray(key_columns) ? key_columns.length : key_columns);

function columnsOf(found) {
  return found.columns.map(({ name, type }, place) => {
    const isTime = /timestamp/i.test(type ?? "") || /^window_(start|end)$/.test(name) || /^next_(fire|timer)$/.test(name);
    const isNumber = !isTime && place >= keyCount(found) && /int|float|decimal|double/i.test(type ?? "");
    return {
      id: name,
      head: html`<span title=${type}>${name.replaceAll("_", " ")}</span>`,
      number: isNumber,
      sort: (row) => (isNumber && row[place] !== null ? Number(row[place]) : row[place]),
      cell: (row) => shown(row[place], { isTime, isNumber, isBytes: name.endsWith("_bytes") }),
    };
  });
}

function shown(value, { isTime, isNumber, isBytes }) {
  if (value === null || value === undefined) return html`<span class="note">–</span>`;
  if (isTime) return html`<span title=${moment(value)}>${clock(value)}</span>`;
  if (isBytes) return html`<${Value} value=${value} of="bytes" />`;
  if (isNumber) return digits(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function Downloads({ name, query }) {
  const [failure, setFailure] = useState(null);
  const take = async (accept, ending) => {
    setFailure(null);
    try {
      const response = await respond(pipelinePath(name, `/windows${query}`), { accept });
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await response.blob());
      link.download = `${name}-windows.${ending}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch (reason) {
      setFailure(reason instanceof Failure ? reason.message : String(reason));
    }
  };
  return html`<span class="push downloads"><span class="note">Save as</span>
    ${FORMATS.map(([label, accept, ending]) => html`<button key=${ending} onClick=${() => take(accept, ending)}>${label}</button>`)}
    ${failure && html`<span role="alert" class="bad">${failure}</span>`}</span>`;
}
