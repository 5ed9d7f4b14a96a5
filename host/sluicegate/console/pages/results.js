// Live results: the groups that changed, filtered by key, sorted by column, and one key drawn over its windows.
import { pipelinePath } from "../parts/api.js";
import { Chart } from "../parts/chart.js";
import { clock, digits, many, millis, moment, short } from "../parts/format.js";
import { Section, Waiting } from "../parts/frame.js";
import { useLive } from "../parts/live.js";
import { standsBy } from "../parts/leadership.js";
import { hasEnded, howEnded } from "../parts/phase.js";
import { PipelineHead } from "../parts/pipeline_head.js";
import { usePoll } from "../parts/poll.js";
import { Table } from "../parts/table.js";
import { Term } from "../parts/term.js";
import { html, useMemo, useState } from "../parts/view.js";

export function Results({ name }) {
  const poll = usePoll(pipelinePath(name));
  const status = poll.data;
  const running = status !== null && !hasEnded(status.phase) && !standsBy(status);
  const live = useLive(name, running);
  return html`<${PipelineHead} name=${name} poll=${poll} title="Results" />
    <${Waiting} poll=${poll} what="the pipeline" />
    ${status && (isRaw(status)
      ? html`<p class="notice">This pipeline writes raw rows: it has no windows and no keys, and so no live results. Its rows are in the tables of its sinks.</p>`
      : standsBy(status)
        ? html`<p class="lead">Results change where the pipeline is led. Committed ones are in the tables of its sinks.</p>`
        : html`<${Found} name=${name} status=${status} live=${live} running=${running} />`)}`;
}

const isRaw = ({ shape }) => shape !== undefined && shape.grouping === null;

function Found({ status, live, running }) {
  const [text, setText] = useState("");
  const [all, setAll] = useState(false);
  const [chosen, setChosen] = useState(null);
  const marked = useMemo(() => settle(live, status), [live, status.epoch, status.watermark]);
  const wanted = useMemo(() => pick(marked, text, all && !live.isEvents), [marked, text, all]);
  const known = live.columns.length > 0;
  if (!running && !known) return html`<p class="lead">${howEnded(status.phase)}, and this page has seen none of its rows. Committed ones are in the tables of its sinks.</p>`;
  return html`
    <p class="lead">${running
      ? html`Groups as they change, before they are durable. A row is <${Term} id="not_committed" /> until it says so.`
      : html`${howEnded(status.phase)}: these rows are the last ones that this page has seen.`}
      ${live.missed > 0 && ` This page was too slow for ${many(live.missed, "event")}.`}
      ${running && live.leftOut > 0 && ` More rows change than the host sends at once: ${many(live.leftOut, "row")} are still to come, so what is here may be some seconds old.`}
      ${live.forgotten > 0 && ` The page keeps the ${many(live.forgotten, live.isEvents ? "row" : "group")} that changed last.`}</p>
    <div class="tools">
      <label class="search"><span class="unseen">Filter by key</span>
        <input type="search" aria-label="Filter by key" placeholder="Filter by key" value=${text} onInput=${(event) => setText(event.target.value)} /></label>
      ${known && !live.isEvents && live.columns.includes("window_end") && html`<label class="check">
        <input type="checkbox" checked=${all} onChange=${(event) => setAll(event.target.checked)} /> All windows, not only the newest of each key</label>`}
      <span class="note push">${known ? many(wanted.length, live.isEvents ? "row" : "group") : ""}</span>
    </div>
    <${Leader} live=${live} groups=${marked} />
    ${chosen !== null && html`<${KeyChart} id=${chosen} live=${live} onClose=${() => setChosen(null)} />`}
    ${known
      ? html`<${Rows} live=${live} rows=${wanted} chosen=${chosen} onChoose=${setChosen} />`
      : html`<p class="waiting">${live.isOpen ? "No group has changed since this page was opened." : "Connecting to the live results …"}</p>`}`;
}

