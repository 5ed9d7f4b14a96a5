// Late rows: those that came after all their windows had closed, newest first.
import { pipelinePath } from "../parts/api.js";
import { visible } from "../parts/bytes.js";
import { clock, many, moment } from "../parts/format.js";
import { Stale, Waiting } from "../parts/frame.js";
import { usePages } from "../parts/pages_of.js";
import { PipelineHead } from "../parts/pipeline_head.js";
import { usePoll } from "../parts/poll.js";
import { Table } from "../parts/table.js";
import { Term } from "../parts/term.js";
import { html } from "../parts/view.js";

const ROWS_ASKED = 100;

export function LateRows({ name }) {
  const status = usePoll(pipelinePath(name));
  return html`<${PipelineHead} name=${name} poll=${status} title="Late rows" />
    <p class="lead">Rows whose windows had all closed when they came: the <${Term} id="watermark" /> had passed the end and the <${Term} id="lateness" />. They are in no result.</p>
    <${Rows} key=${name} name=${name} total=${status.data?.records?.late} />`;
}

function Rows({ name, total }) {
  const { poll, rows, more } = usePages(pipelinePath(name, `/late-rows?limit=${ROWS_ASKED}`));
  if (poll.data === null) return html`<${Waiting} poll=${poll} what="late rows" />`;
  const names = (poll.data.columns ?? []).map((column) => (typeof column === "string" ? { name: column, type: "" } : column));
  const bounds = ["window_start", "window_end"].filter((bound) => rows.some((row) => row[bound]) && !names.some((column) => column.name === bound));
  return html`<${Stale} poll=${poll} />
    <p class="note">${total === undefined ? "" : `${many(total, "late row")} since the pipeline's beginning; ${many(rows.length, "row")} shown.`}</p>
    <${Table} name="Late rows" rows=${rows} keyOf=${(row) => JSON.stringify([row.epoch, row.at, row.values])} noun="late row"
      empty=${total > 0 ? "Late rows were counted and dropped: the pipeline has no table for them. A [late] table in its file keeps them." : "No row was late."}
      columns=${[
        { id: "at", head: "At", cell: ({ at }) => html`<span title=${moment(at)}>${clock(at)}</span>` },
        ...names.map(({ name: column, type }, place) => ({
          id: `column ${column}`,
          head: html`<span title=${type}>${column.replaceAll("_", " ")}</span>`,
          cell: ({ values }) => valueOf(values[place], /timestamp/i.test(type) || /^window_(start|end)$/.test(column)),
        })),
        ...bounds.map((bound) => ({ id: bound, head: bound.replace("_", " "), cell: (row) => html`<span title=${moment(row[bound])}>${clock(row[bound])}</span>` })),
        { id: "state", head: "State", cell: ({ committed, epoch }) => html`<span class=${`state state-${committed ? "committed" : "open"}`}><i aria-hidden="true"></i>${committed ? `epoch ${epoch}` : "not yet committed"}</span>` },
      ]} />
    ${more}`;
}

function valueOf(value, isTime) {
  if (value === null || value === undefined) return html`<span class="note">null</span>`;
  if (isTime && !Number.isNaN(Date.parse(value))) return html`<span title=${moment(value)}>${clock(value)}</span>`;
  return visible(typeof value === "object" ? JSON.stringify(value) : String(value).slice(0, 500));
}
