// The partitions of a source: where each stands, and which one holds the watermark back.
import { Value } from "./figures.js";
import { exact } from "./format.js";
import { hasEnded } from "./phase.js";
import { Table } from "./table.js";
import { Term } from "./term.js";
import { html } from "./view.js";
import { nameOf, standing } from "./watermark.js";

export function Partitions({ status }) {
  // Which of several is the last by a second changes all the time, and says nothing.
  const holding = standing(status)?.holding ?? null;
  return html`<${Table} name="Partitions" rows=${status.partitions} keyOf=${nameOf} empty="No partition is known yet." noun="partition"
      rowClass=${(row) => (row === holding ? "is-marked" : "")}
      columns=${[
        { id: "name", head: html`<${Term} id="partition">Partition<//>`, cell: nameOf },
        { id: "position", head: html`<${Term} id="position">Position<//>`, number: true, cell: ({ next_offset }) => exact(next_offset) },
        { id: "end", head: html`<${Term} id="end_offset">End<//>`, number: true, cell: ({ end_offset }) => (end_offset === null ? "–" : exact(end_offset)) },
        { id: "lag", head: html`<${Term} id="lag">Lag<//>`, number: true, cell: ({ lag }) => html`<${Value} value=${lag} />` },
        { id: "watermark", head: html`<${Term} id="watermark">Watermark<//>`, cell: ({ watermark }) => html`<${Value} value=${watermark} of="time" />` },
        { id: "newest", head: html`<${Term} id="event_time">Newest event<//>`, cell: ({ max_event_time }) => html`<${Value} value=${max_event_time} of="time" />` },
        { id: "read", head: html`<${Term} id="read">Read<//>`, number: true, cell: ({ records }) => html`<${Value} value=${records.read} />` },
        { id: "dead", head: html`<${Term} id="dead_letter">Dead letters<//>`, number: true, cell: ({ records }) => html`<${Value} value=${records.dead_lettered} />` },
        { id: "state", head: "State", cell: (row) => stateOf(row, row === holding, status.phase) },
      ]} />`;
}

function stateOf({ idle, paused, jumps }, isHolding, phase) {
  const words = [];
  if (isHolding) words.push(html`<span class="tag accent">holds the watermark back</span>`);
  if (idle) words.push(html`<span class="tag"><${Term} id="idle" /></span>`);
  if (paused) words.push(html`<span class="tag warn"><${Term} id="paused" /></span>`);
  if (jumps > 0) words.push(html`<span class="tag warn"><${Term} id="jump">${jumps === 1 ? "1 jump" : `${jumps} jumps`}<//></span>`);
  return words.length ? words : html`<span class="note">${hasEnded(phase) ? "not read any more" : "reads"}</span>`;
}
