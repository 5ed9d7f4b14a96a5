// A chart of the last minutes, drawn by uPlot, with marks where a module was activated, and in words for who cannot see it.
import uPlot from "../vendor/uPlot.js";
import { clock, moment } from "./format.js";
import { Term } from "./term.js";
import { theme } from "./theme.js";
import { coded } from "./said.js";
import { html, useEffect, useRef, useState } from "./view.js";

const HEIGHT = 132;
const DASHES = [[], [4, 3], [1, 3], [8, 3, 1, 3]];
const COLOURS = ["--accent", "--ink-2", "--second", "--third"];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * `series` is `[{label, values}]`, `at` in seconds since 1970, `format` makes text of a value. The charts of a page show one
 * moment together when the pointer is on one of them.
 */
export function Chart({ title, term, at, series, format, marks = [], kind = "time", steps, height = HEIGHT }) {
  const place = useRef(null);
  const plot = useRef(null);
  const current = useRef(null);
  const [cursor, setCursor] = useState(null);
  current.current = { marks, format };
  const shape = `${theme.value} ${kind} ${series.map(({ label }) => label).join("|")}`;

  useEffect(() => {
    const box = place.current;
    const drawn = new uPlot(options(box, current, series, setCursor, { kind, steps, height }), [at, ...series.map(({ values }) => values)], box);
    plot.current = drawn;
    const observer = new ResizeObserver(() => box.isConnected && drawn.setSize({ width: box.clientWidth, height }));
    observer.observe(box);
    return () => {
      observer.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [shape]);

  useEffect(() => {
    plot.current?.setData([at, ...series.map(({ values }) => values)]);
  }, [at, shape]);

  const step = cursor !== null && cursor < at.length ? cursor : at.length - 1;
  return html`<figure class="chart">
    <figcaption>
      <span class="chart-title"><${Term} id=${term}>${title}<//></span>
      <span class="chart-time" aria-hidden="true">${cursor !== null && cursor < at.length && clock(at[step])}</span>
      <span class="chart-legend" aria-hidden="true">
        ${series.map(({ label, values }, place) => html`<span class=${`key key-${place}`}>
          <i></i>${series.length > 1 && html`${label} `}<span class="value">${inLegend(format(lastKnown(values, step)), series)}</span></span>`)}
      </span>
    </figcaption>
    <div class="plot" ref=${place} role="img" aria-label=${inWords(title, at, series, format, marks)}></div>
  </figure>`;
}

/** Three rates fit into one line without their unit, which stands at the axis. */
const inLegend = (text, series) => (series.length > 2 ? text.replace(/\/s$/, "") : text);

function lastKnown(values, step) {
  return values[step] ?? null;
}

/** `Records per second: read now 800, between 790 and 812 since 21:42:10 UTC. Activations: …` */
function inWords(title, at, series, format, marks) {
  if (at.length === 0) return `${title}: nothing is known yet`;
  const lines = series.map(({ label, values }) => {
    const known = values.filter((value) => value !== null && value !== undefined);
    if (known.length === 0) return `${label}: nothing known`;
    const bounds = known.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]);
    return `${label} last ${format(known.at(-1))}, between ${format(bounds[0])} and ${format(bounds[1])}`;
  });
  const swaps = marks.map((mark) => `${inText(mark)} at ${clock(mark.seconds)}`);
  const said = swaps.length ? ` Marks: ${swaps.join("; ")}.` : "";
  return `${title}: ${lines.join("; ")}, since ${clock(at[0])} UTC.${said}`;
}

/** A problem and its end have the same sentence: the word before it tells them apart. */
function inText({ kind, text }) {
  const before = { problem: "problem: ", mended: "over: " }[kind] ?? "";
  return `${before}${text ?? kind}`;
}

