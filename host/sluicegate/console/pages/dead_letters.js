// Dead letters: how many of each reason, and the newest of them with record, headers and trap.
import { pipelinePath } from "../parts/api.js";
import { Bytes, visible } from "../parts/bytes.js";
import { Value } from "../parts/figures.js";
import { clock, digest, many, moment } from "../parts/format.js";
import { Section, Stale, Waiting } from "../parts/frame.js";
import { standsBy } from "../parts/leadership.js";
import { usePages } from "../parts/pages_of.js";
import { PipelineHead } from "../parts/pipeline_head.js";
import { toPipeline } from "../parts/route.js";
import { usePoll } from "../parts/poll.js";
import { breakable, said } from "../parts/said.js";
import { NotFound, TakeAlong, useSought } from "../parts/sought.js";
import { Table } from "../parts/table.js";
import { Term } from "../parts/term.js";
import { html, useRef, useState } from "../parts/view.js";

const ROWS_ASKED = 100;

export function DeadLetters({ name }) {
  const status = usePoll(pipelinePath(name));
  return html`<${PipelineHead} name=${name} poll=${status} title="Dead letters" />
    <p class="lead">What could not be processed, with the reason and its bytes. Every record that is missing in the results was${" "}
      <${Term} id="filtered" />, <${Term} id="late" />, or is here.</p>
    <${Letters} key=${name} name=${name} counts=${status.data === null || !standsBy(status.data)} />`;
}

/** `counts`: this host works and counts reasons. One that stands by has only the committed tables. */
function Letters({ name, counts }) {
  const [kind, setKind] = useState("");
  const [stage, setStage] = useState("");
  const [text, setText] = useSought();
  const [open, setOpen] = useState(null);
  const query = [kind && `&kind=${encodeURIComponent(kind)}`, stage && `&stage=${encodeURIComponent(stage)}`].filter(Boolean).join("");
  const { poll, rows: newest, more, seek, busy } = usePages(pipelinePath(name, `/dead-letters?limit=${ROWS_ASKED}${query}`));
  // The list stands still while somebody reads one of them.
  const held = useRef(newest);
  if (open === null) held.current = newest;
  const rows = held.current;
  const reasons = poll.data?.reasons ?? [];
  const kinds = options(reasons.map((reason) => reason.kind), kind);
  const stages = options(reasons.map((reason) => reason.stage), stage);
  const needle = text.trim().toLowerCase();
  const has = (row) => textOf(row).includes(needle);
  const found = needle ? rows.filter(has) : rows;
  const elsewhere = html`A record that is not here may be <${TakeAlong} to=${toPipeline(name, "late-rows")} text=${text}>among the late rows<//>, or a filter dropped it; nothing of such a record is kept.`;
  return html`
    <${Waiting} poll=${poll} what="dead letters" />
    <${Stale} poll=${poll} />
    ${poll.data && html`
    ${poll.data.note && html`<p class="notice">${said(poll.data.note)}</p>`}
    ${counts && html`<${Section} title="Reasons" note="Since the pipeline was opened."><${Reasons} reasons=${reasons} onChoose=${(reason) => { setOpen(null); setKind(reason.kind); setStage(reason.stage); setText(sameIn(reason.reason)); }} />
      ${poll.data.other_reasons > 0 && html`<p class="note">${many(poll.data.other_reasons, "more dead letter")} with other reasons.</p>`}<//>`}
    <${Section} title="Newest first" id="newest" note=${poll.data.table && html`Kept in <span class="place">${breakable(poll.data.table)}</span>`}>
      <div class="tools">
        <label>Kind <select aria-label="Kind" value=${kind} onChange=${(event) => { setOpen(null); setKind(event.target.value); }}><option value="">all</option>
          ${kinds.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select></label>
        <label>Stage <select aria-label="Stage" value=${stage} onChange=${(event) => { setOpen(null); setStage(event.target.value); }}><option value="">all</option>
          ${stages.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select></label>
        <label class="search"><span class="unseen">Filter</span><input type="search" aria-label="Filter" placeholder="Text, key or offset of a record" value=${text} onInput=${(event) => setText(event.target.value)} /></label>
        <span class="note push">${many(found.length, "dead letter")} shown${needle && `, of ${rows.length}`}${open !== null && ". The list stands still while one is open"}</span>
      </div>
      <${Table} name="Dead letters" rows=${found} keyOf=${idOf} noun="dead letter" rowClass=${(row) => (idOf(row) === open ? "is-open" : "")}
        empty=${rows.length ? html`<${NotFound} count=${rows.length} noun="dead letters" seek=${seek && open === null && (() => seek(has))} busy=${busy}>${elsewhere}<//>` : "There is none."}
        columns=${columns(open, setOpen)} after=${(row, span) => idOf(row) === open && html`<${Details} key=${`details ${idOf(row)}`} row=${row} span=${span} />`} />
      ${poll.data.left_out > 0 && html`<p class="note">The host left out ${many(poll.data.left_out, "dead letter")} of the open epoch. They are in the table when it is committed.</p>`}
      ${open === null && more}
    <//>`}`;
}

/** Reasons that differ only in words with digits are counted as one: what stands before the first such word is the same in all. */
const sameIn = (reason) => reason.split(/\s*\S*\d/)[0];

const options = (values, chosen) => [...new Set([...values, chosen].filter(Boolean))].sort();

const idOf = (row) => [row.stream, row.partition, row.offset, row.kind, row.stage, row.at, row.key?.text ?? row.key?.hex ?? ""].join("\u0001");

/** A reason as the host gives it: names in backquotes are code, and nothing in it is hidden. */
const quoted = (text) => text.split(/`([^`]+)`/).map((part, place) => (place % 2 ? html`<code>${visible(part)}</code>` : visible(part)));

/** Only the beginning of a record is searched: it may have a megabyte. */
const textOf = (row) => [row.reason, row.kind, row.stage, placeOf(row), row.offset === null ? null : `${row.stream}/${row.partition} @ ${row.offset}`, row.record?.text?.slice(0, 10_000), row.key?.text?.slice(0, 1_000), row.trap]
  .filter(Boolean).join("\n").toLowerCase();

const placeOf = (row) => (row.stream === null || row.stream === undefined ? null : `${row.stream}/${row.partition} at offset ${row.offset}`);

function Reasons({ reasons, onChoose }) {
  return html`<${Table} name="Reasons" rows=${reasons} keyOf=${({ kind, stage, reason }) => `${kind}\u0001${stage}\u0001${reason}`}
    empty="Nothing was dead-lettered." noun="reason" order=${{ id: "count", down: true }} columns=${[
      { id: "reason", head: "Reason", wide: true, cell: (row) => html`<button class="link reason" title="Show these below" onClick=${() => onChoose(row)}>${quoted(row.reason)}</button>` },
      { id: "count", head: "Count", number: true, sort: ({ count }) => count, cell: ({ count }) => html`<${Value} value=${count} />` },
      { id: "kind", head: html`<${Term} id="dead_letter_kind">Kind<//>`, cell: ({ kind }) => kind },
      { id: "stage", head: html`<${Term} id="stage">Stage<//>`, cell: ({ stage }) => stage },
    ]} />`;
}

function columns(open, setOpen) {
  return [
    {
      id: "at", head: "At", cell: (row) => {
        const id = idOf(row);
        const is = id === open;
        return html`<button class="link disclose" aria-expanded=${is ? "true" : "false"} aria-label=${`Details of ${placeOf(row) ?? row.kind}, ${clock(row.at)}`} onClick=${() => setOpen(is ? null : id)}>
          <span class="turn" aria-hidden="true"></span><span title=${moment(row.at)}>${clock(row.at)}</span></button>`;
      },
    },
    { id: "reason", head: "Reason", wide: true, cell: ({ reason }) => quoted(reason) },
    { id: "place", head: html`<${Term} id="offset">Record<//>`, cell: (row) => (placeOf(row) ? html`<span class="fine">${row.stream}/${row.partition} @ ${row.offset}</span>` : html`<span class="note">no record</span>`) },
    { id: "kind", head: html`<${Term} id="dead_letter_kind">Kind<//>`, cell: ({ kind }) => kind },
    { id: "stage", head: html`<${Term} id="stage">Stage<//>`, cell: ({ stage }) => stage },
    { id: "state", head: "State", cell: ({ committed, epoch }) => html`<span class=${`state state-${committed ? "committed" : "open"}`}><i aria-hidden="true"></i>${committed ? `epoch ${epoch}` : "not yet committed"}</span>` },
  ];
}

