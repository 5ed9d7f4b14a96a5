// A pipeline as it stands: the drawing with live rates, the charts of 15 minutes, partitions, commits, activations and limits.
import { Activations } from "../parts/activations.js";
import { pipelinePath } from "../parts/api.js";
import { Chart, Marks } from "../parts/chart.js";
import { Drawing } from "../parts/drawing.js";
import { Value } from "../parts/figures.js";
import { bytes, duration, exact, percent, short } from "../parts/format.js";
import { Section, Stale, Waiting } from "../parts/frame.js";
import { COMMIT_STEPS, smooth, useHistory } from "../parts/history.js";
import { standsBy } from "../parts/leadership.js";
import { Partitions } from "../parts/partitions.js";
import { PipelineHead } from "../parts/pipeline_head.js";
import { usePoll } from "../parts/poll.js";
import { said } from "../parts/said.js";
import { Table } from "../parts/table.js";
import { Term } from "../parts/term.js";
import { html, useMemo } from "../parts/view.js";

export function Pipeline({ name }) {
  const poll = usePoll(pipelinePath(name));
  const past = useHistory(name);
  const status = poll.data;
  return html`<${PipelineHead} name=${name} poll=${poll} />
    <${Waiting} poll=${poll} what="the pipeline" />
    ${status && (standsBy(status) ? html`<p class="lead">Rates, partitions and commits are the leader's. This host follows its commits, and begins with the modules and the state of the last one when it takes over.</p>` : html`
      <${Stale} poll=${poll} />
      ${status.shape && html`<${Drawing} status=${status} past=${past} />`}
      <${Charts} past=${past} order=${status.stages.map(({ stage }) => stage).join(" ")} />
      <${Section} title="Partitions" note=${partitionNote(status)}><${Partitions} status=${status} /><//>
      <div class="columns">
        <${Section} title="Commits"><${Commits} commits=${status.commits ?? []} /><//>
        <${Section} title="Limits"><${Limits} limits=${status.limits ?? []} /><//>
      </div>
      <${Section} title="Activations"><${Activations} pipeline=${name} leadership=${status.leadership} /><//>`)}`;
}

function partitionNote(status) {
  return status.partitions_left_out > 0 ? `${status.partitions_left_out} more are left out.` : null;
}

const perSecond = (value) => (value === null || value === undefined ? "–" : `${short(value)}/s`);
const count = (value) => short(value === null || value === undefined ? value : Math.round(value * 10) / 10);
const time = (value) => (value === null || value === undefined ? "–" : duration(value));
const micros = (value) => (value === null || value === undefined ? "–" : duration(value / 1e6));
const size = (value) => bytes(value === null || value === undefined ? value : Math.round(value));

function Charts({ past, order }) {
  const charts = useMemo(() => (past ? chartsOf(past, order.split(" ")) : []), [past, order]);
  if (!past || past.at.length < 2) {
    return html`<${Section} title="The last 15 minutes"><p class="waiting">The charts begin with the second sample, two seconds after the host has started.</p><//>`;
  }
  if (isStill(past)) {
    return html`<${Section} title="The last 15 minutes"><p class="note spaced">No record has come in, none waits, and nothing is open. The charts begin with the first record.</p><${Marks} marks=${past.marks} /><//>`;
  }
  return html`<${Section} title="The last 15 minutes" note="Rates, groups and state are means over ten seconds.">
    <div class="charts">
      ${charts.map((chart) => html`<${Chart} key=${chart.title} ...${chart} at=${past.at} marks=${past.marks} />`)}
    </div>
    <${Marks} marks=${past.marks} />
    <details class="minutes"><summary>The charts as a table</summary><${Minutes} past=${past} charts=${charts} /></details>
  <//>`;
}

/** Eight empty charts would say the same. */
const isStill = ({ series }) => [series.read, series.lag, series.open_groups].every((values) => values.every((value) => !value));

/** Distances of grid lines: whole numbers where there is no half, and powers of two for bytes. */
const WHOLE = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((first) => first * 10 ** power)).flat();
const POWERS = Array.from({ length: 44 }, (_, power) => 2 ** power);