/**
 * Says of each group whether it is open, fired or committed. A window that the watermark has passed is in the epoch that
 * follows the last committed one, or in the next if that one is on its way already.
 */
function settle(live, status) {
  const watermark = millis(status.watermark);
  return live.groups.map((group) => {
    const ends = group.end;
    if (ends !== null && group.fired === null && (status.input_ended || (watermark !== null && watermark >= ends))) {
      group.fired = (status.epoch ?? 0) + 2;
    }
    // Rows of a process plugin, and groups of all time, are part of the epoch that the host names.
    const due = ends === null ? group.epoch : group.fired;
    const isCommitted = due !== null && status.epoch !== null && status.epoch >= due;
    const state = isCommitted ? "committed" : ends !== null && group.fired !== null ? "fired" : "open";
    return { ...group, state };
  });
}

/** Who has most of the first number, in the newest window and in the one before: the newest one has just begun. */
function Leader({ live, groups }) {
  const place = numericColumns(live)[0];
  if (place === undefined || live.isEvents || live.keys === 0 || groups.length < 2) return null;
  const ends = [...new Set(groups.map(({ end }) => end))].sort((one, other) => other - one);
  const mostOf = (end) => groups.filter((group) => group.end === end).flatMap(rowsOf)
    .reduce((most, row) => (most === null || Number(row.cells[place]) > Number(most.cells[place]) ? row : most), null);
  const [newest, before] = ends.slice(0, 2).map(mostOf);
  const amount = (row) => html`<strong>${row.name}</strong>, ${digits(row.cells[place])}`;
  const between = ({ start, end }) => `${clock(start / 1_000)} to ${clock(end / 1_000)}`;
  if (newest.end === null) return html`<p class="leader">Highest ${live.columns[place]}: ${amount(newest)}.</p>`;
  return html`<p class="leader">Highest ${live.columns[place]}: ${amount(newest)} <span class="unit">in the newest window, ${between(newest)}</span>${before && html`; ${amount(before)} <span class="unit">in the one before</span>`}</p>`;
}

function pick(groups, text, all) {
  const needle = text.trim().toLowerCase();
  const found = needle ? groups.filter(({ name }) => name.toLowerCase().includes(needle)) : groups;
  if (all || found.every(({ end }) => end === null)) return found.flatMap(rowsOf);
  const newest = new Map();
  for (const group of found) {
    const before = newest.get(group.name);
    if (!before || group.end >= before.end) newest.set(group.name, group);
  }
  return [...newest.values()].flatMap(rowsOf);
}

const rowsOf = (group) => group.rows.map((cells, place) => ({ ...group, cells, rowId: `${group.id} ${place}` }));

const WORDS = { open: "not yet committed", fired: "fired, not yet committed", committed: "committed" };

function Rows({ live, rows, chosen, onChoose }) {
  const numbers = useMemo(() => numericColumns(live), [live.columns.join(), live.groups.length > 0]);
  const most = useMemo(() => Object.fromEntries(numbers.map((place) => [place, Math.max(...rows.map(({ cells }) => Number(cells[place]) || 0), 0)])), [rows, numbers]);
  const first = numbers[0];
  const columns = [
    {
      id: "key",
      head: live.keys > 0 ? live.columns.slice(0, live.keys).join(", ") : "key",
      term: "key",
      sort: ({ name }) => name,
      cell: ({ name }) => html`<button class="link" aria-pressed=${chosen === name} aria-label=${`Chart of ${name}`} title=${name} onClick=${() => onChoose(chosen === name ? null : name)}>${name}</button>`,
    },
    ...live.columns.map((column, place) => ({ column, place })).slice(live.keys).map(({ column, place }) => {
      const isTime = /^(window_start|window_end|event_time)$/.test(column);
      const isNumber = numbers.includes(place);
      return {
        id: column,
        head: isTime ? column.replace("_", " ") : column,
        term: isTime ? (column === "event_time" ? "event_time" : "window") : undefined,
        number: isNumber,
        sort: ({ cells }) => (isNumber ? Number(cells[place]) : cells[place]),
        cell: ({ cells }) => (isTime ? html`<span title=${moment(cells[place])}>${clock(cells[place])}</span>` : shown(cells[place], isNumber, place === first ? most[place] : 0)),
      };
    }),
    { id: "state", head: "State", term: "not_committed", sort: ({ state }) => state, cell: ({ state }) => html`<span class=${`state state-${state}`}><i aria-hidden="true"></i>${WORDS[state]}</span>` },
  ];
  return html`<${Table} name="Results" rows=${rows} keyOf=${({ rowId }) => rowId} noun="row" empty="No key has this text."
    order=${first === undefined ? null : { id: live.columns[first], down: true }} columns=${columns} />`;
}

