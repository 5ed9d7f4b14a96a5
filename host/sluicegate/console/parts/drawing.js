// A pipeline drawn as what it is: source, stages, windows or keys, sinks, with what flows between them. Upright on a phone.
import { toModule, toPipeline } from "./route.js";
import { isLost } from "./connection.js";
import { digest, duration, exact, many, short } from "./format.js";
import { recent } from "./history.js";
import { Value } from "./figures.js";
import { breakable } from "./said.js";
import { Term } from "./term.js";
import { html } from "./view.js";

/** `status` as the host tells it, `past` of `useHistory` or null. */
export function Drawing({ status, past }) {
  const { shape, stages } = status;
  const rates = status.rates ?? {};
  // The file names the stages; what runs in them is known once the pipeline is open.
  const running = new Map(stages.map((stage) => [stage.stage, stage]));
  const lanes = shape.stages.map((stage) => ({ ...stage, ...running.get(stage.stage), past: past?.stages[stage.stage] }));
  const last = lanes.findIndex(({ kind }) => kind === "aggregate" || kind === "process");
  const written = recent(past?.series.written_rows, 15) ?? rates.written_rows;
  return html`<h2 class="unseen">Flow</h2>
  <ol class="drawing" aria-label="Way of a record">
    <${Source} status=${status} source=${shape.source} rates=${rates} />
    ${lanes.map((stage, order) => html`
      <${Arrow} key=${`to ${stage.stage}`} rate=${order === 0 ? rates.read : stage.rates?.rows} unit=${order === 0 ? "records" : "rows"} />
      <li key=${stage.stage} class="step">
        <${Stage} stage=${stage} />
        ${order === last && shape.grouping && html`<${Grouping} status=${status} grouping=${shape.grouping} />`}
        <${Drops} of=${dropsOf(stage, order === last, status)} />
      </li>`)}
    <${Arrow} rate=${written} unit="rows" />
    <${Sinks} sinks=${shape.sinks} status=${status} />
  </ol>`;
}

/** What flows from one step to the next: a line with its rate; a dot moves along it while something flows. */
function Arrow({ rate, unit }) {
  const flows = rate > 0 && !isLost.value;
  return html`<li class="arrow">
    <span class="rate"><${Value} value=${rate} of="rate" unit=${unit} /></span>
    <span class=${`line ${flows ? "flows" : ""}`} aria-hidden="true"><i></i></span>
  </li>`;
}

function Source({ status, source, rates }) {
  const early = (status.dead_letters ?? []).filter(({ first_stage }) => first_stage === "sluicegate");
  const dead = early.reduce((sum, { count }) => sum + count, 0);
  return html`<li class="step">
    <article class="box" aria-label=${`source ${source.name}`}>
      <p class="kind"><${Term} id="source" /> · ${source.type}</p>
      <h3>${source.name}</h3>
      <p class="fine">${source.detail}</p>
      <dl class="facts">
        <dt><${Term} id="lag" /></dt><dd><${Value} value=${status.lag} unit=${source.type === "files" ? "bytes" : "records"} /></dd>
        <dt><${Term} id="watermark_delay">watermark<//></dt>
        <dd>${status.watermark ? html`<${Value} value=${status.watermark_delay_seconds} of="seconds" /> <span class="unit">behind</span>` : "none yet"}</dd>
      </dl>
    </article>
    <${Drops} of=${dead > 0 ? [{ term: "dead_letter", value: dead, text: "dead letters", tone: "warn", href: toPipeline(status.name, "dead-letters") }] : []} />
  </li>`;
}

