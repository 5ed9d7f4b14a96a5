// Late rows: those that came after all their windows had closed, newest first.
import { pipelinePath } from "../parts/api.js";
import { visible } from "../parts/bytes.js";
import { clock, many, moment } from "../parts/format.js";
import { Stale, Waiting } from "../parts/frame.js";
import { usePages } from "../parts/pages_of.js";
import { PipelineHead } from "../parts/pipeline_head.js";
import { usePoll } from "../parts/poll.js";
import { said } from "../parts/said.js";
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
  return html`<${Stale} poll=${poll} />
    ${poll.data.note && html`<p class="notice">${said(poll.data.note)}</p>`}
    <p class="note spaced">${total === undefined ? "" : `${many(total, "late row")} since the pipeline's beginning; ${many(rows.length, "row")} shown.`}${poll.data.table && html` Kept in <span class="place">${poll.data.table}</span>`}</p>
    <${Table} name="Late rows" rows=${rows} keyOf=${(row) => JSON.stringify([row.epoch, row.window_start, row.watermark, row.values])} noun="late row"
      empty=${total > 0 ? "Late rows were counted and dropped." : "No row was late."}
      columns=${[
        ...poll.data.columns.map((column, place) => ({ id: `column ${column}`, head: column, cell: ({ values }) => valueOf(values[place]) })),
        { id: "window", head: "Window", term: "window", cell: (row) => html`<span title=${`${moment(row.window_start)} to ${moment(row.window_end)}`}>${clock(row.window_start)} to ${clock(row.window_end)}</span>` },
        { id: "why", head: "Why it was late", term: "late", wide: true, cell: ({ late_reason }) => late_reason && visible(late_reason) },
        { id: "state", head: "State", cell: ({ committed, epoch }) => html`<span class=${`state state-${committed ? "committed" : "open"}`}><i aria-hidden="true"></i>${committed ? `epoch ${epoch}` : "not yet committed"}</span>` },
      ]} />
    ${more}`;
}

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

function valueOf(value) {
  if (value === null || value === undefined) return html`<span class="note">null</span>`;
  if (MOMENT.test(value)) return html`<span title=${moment(value)}>${clock(value)}</span>`;
  return visible(typeof value === "object" ? JSON.stringify(value) : String(value).slice(0, 500));
}