function shown(value, isNumber, most) {
  if (value === null || value === undefined) return html`<span class="note">null</span>`;
  if (!isNumber) return typeof value === "object" ? JSON.stringify(value) : String(value);
  const share = most > 0 ? Math.max(0, Number(value)) / most : 0;
  return html`<span class=${most > 0 ? "with-bar" : ""}>${most > 0 && html`<span class="cell-bar" aria-hidden="true"><i style=${{ width: `${100 * share}%` }}></i></span>`}<span>${digits(value)}</span></span>`;
}

/** The places of columns that hold numbers, or decimals as texts. */
function numericColumns(live) {
  const sample = live.groups.slice(-50).flatMap(({ rows }) => rows);
  return live.columns
    .map((_, place) => place)
    .slice(live.keys)
    .filter((place) => sample.some((row) => row[place] !== null) && sample.every((row) => row[place] === null || isNumeric(row[place])));
}

const isNumeric = (value) => typeof value === "number" || (typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value));

function KeyChart({ id, live, onClose }) {
  const numbers = numericColumns(live);
  const [column, setColumn] = useState(null);
  const place = numbers.includes(column) ? column : numbers[0];
  const time = live.columns.indexOf(live.isEvents ? "event_time" : "window_start");
  const points = live.groups
    .filter(({ name }) => name === id)
    .flatMap(({ rows }) => rows)
    .map((row) => [millis(row[time]) / 1_000, row[place] === null ? null : Number(row[place]), row[place]])
    .filter(([at]) => Number.isFinite(at))
    .sort(([one], [other]) => one - other);
  const at = points.map(([seconds]) => seconds);
  const label = live.columns[place];
  return html`<${Section} title=${`Chart of ${id}`} id="key-chart">
    <div class="tools">
      ${numbers.length > 1 && html`<label>Column <select value=${place} onChange=${(event) => setColumn(Number(event.target.value))}>
        ${numbers.map((number) => html`<option key=${number} value=${number}>${live.columns[number]}</option>`)}</select></label>`}
      <span class="note">Windows that changed while this page was open: ${at.length}. The newest still grows.</span>
      <button class="push" onClick=${onClose}>Close the chart</button>
    </div>
    ${place === undefined || time < 0 || at.length === 0
      ? html`<p class="note">There is no number, or no time, to draw for this key.</p>`
      : html`<${Chart} title=${label} term=${live.isEvents ? "event_time" : "window"} kind="windows" height=${180} at=${at}
          series=${[{ label: id, values: points.map(([, value]) => value) }]} format=${(value) => short(value)} />
        <details class="minutes"><summary>The chart as a table</summary>
          <${Table} name=${`Chart of ${id} as a table`} rows=${points.slice().reverse()} keyOf=${([seconds]) => seconds} noun="window" columns=${[
            { id: "at", head: live.isEvents ? "Event time" : "Window start", cell: ([seconds]) => html`<span title=${moment(seconds)}>${clock(seconds)}</span>` },
            { id: "value", head: label, number: true, cell: ([, , written]) => (written === null ? "null" : digits(written)) },
          ]} />
        </details>`}
  <//>`;
}
