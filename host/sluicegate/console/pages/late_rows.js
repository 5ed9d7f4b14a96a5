// Late rows: those that came after all their windows had closed, newest first.
import { pipelinePath } from "../parts/api.js";
import { visible } from "../parts/bytes.js";
import { clock, many, moment } from "../parts/format.js";
import { Stale, Waiting } from "../parts/frame.js";
import { usePages } from "../parts/pages_of.js";
import { PipelineHead } from "../parts/pipeline_head.js";
import { toPipeline } from "../parts/route.js";
import { usePoll } from "../parts/poll.js";
import { breakable, said } from "../parts/said.js";
import { NotFound, TakeAlong, useSought } from "../parts/sought.js";
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
  const [text, setText] = useSought();
  const { poll, rows, more, seek, busy } = usePages(pipelinePath(name, `/late-rows?limit=${ROWS_ASKED}`));
  if (poll.data === null) return html`<${Waiting} poll=${poll} what="late rows" />`;
  const needle = text.trim().toLowerCase();
  const has = (row) => textOf(row).includes(needle);
  const found = needle ? rows.filter(has) : rows;
  const elsewhere = html`A record that is not here may be <${TakeAlong} to=${toPipeline(name, "dead-letters")} text=${text}>among the dead letters<//>, or a filter dropped it; nothing of such a record is kept.`;
  const isNumber = (place) => rows.length > 0 && rows.every(({ values }) => values[place] === null || NUMBER.test(values[place]));
  return html`<${Stale} poll=${poll} />
    ${poll.data.note && html`<p class="notice">${said(poll.data.note)}</p>`}
    <div class="tools">
      <label class="search"><span class="unseen">Filter</span><input type="search" aria-label="Filter" placeholder="Text in any column" value=${text} onInput=${(event) => setText(event.target.value)} /></label>
      <span class="note">${total === undefined ? "" : `${many(total, "late row")} since the pipeline's beginning; ${many(found.length, "row")} shown.`}${poll.data.table && html` Kept in <span class="place">${breakable(poll.data.table)}</span>`}</span>
    </div>
    <${Table} name="Late rows" rows=${found} keyOf=${(row) => JSON.stringify([row.epoch, row.window_start, row.watermark, row.values])} noun="late row"
      empty=${rows.length > 0 ? html`<${NotFound} count=${rows.length} noun="late rows" seek=${seek && (() => seek(has))} busy=${busy}>${elsewhere}<//>` : total > 0 ? "Late rows were counted and dropped." : "No row was late."}
      columns=${[
        ...poll.data.columns.map((column, place) => ({ id: `column ${column}`, head: column, number: isNumber(place), cell: ({ values }) => valueOf(values[place]) })),
        { id: "window", head: "Window", term: "window", cell: (row) => html`<span title=${`${moment(row.window_start)} to ${moment(row.window_end)}`}>${clock(row.window_start)} to ${clock(row.window_end)}</span>` },
        { id: "why", head: "Why it was late", term: "late", cell: ({ late_reason }) => late_reason && visible(late_reason) },
        { id: "state", head: "State", cell: ({ committed, epoch }) => html`<span class=${`state state-${committed ? "committed" : "open"}`}><i aria-hidden="true"></i>${committed ? `epoch ${epoch}` : "not yet committed"}</span>` },
      ]} />
    ${more}`;
}

const NUMBER = /^-?\d+(\.\d+)?$/;

/** Of the columns as they are written, and as they are shown. */
const textOf = (row) => [...row.values.map((value) => (value === null ? "null" : MOMENT.test(value) ? `${value} ${clock(value)}` : typeof value === "object" ? JSON.stringify(value) : String(value))), row.late_reason ?? ""].join("\n").toLowerCase();

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

function valueOf(value) {
  if (value === null || value === undefined) return html`<span class="note">null</span>`;
  if (MOMENT.test(value)) return html`<span title=${moment(value)}>${clock(value)}</span>`;
  return visible(typeof value === "object" ? JSON.stringify(value) : String(value).slice(0, 500));
}
