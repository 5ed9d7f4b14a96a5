// Numbers as the pages show them: a value with its unit, its exact form on hover, and its explanation by its label.
import { bytes, clock, duration, exact, moment, short } from "./format.js";
import { Spark } from "./spark.js";
import { Term } from "./term.js";
import { html } from "./view.js";

/** A value; `of` is `count`, `rate`, `minute`, `bytes`, `seconds` or `time`. */
export function Value({ value, of = "count", unit = "" }) {
  const [text, shownUnit, whole] = parts(value, of, unit);
  return html`<span class="value" title=${whole}>${text}${shownUnit && html`<span class="unit"> ${shownUnit}</span>`}</span>`;
}

function parts(value, of, unit) {
  if (value === null || value === undefined) return ["–", "", "not known"];
  if (of === "time") return [clock(value), "", moment(value)];
  if (of === "seconds") return [...split(duration(value)), `${exact(value)} s`];
  if (of === "bytes") return [...split(bytes(value)), `${exact(value)} bytes`];
  const per = of === "rate" ? "/s" : of === "minute" ? "/min" : "";
  const [number, scale] = split(short(value));
  const name = of === "rate" ? `${unit || "records"} a second` : of === "minute" ? `${unit || "rows"} a minute` : unit;
  const suffix = `${scale}${per}`;
  return [number, per ? suffix : [scale, unit].filter(Boolean).join(" "), `${exact(value)} ${name}`.trim()];
}

/** `4 min 10 s` stays whole, `5.8 s` becomes value and unit. */
function split(text) {
  const words = text.split(" ");
  return words.length === 2 ? words : [text, ""];
}

/** A number with its label above and, if there is one, a short chart below. */
export function Metric({ term, label, value, of, unit, past, tone, note }) {
  return html`<div class=${`metric ${tone ?? ""}`}>
    <dt><${Term} id=${term}>${label}<//></dt>
    <dd>
      <${Value} value=${value} of=${of} unit=${unit} />
      ${note && html`<span class="note">${note}</span>`}
      ${past && html`<${Spark} values=${past} />`}
    </dd>
  </div>`;
}
