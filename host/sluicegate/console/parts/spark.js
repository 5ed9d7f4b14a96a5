// A line of the last minutes without axes: beside a number it shows where that came from.
import { html } from "./view.js";

const WIDTH = 120;
const HEIGHT = 24;
// Two seconds a step: the last five minutes, and in the beginning as much as is known, but no less than one.
const STEPS_MAX = 150;
const STEPS_MIN = 30;

/** Of values per step, oldest first; gaps are null. It says nothing that the number beside it and the charts do not. */
export function Spark({ values }) {
  const last = values.slice(-STEPS_MAX);
  const steps = Math.max(STEPS_MIN, last.length);
  const known = last.filter((value) => value !== null && value !== undefined);
  if (known.length < 2) return html`<svg class="spark" aria-hidden="true" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} />`;
  const most = Math.max(...known);
  const least = Math.min(0, ...known);
  const span = most - least || 1;
  const x = (step) => (WIDTH * (step + steps - last.length)) / (steps - 1);
  const y = (value) => HEIGHT - 1.5 - ((HEIGHT - 3) * (value - least)) / span;
  let path = "";
  let open = false;
  // The area below is drawn where the line has no gap.
  const first = known.length === last.length ? 0 : null;
  last.forEach((value, step) => {
    if (value === null || value === undefined) {
      open = false;
      return;
    }
    path += `${open ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
    open = true;
  });
  return html`<svg class="spark" aria-hidden="true" preserveAspectRatio="none" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`}>
    ${first !== null && html`<path class="under" d=${`${path}V${HEIGHT}H${x(first).toFixed(1)}Z`} />`}
    <path d=${path} />
  </svg>`;
}
