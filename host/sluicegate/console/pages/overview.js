// Every pipeline at a glance: phase, problem, and six numbers with the last five minutes.
import { Heading, Waiting } from "../parts/frame.js";
import { Metric } from "../parts/figures.js";
import { many } from "../parts/format.js";
import { COMMIT_STEPS, smooth, useHistory } from "../parts/history.js";
import { Phase, Problem } from "../parts/phase.js";
import { usePoll } from "../parts/poll.js";
import { toPipeline } from "../parts/route.js";
import { html } from "../parts/view.js";

/** Pipelines whose short charts are drawn; of more, the numbers are shown. */
const CHARTS_MAX = 12;

export function Overview() {
  const poll = usePoll("v1/pipelines");
  const lines = poll.data?.pipelines ?? [];
  return html`<div class="page-head"><${Heading} title="Pipelines" />
      ${poll.data && html`<p class="note">${summary(lines)}</p>`}</div>
    <${Waiting} poll=${poll} what="the pipelines" />
    ${poll.data && lines.length === 0 && html`<p>No pipeline runs in this host.</p>`}
    <div class="cards">
      ${lines.map((line, order) => html`<${Card} key=${line.name} line=${line} charts=${order < CHARTS_MAX} />`)}
    </div>`;
}

function summary(lines) {
  const troubled = lines.filter(({ problem, phase }) => problem || phase === "halted").length;
  const all = many(lines.length, "pipeline");
  return troubled ? `${all}, ${troubled} with a problem` : `${all}, none with a problem`;
}

function Card({ line, charts }) {
  return html`<article class="card" aria-label=${line.name}>
    <header>
      <h2><a href=${toPipeline(line.name)}>${line.name}</a></h2>
      <${Phase} phase=${line.phase} />
      <span class="note">${line.epoch === null ? "no epoch committed yet" : `epoch ${line.epoch}`}</span>
    </header>
    <${Problem} line=${line} />
    ${charts ? html`<${WithPast} line=${line} />` : html`<${Numbers} line=${line} />`}
  </article>`;
}

function WithPast({ line }) {
  const past = useHistory(line.name, 4_000);
  return html`<${Numbers} line=${line} past=${past} />`;
}

function Numbers({ line, past }) {
  const series = past?.series ?? {};
  const rates = line.rates ?? {};
  return html`<dl class="metrics">
    <${Metric} term="read" label="Read" value=${rates.read} of="rate" unit="records" past=${series.read && smooth(series.read)} />
    <${Metric} term="written" label="Written" value=${rates.written_rows} of="rate" unit="rows" past=${series.written_rows && smooth(series.written_rows, COMMIT_STEPS)} />
    <${Metric} term="lag" label="Lag" value=${line.lag} unit="records" past=${series.lag} />
    <${Metric} term="watermark_delay" label="Watermark delay" value=${line.watermark_delay_seconds} of="seconds"
      past=${series.watermark_delay_seconds} />
    <${Metric} term="late" label="Late rows" value=${line.late_a_minute} of="minute" past=${series.late && smooth(series.late, 15)}
      tone=${line.late_a_minute > 0 ? "is-warn" : ""} />
    <${Metric} term="dead_letter" label="Dead letters" value=${line.dead_letters_a_minute} of="minute" past=${series.dead_lettered && smooth(series.dead_lettered, 15)}
      tone=${line.dead_letters_a_minute > 0 ? "is-warn" : ""} />
  </dl>`;
}
