// Why the watermark stands: one sentence that names the partition, made from the status.
import { clock, duration, many, millis } from "./format.js";
import { Term } from "./term.js";
import { html } from "./view.js";

/** Partitions that are closer together than this follow each other: it is chance which of them is the last. */
const APART_MS = 10_000;
/** Records come late by nature: a shorter silence is no news. */
const QUIET_SECONDS = 60;

export const nameOf = ({ stream, partition }) => `${stream}/${partition}`;

/**
 * `{holding, why, apart}` or null if the watermark goes on as it should: `holding` is the partition, `apart` milliseconds
 * between it and the foremost one; `why` is `empty`, `behind`, `old`, or `quiet`, where no partition has anything newer.
 */
export function standing({ phase, input_ended, partitions, lag, rates, watermark_delay_seconds, records }) {
  if (phase !== "running" || input_ended || records?.read === 0) return null;
  const holding = partitions.find(({ holds_watermark }) => holds_watermark);
  const foremost = Math.max(...partitions.map(({ watermark }) => millis(watermark) ?? -Infinity));
  if (holding && Number.isFinite(foremost)) {
    const apart = foremost - (millis(holding.watermark) ?? -Infinity);
    if (apart === Infinity) return { holding, apart, why: holding.lag > 0 ? "behind" : "empty" };
    if (apart >= APART_MS) return { holding, apart, why: holding.lag > 0 ? "behind" : "old" };
  }
  return lag === 0 && rates?.read === 0 && watermark_delay_seconds > QUIET_SECONDS ? { why: "quiet" } : null;
}

/** The sentence, or nothing while the watermark moves. */
export function Standing({ status }) {
  const found = standing(status);
  return found && html`<p class="notice" role="note" aria-label="Watermark">${sentences(found)}</p>`;
}

function sentences({ holding, why, apart }) {
  const watermark = html`<${Term} id="watermark" />`;
  if (why === "quiet") return html`The ${watermark} stands because no partition has newer records. It follows the times in the records, not the clock.`;
  const name = html`<strong>${nameOf(holding)}</strong>`;
  const behind = Number.isFinite(apart) ? `, and it is ${duration(apart / 1_000, { whole: true })} behind the others` : "";
  if (why === "behind") return html`The ${watermark} waits for partition ${name}: ${many(holding.lag, "record")} of it are not read yet${behind}.`;
  const until = html`Set <code>event_time.idle_after</code> and a silent partition is not waited for.`;
  if (why === "empty") return html`The ${watermark} stands because partition ${name} has no record yet. Windows fire when it has one. ${until}`;
  return html`The ${watermark} stands because partition ${name} has nothing newer than <time title=${holding.max_event_time}>${clock(holding.max_event_time ?? holding.watermark)}</time>${behind}. ${until}`;
}