function chartsOf({ series, stages }, order) {
  // A line of 450 points on 300 pixels is a band: rates and what grows and falls with each window are shown as means.
  const line = (label, values, how = "mean") => ({ label, values: how === "mean" ? smooth(values) : values });
  return [
    { title: "Records", term: "read", format: perSecond, series: [line("read", series.read), line("accepted", series.accepted)] },
    {
      title: "Left out", term: "fate", format: perSecond,
      series: [line("filtered", series.filtered), line("late", series.late), line("dead", series.dead_lettered)],
    },
    { title: "Written rows", term: "written", format: perSecond, series: [line("written", smooth(series.written_rows, COMMIT_STEPS), "as it is")] },
    { title: "Lag", term: "lag", format: count, steps: WHOLE, series: [line("lag", series.lag, "as it is")] },
    { title: "Watermark delay", term: "watermark_delay", format: time, series: [line("delay", series.watermark_delay_seconds, "as it is")] },
    {
      title: "Time per row", term: "cpu_per_row", format: micros,
      series: order.filter((stage) => stages[stage]).slice(0, 4).map((stage) => line(stage, stages[stage].micros_per_row)),
    },
    { title: "Open groups", term: "group", format: count, steps: WHOLE, series: [line("groups", series.open_groups)] },
    { title: "State", term: "state", format: size, steps: POWERS, series: [line("state", series.state_bytes)] },
  ].filter((chart) => chart.series.length > 0);
}

/** The text alternative of the charts: one row a minute, means over it. */
function Minutes({ past, charts }) {
  const columns = charts.flatMap(({ title, series, format }) =>
    series.map(({ label, values }) => ({ head: series.length > 1 ? `${title}: ${label}` : title, values, format })));
  const minutes = [...new Set(past.at.map((seconds) => Math.floor(seconds / 60)))].reverse();
  return html`<${Table} name="The last 15 minutes" rows=${minutes} keyOf=${(minute) => minute} columns=${[
    { id: "minute", head: "Minute", cell: (minute) => new Date(minute * 60_000).toISOString().slice(11, 16) },
    ...columns.map(({ head, values, format }) => ({ id: head, head, number: true, cell: (minute) => format(mean(past.at, values, minute)) })),
  ]} />`;
}

function mean(at, values, minute) {
  const known = values.filter((value, step) => value !== null && value !== undefined && Math.floor(at[step] / 60) === minute);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}

const COMMITS_SHOWN = 12;

function Commits({ commits }) {
  return html`<${Table} name="Commits" rows=${commits.slice(0, COMMITS_SHOWN)} keyOf=${({ epoch }) => epoch} empty="Nothing is committed yet."
    columns=${[
      { id: "epoch", head: html`<${Term} id="epoch">Epoch<//>`, cell: ({ epoch }) => epoch },
      { id: "at", head: "When", cell: ({ at }) => html`<${Value} value=${at} of="time" />` },
      { id: "seconds", head: html`<${Term} id="commit">Took<//>`, number: true, cell: ({ seconds }) => html`<${Value} value=${seconds} of="seconds" />` },
      { id: "rows", head: "Rows", number: true, cell: ({ rows }) => html`<${Value} value=${rows} unit="" />` },
      { id: "files", head: "Files", number: true, cell: ({ files, bytes: written }) => html`<span title=${`${exact(written)} bytes`}>${files}<span class="unit"> · ${bytes(written)}</span></span>` },
      { id: "state", head: html`<${Term} id="state">State<//>`, number: true, cell: ({ state_bytes }) => html`<${Value} value=${state_bytes} of="bytes" />` },
      { id: "activates", head: html`<${Term} id="activation">Activates<//>`, cell: ({ activates }) => (activates?.length ? activates.join(", ") : "") },
    ]} />`;
}

function Limits({ limits }) {
  if (limits.length === 0) return html`<p class="note">The host names no limits.</p>`;
  return html`<ul class="limits" aria-label="Limits">
    ${limits.map(({ name, used, limit, unit, explains }) => {
      const share = limit > 0 && used !== null && used !== undefined ? used / limit : null;
      const show = (value) => (unit === "bytes" ? bytes(value) : unit === "seconds" ? duration(value) : `${short(value)} ${unit}`);
      const near = share > 0.9 ? "bad" : share > 0.7 ? "warn" : "";
      return html`<li key=${name} class=${near}>
        <p><strong>${name}</strong> <span class="amount">${used === null || used === undefined ? "" : `${show(used)} of `}${show(limit)}${share === null ? "" : ` (${percent(share)})`}</span></p>
        <div class="bar" aria-hidden="true"><i style=${{ width: `${Math.min(100, 100 * (share ?? 0))}%` }}></i></div>
        <p class="fine">${said(explains)}</p>
      </li>`;
    })}
  </ul>`;
}
