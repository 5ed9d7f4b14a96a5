// What becomes of the records: how many are accepted, which stage drops how many, how many are late or dead-lettered.
import { Value } from "./figures.js";
import { percent } from "./format.js";
import { recent } from "./history.js";
import { toPipeline } from "./route.js";
import { Term } from "./term.js";
import { html } from "./view.js";

/** Steps of two seconds: numbers that one can read before they change. */
const STEPS = 15;

/** Of the last half minute. `past` is that of `useHistory`. */
export function Fates({ status, past }) {
  const read = recent(past.series.read, STEPS);
  const fates = fatesOf(status, past).filter(({ rate }) => rate !== null);
  return html`<ul class="fates" aria-label="What becomes of the records">
    ${fates.map(({ id, label, rate, tone, href }) => {
      const share = read > 0 ? Math.min(1, rate / read) : 0;
      return html`<li key=${id} class=${rate > 0 && tone ? tone : ""}>
        <span class="name">${href ? html`<a href=${href}>${label}</a>` : label}</span>
        <span class="amount"><${Value} value=${rate} of="rate" /></span>
        <span class="share">${percent(share)}</span>
        <span class="bar" aria-hidden="true"><i style=${{ width: `${100 * share}%` }}></i></span>
      </li>`;
    })}
  </ul>`;
}

function fatesOf(status, past) {
  const stages = status.shape?.stages ?? [];
  const last = stages.findIndex(({ kind }) => kind === "aggregate" || kind === "process");
  const droppers = stages.filter((_, order) => last < 0 || order < last);
  const rate = (series) => recent(past.series[series], STEPS);
  return [
    { id: "accepted", label: html`<${Term} id="accepted" />`, rate: rate("accepted") },
    ...droppers.map(({ stage }) => ({ id: `dropped ${stage}`, label: html`<${Term} id="dropped">left out<//> by ${stage}`, rate: recent(past.stages[stage]?.dropped, STEPS) })),
    { id: "late", label: "late", rate: rate("late"), tone: "warn", href: toPipeline(status.name, "late-rows") },
    { id: "dead", label: "dead letters", rate: rate("dead_lettered"), tone: "warn", href: toPipeline(status.name, "dead-letters") },
  ];
}