function Stage({ stage }) {
  const micros = recent(stage.past?.micros_per_row, 15) ?? stage.rates?.micros_per_row ?? null;
  const failed = (stage.traps ?? 0) + (stage.deadlines ?? 0);
  return html`<article class="box" aria-label=${`${stage.kind ?? "stage"} ${stage.stage}`}>
    <p class="kind"><${Term} id=${stage.kind === "process" ? "process" : stage.kind ?? "stage"}>${stage.kind ?? "stage"}<//></p>
    <h3>${stage.stage}</h3>
    ${stage.module ? html`<p class="module">
      <a href=${toModule(stage.module)}>${stage.module}</a>
      ${stage.version && html`<span class="unit"> version ${stage.version}</span>`}
      <code title=${stage.digest}>${digest(stage.digest)}</code>
    </p>` : html`<p class="fine">no module runs here yet</p>`}
    <dl class="facts">
      <dt><${Term} id="cpu_per_row" /></dt>
      <dd title="processor time, all workers together">${micros === null ? "–" : duration(micros / 1e6)}</dd>
      <dt><${Term} id="memory" /></dt><dd><${Value} value=${stage.memory_bytes} of="bytes" /></dd>
      ${failed > 0 && html`<dt><${Term} id="trap">failed calls<//></dt><dd class="bad">${short(failed)}</dd>`}
    </dl>
  </article>`;
}

function Grouping({ status, grouping }) {
  const keyed = grouping.kind === "keyed";
  const keys = grouping.keys?.length ? `by ${grouping.keys.join(", ")}` : keyed ? "one key for all" : "all rows together";
  return html`<article class="box inner" aria-label=${keyed ? "keys" : "windows"}>
    <p class="kind">${keyed ? html`<${Term} id="key">keys<//>` : html`<${Term} id=${grouping.kind in KINDS ? grouping.kind : "window"}>${KINDS[grouping.kind] ?? grouping.kind}<//>`}
      ${!keyed && ` · ${lengths(grouping)}`}</p>
    <h3>${keys}</h3>
    <dl class="facts">
      <dt><${Term} id="group">${keyed ? "keys" : "open groups"}<//></dt><dd><${Value} value=${status.open_groups} /></dd>
      <dt><${Term} id="state" /></dt><dd><${Value} value=${status.state_bytes} of="bytes" /></dd>
    </dl>
    <p class="fine"><a href=${toPipeline(status.name, "windows")}>${keyed ? "See the keys" : "See what is open"}</a></p>
  </article>`;
}

const KINDS = {
  tumbling: "tumbling windows",
  sliding: "sliding windows",
  session: "session windows",
  global: "global window",
};

function lengths({ kind, size_seconds, slide_seconds, gap_seconds, lateness_seconds }) {
  const parts = [];
  if (kind === "session") parts.push(`gap ${duration(gap_seconds)}`);
  else if (size_seconds) parts.push(duration(size_seconds));
  if (kind === "sliding") parts.push(`every ${duration(slide_seconds)}`);
  if (kind === "global") parts.push("all time");
  if (lateness_seconds) parts.push(`kept ${duration(lateness_seconds)} longer`);
  return parts.join(", ");
}

/** What leaves the way at a step, and where it goes. */
function dropsOf(stage, isLast, status) {
  const drops = [];
  const dropped = stage.rates?.dropped ?? null;
  if (!isLast && dropped !== null) drops.push({ term: "dropped", value: dropped, of: "rate", text: stage.kind === "filter" ? "filtered" : "not passed on" });
  if (stage.rejects > 0) drops.push({ term: "reject", value: stage.rejects, text: "rejected", tone: "warn", href: toPipeline(status.name, "dead-letters") });
  if (isLast && stage.kind === "aggregate") {
    drops.push({ term: "late", value: status.late_a_minute ?? null, of: "minute", text: "late", tone: status.late_a_minute > 0 ? "warn" : "", href: toPipeline(status.name, "late-rows") });
  }
  return drops;
}

function Drops({ of: drops }) {
  return html`<ul class="drops">
    ${drops.map((drop) => html`<li key=${drop.text} class=${drop.tone ?? ""}>
      <span aria-hidden="true" class="down"></span>
      <${Value} value=${drop.value} of=${drop.of ?? "count"} unit=${drop.of ? "rows" : ""} />${" "}
      ${drop.href ? html`<a href=${drop.href}>${drop.text}</a>` : html`<${Term} id=${drop.term}>${drop.text}<//>`}
    </li>`)}
  </ul>`;
}

const HOLDS = { results: "results", late_rows: "late rows", dead_letters: "dead letters" };

function Sinks({ sinks, status }) {
  const results = sinks.filter(({ holds }) => holds === "results");
  const others = sinks.filter(({ holds }) => holds !== "results");
  const logs = new Map((status.table_logs ?? []).map((log) => [log.table, log]));
  return html`<li class="step sinks">
    ${results.map((sink) => html`<article key=${sink.sink} class="box" aria-label=${`sink ${sink.sink}`}>
      <p class="kind"><${Term} id="sink" /> · ${sink.type}</p>
      <h3>${sink.sink}</h3>
      ${sink.place && html`<p class="fine place">${breakable(sink.place)}</p>`}
      <${TableLog} log=${logs.get(sink.sink)} />
    </article>`)}
    ${results.length === 0 && html`<p class="fine">No sink takes results.</p>`}
    ${others.length > 0 && html`<ul class="aside">
      ${others.map((sink) => html`<li key=${sink.sink + sink.holds}>
        <a href=${toPipeline(status.name, sink.holds === "late_rows" ? "late-rows" : "dead-letters")}>${HOLDS[sink.holds] ?? sink.holds}</a>
        <span class="fine place"> ${sink.place && breakable(sink.place)}</span>
        ${sink.type !== "parquet" && html`<span class="fine"> · ${sink.type}</span>`}
      </li>`)}
    </ul>`}
  </li>`;
}

/** Of a Delta table: what its readers see. The problem of a log that waits is one of the pipeline, and stands above. */
function TableLog({ log }) {
  if (!log) return null;
  return html`<dl class="facts">
    <dt><${Term} id="table_log">log<//></dt><dd>${log.version === null ? "none yet" : `version ${exact(log.version)}`}</dd>
    <dt>behind</dt><dd><${Value} value=${log.epochs_behind} unit=${log.epochs_behind === 1 ? "epoch" : "epochs"} /></dd>
  </dl>`;
}

/** In words, for the head of the page: «4 partitions → 2 stages → …» is what the drawing is for; this counts. */
export const counted = (status) =>
  `${many(status.partitions.length + (status.partitions_left_out ?? 0), "partition")}, ${many(status.stages.length, "stage")}`;
