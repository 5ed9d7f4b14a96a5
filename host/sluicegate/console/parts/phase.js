// The phase of a pipeline as a mark and a word, and its problem as the host says it.
import { isLost } from "./connection.js";
import { said } from "./said.js";
import { html } from "./view.js";

const TONES = {
  running: "good",
  finished: "good",
  opening: "calm",
  standby: "calm",
  stopped: "calm",
  isolating: "warn",
  paused: "warn",
  backing_off: "warn",
  halted: "bad",
};

const WORDS = { standby: "standing by", backing_off: "backing off" };

/** No more rows come from a pipeline in these phases. */
export const hasEnded = (phase) => ["finished", "stopped", "halted"].includes(phase);

/** The beginning of a sentence about a pipeline in such a phase. */
export const howEnded = (phase) => `The pipeline ${phase === "halted" ? "has halted" : "has ended"}`;

/** Without a connection it is what the host said last, and nobody knows whether it still holds. */
export function Phase({ phase }) {
  const tone = isLost.value ? "calm" : TONES[phase] ?? "calm";
  return html`<span class=${`phase ${tone}`}><span class="shape" aria-hidden="true"></span>${isLost.value && "was "}${WORDS[phase] ?? phase}</span>`;
}

/** And what should be known of a pipeline that does its work. */
export function Problem({ line }) {
  const bad = line.phase === "halted" || line.phase === "backing_off";
  return html`
    ${line.problem && html`<p class=${`notice ${bad ? "bad" : "warn"}`}>${said(line.problem)}</p>`}
    ${line.note && html`<p class="notice">${said(line.note)}</p>`}`;
}