function options(place, current, series, setCursor, { kind, steps, height }) {
  const line = colour("--line");
  const axis = {
    stroke: colour("--ink-2"),
    font: "11px system-ui, sans-serif",
    grid: { stroke: line, width: 1 },
    ticks: { show: false },
  };
  const format = (value) => current.current.format(value);
  return {
    width: place.clientWidth || 300,
    height,
    padding: [8, 4, 0, 0],
    legend: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), "Etc/UTC"),
    cursor: {
      sync: kind === "time" ? { key: "minutes" } : undefined,
      y: false,
      drag: { x: false, y: false },
      points: { size: 6 },
    },
    scales: { x: { time: true, range: kind === "time" ? undefined : (plot, least, most) => [least, most + widthOf(plot.data[0])] }, y: { range: (_, least, most) => [Math.min(0, least ?? 0), most > 0 ? most * 1.08 : 1] } },
    axes: [
      { ...axis, size: 22, gap: 2, space: 64, incrs: SECONDS, grid: { show: false }, values: (plot, ticks, _, __, step) => ticks.map((at) => (isAtEdge(plot, at) ? "" : tick(at, step))) },
      { ...axis, size: (_, values) => Math.max(34, 6.4 * Math.max(0, ...(values ?? []).map((text) => text.length)) + 10), gap: 4, space: 36, incrs: steps, values: (_, ticks) => ticks.map(format) },
    ],
    series: [{}, ...series.map((_, order) => ({
      stroke: colour(COLOURS[order % COLOURS.length]),
      fill: kind !== "time" ? colour("--bar") : order === 0 ? colour("--fill") : undefined,
      width: 1.5,
      dash: DASHES[order % DASHES.length],
      points: { show: false },
      paths: kind === "time" ? undefined : bars,
      spanGaps: false,
    }))],
    hooks: {
      setCursor: [(plot) => setCursor(plot.cursor.idx ?? null)],
      draw: [(plot) => drawMarks(plot, current.current.marks)],
    },
  };
}

/** Distances of marks on the axis of time; none is below a second. */
const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 604_800];

/** A window as a bar that begins where the window does. */
const bars = uPlot.paths.bars({ size: [0.8, 160], align: 1 });

/** The least distance of two windows: the last one is as wide. */
function widthOf(starts) {
  let least = Infinity;
  for (let place = 1; place < starts.length; place += 1) {
    const step = starts[place] - starts[place - 1];
    if (step > 0) least = Math.min(least, step);
  }
  return Number.isFinite(least) ? least : 60;
}

/** A label there would meet that of the other axis, or be cut off. */
const isAtEdge = ({ scales: { x } }, at) => {
  const share = (at - x.min) / (x.max - x.min);
  return share < 0.06 || share > 0.94;
};

const tick = (seconds, step) => new Date(seconds * 1_000).toISOString().slice(11, step < 60 ? 19 : 16);

/** A line where a module was activated or the pipeline had a problem; on top of it a filled or an open triangle. */
function drawMarks(plot, marks) {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  for (const mark of marks) {
    const x = Math.round(plot.valToPos(mark.seconds, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const isSwap = mark.kind === "activation";
    ctx.strokeStyle = ctx.fillStyle = colour(isSwap ? "--mark" : mark.kind === "problem" ? "--bad" : "--ink-3");
    ctx.lineWidth = ratio;
    // Each kind has a line of its own: colour alone says nothing to many.
    ctx.setLineDash(isSwap ? [] : mark.kind === "problem" ? [3 * ratio, 3 * ratio] : [ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.beginPath();
    ctx.moveTo(x - 4 * ratio, bbox.top - 6 * ratio);
    ctx.lineTo(x + 4 * ratio, bbox.top - 6 * ratio);
    ctx.lineTo(x, bbox.top);
    ctx.closePath();
    if (isSwap) ctx.fill();
    else ctx.stroke();
  }
  ctx.restore();
}

/** The marks below the charts in words, with the moment on hover. */
export function Marks({ marks, most = 8 }) {
  if (marks.length === 0) return null;
  return html`<ul class="marks" aria-label="Marks">
    ${marks.slice(-most).reverse().map((mark) => html`<li key=${`${mark.kind}${mark.seconds}${mark.stage}`} title=${inText(mark)}>
      <span class=${`mark mark-${mark.kind}`} aria-hidden="true"></span>
      <time title=${moment(mark.at)}>${clock(mark.at)}</time> ${coded(inText(mark))}
    </li>`)}
  </ul>`;
}
