// Numbers, sizes, lengths of time and moments for people. Each comes with the exact value for those who want it.

const grouped = new Intl.NumberFormat("en-GB");
const exactly = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 6 });
const NONE = "–";

/** A number with at most three or four digits that count: `9,812`, `12.3 k`, `4.56 M`. */
export function short(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return NONE;
  const size = Math.abs(value);
  if (size >= 1e4) {
    const [scale, letter] = size >= 1e9 ? [1e9, "G"] : size >= 1e6 ? [1e6, "M"] : [1e3, "k"];
    const scaled = value / scale;
    return `${scaled.toFixed(Math.abs(scaled) < 10 ? 2 : Math.abs(scaled) < 100 ? 1 : 0)} ${letter}`;
  }
  if (Number.isInteger(value) || size >= 100) return grouped.format(Math.round(value));
  if (size >= 10) return trim(value.toFixed(1));
  return trim(value.toPrecision(2));
}

/** A number, or a decimal as text, with its thousands set apart and every digit kept. */
export const digits = (value) => String(value).replace(/^(-?)(\d+)/, (_, sign, whole) => sign + whole.replace(/\B(?=(\d{3})+$)/g, ","));

/** All digits: `12,345.678`. */
export const exact = (value) => (value === null || value === undefined ? "unknown" : exactly.format(value));

/** A size in bytes, in powers of 1024 as pipeline files have them. */
export function bytes(value) {
  if (value === null || value === undefined) return NONE;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let scaled = value;
  let unit = 0;
  while (scaled >= 1024 && unit < units.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || scaled >= 100 ? 0 : scaled >= 10 ? 1 : 2;
  return `${trim(scaled.toFixed(digits))} ${units[unit]}`;
}

/** A length of time in seconds: `140 µs`, `5.8 s`, `4 min 10 s`, `2 d 4 h`. */
export function duration(seconds, { whole = false } = {}) {
  if (seconds === null || seconds === undefined) return NONE;
  if (seconds < 0) return `−${duration(-seconds, { whole })}`;
  if (whole && seconds < 59.5) return `${Math.round(seconds)} s`;
  if (seconds === 0) return "0 s";
  if (seconds < 1e-6) return `${trim((seconds * 1e9).toPrecision(2))} ns`;
  if (seconds < 1e-3) return `${trim((seconds * 1e6).toPrecision(2))} µs`;
  if (seconds < 1) return `${trim((seconds * 1e3).toPrecision(3))} ms`;
  if (seconds < 10) return `${trim(seconds.toFixed(1))} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const rounded = Math.round(seconds);
  const parts = [
    [Math.floor(rounded / 86_400), "d"],
    [Math.floor(rounded / 3_600) % 24, "h"],
    [Math.floor(rounded / 60) % 60, "min"],
    [rounded % 60, "s"],
  ];
  const first = parts.findIndex(([many]) => many > 0);
  // Beside a hundred days, hours say nothing.
  const shown = parts[0][0] >= 100 ? 1 : 2;
  return parts.slice(first, first + shown).filter(([many]) => many > 0).map(([many, unit]) => `${many} ${unit}`).join(" ");
}

/** Milliseconds since 1970 of a moment that the host gave as RFC 3339 or as seconds; null if it is none. */
export function millis(moment) {
  if (moment === null || moment === undefined) return null;
  const value = typeof moment === "number" ? moment * 1_000 : Date.parse(moment);
  return Number.isNaN(value) ? null : value;
}

/** The time of day in UTC, with the date if it is another one than today's: `21:57:21`, `11-25 21:57:21`. */
export function clock(moment) {
  const at = millis(moment);
  if (at === null) return NONE;
  const text = new Date(at).toISOString();
  const today = new Date().toISOString().slice(0, 10);
  const time = text.slice(11, 19);
  if (text.slice(0, 10) === today) return time;
  return `${text.slice(0, 4) === today.slice(0, 4) ? text.slice(5, 10) : text.slice(0, 10)} ${time}`;
}

/** The whole moment, for a hover: `2026-11-26 21:57:21.250 UTC`. */
export function moment(value) {
  const at = millis(value);
  return at === null ? "unknown" : new Date(at).toISOString().replace("T", " ").replace(/\.000Z$|Z$/, " UTC");
}

/** The first digits of a digest, enough to tell modules apart. */
export const digest = (text) => String(text ?? "").slice(0, 12);

/** «1 row», «2 rows». */
export const many = (count, one, more = `${one}s`) => `${grouped.format(count)} ${count === 1 ? one : more}`;

/** A share of one as percent. */
export function percent(share) {
  if (share === null || share === undefined || !Number.isFinite(share)) return NONE;
  if (share > 0 && share < 0.001) return "< 0.1 %";
  return `${trim((share * 100).toFixed(share < 0.1 ? 1 : 0))} %`;
}

function trim(text) {
  if (text.includes("e")) return String(Number(text));
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}
