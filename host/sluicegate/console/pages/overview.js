// Every pipeline at a glance: phase, problem, and six numbers with the last minutes. Of one or two there is room for more.
import { pipelinePath } from "../parts/api.js";
import { Chart, Marks } from "../parts/chart.js";
import { Fates } from "../parts/fates.js";
import { Heading, Waiting } from "../parts/frame.js";
import { Metric } from "../parts/figures.js";
import { many, short } from "../parts/format.js";
import { COMMIT_STEPS, smooth, useHistory } from "../parts/history.js";
import { Course, StandsBy, standsBy } from "../parts/leadership.js";
import { Phase, Problem } from "../parts/phase.js";
import { PAGES } from "../parts/pipeline_head.js";
import { usePoll } from "../parts/poll.js";
import { toPipeline } from "../parts/route.js";
import { Term } from "../parts/term.js";
import { html, useMemo } from "../parts/view.js";
import { Standing } from "../parts/watermark.js";

/** Pipelines whose short charts are drawn; of more, the numbers are shown. */
const CHARTS_MAX = 12;
/** Pipelines that are shown with large charts and with what becomes of their records. */
const LARGE_MAX = 2;
/** A watermark further behind than this is looked into. */
const DELAY_SECONDS = 30;

export function Overview() {
  const poll = usePoll("v1/pipelines");
  const lines = poll.data?.pipelines ?? [];
  return html`<div class="page-head"><${Heading} title="Pipelines" />
      ${poll.data && html`<p class="note">${summary(lines)}</p>`}</div>
    <${Waiting} poll=${poll} what="the pipelines" />
    ${poll.data && lines.length === 0 && html`<p>No pipeline runs in this host.</p>`}
    <div class="cards">
      ${lines.map((line, order) => html`<${Card} key=${line.name} line=${line} charts=${order < CHARTS_MAX} isLarge=${lines.length <= LARGE_MAX} />`)}
    </div>`;
}

function summary(lines) {
  const troubled = lines.filter(({ problem, phase }) => problem || phase === "halted").length;
  const all = many(lines.length, "pipeline");
  return troubled ? `${all}, ${troubled} with a problem` : `${all}, none with a problem`;
}

function Card({ line, charts, isLarge }) {
  const mayStand = line.phase === "running" && line.records.read > 0 && (line.watermark_delay_seconds ?? Infinity) > DELAY_SECONDS;
  return html`<article class="card" aria-label=${line.name}>
    <header>
      <h2><a href=${toPipeline(line.name)}>${line.name}</a></h2>
      <${Phase} phase=${line.phase} />
      <${Course} line=${line} />
      <nav class="ways" aria-label=${`Pages of ${line.name}`}>${PAGES.map(([page, label]) => html`<a key=${page} href=${toPipeline(line.name, page)}>${label}</a>`)}</nav>
    </header>
    <${StandsBy} line=${line} route=${toPipeline(line.name).slice(1)} />
    <${Problem} line=${line} />
    ${mayStand && html`<${MayStand} name=${line.name} />`}
    ${standsBy(line) ? null : charts ? html`<${WithPast} line=${line} isLarge=${isLarge} />` : html`<${Numbers} line=${line} />`}
  </article>`;
}

/** Only the whole status knows the partitions. */
function MayStand({ name }) {
  const { data } = usePoll(pipelinePath(name), 5_000);
  return data && html`<${Standing} status=${data} />`;
}

function WithPast({ line, isLarge }) {
  const past = useHistory(line.name, isLarge ? 2_000 : 4_000);
  const hasFlown = past?.series.read.some((rate) => rate > 0);
  return html`<${Numbers} line=${line} past=${past} />
    ${isLarge && hasFlown && html`<${Large} line=${line} past=${past} />`}`;
}

const perSecond = (value) => (value === null || value === undefined ? "–" : `${short(value)}/s`);

function Large({ line, past }) {
  const { data } = usePoll(pipelinePath(line.name), 5_000);
  const [records, out] = useMemo(() => {
    const smoothed = (label, name) => ({ label, values: smooth(past.series[name]) });
    return [
      [smoothed("read", "read"), smoothed("accepted", "accepted")],
      [smoothed("filtered", "filtered"), smoothed("late", "late"), smoothed("dead", "dead_lettered")],
    ];
  }, [past]);
  return html`<div class="large">
    <${Chart} title="Records" term="read" format=${perSecond} series=${records} at=${past.at} marks=${past.marks} height=${220} />
    <${Chart} title="Left out" term="fate" format=${perSecond} series=${out} at=${past.at} marks=${past.marks} height=${220} />
    <div>
      <h3><${Term} id="fate">What becomes of the records<//></h3>
      ${data && html`<${Fates} status=${data} past=${past} />`}
      <${Marks} marks=${past.marks} most=${3} />
    </div>
  </div>`;
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
    <${Metric} term="dead_letter" label="Dead letters" value=${line.dead_letters_a_minute} of="minute" past=${series.dead_letters && smooth(series.dead_letters, 15)}
      tone=${line.dead_letters_a_minute > 0 ? "is-warn" : ""} />
  </dl>`;
}