function Details({ row, span }) {
  const facts = [
    ["Record", html`<${Bytes} data=${row.record} name="Record" />`],
    ["Key", html`<${Bytes} data=${row.key} name="Key" />`],
    ["Headers", row.headers?.length ? html`<dl class="headers">${row.headers.map((header, place) => [html`<dt key=${`n${place}`}>${visible(header.name)}</dt>`, html`<dd key=${`v${place}`}>${header.text === undefined || header.text === null ? html`<code>${header.hex ?? ""}</code>` : visible(header.text)}${header.cut && " …"}</dd>`])}</dl>${row.headers_left_out > 0 && html`<p class="note">${many(row.headers_left_out, "more header")}.</p>`}` : null],
    ["Where", placeOf(row)],
    ["Record's time", row.record_timestamp && moment(row.record_timestamp)],
    ["Rows refused", row.rows],
    ["Module", row.digest && html`<code title=${row.digest}>${digest(row.digest)}</code>`],
    ["Trap", row.trap && html`<pre tabindex="0" role="group" aria-label="Trap">${visible(row.trap)}</pre>`],
    ["Epoch", row.epoch === null || row.epoch === undefined ? null : `${row.epoch}, ${row.committed ? "committed" : "not yet committed"}`],
  ];
  return html`<tr class="details"><td colspan=${span}>
    <dl>${facts.filter(([, fact]) => fact).map(([name, fact]) => [html`<dt key=${name}>${name}</dt>`, html`<dd key=${`${name} value`}>${fact}</dd>`])}</dl>
  </td></tr>`;
}
