// A table whose columns can be sorted, with bounded rows: what is beyond is counted and shown when asked for.
import { many } from "./format.js";
import { Term, useTip } from "./term.js";
import { html, useMemo, useState } from "./view.js";

/** More rows at once make browsers slow and readers no wiser. */
const ROWS_AT_ONCE = 100;

/**
 * `columns`: `[{id, head, term?, cell(row), sort(row)?, number?, wide?}]`; a column with `sort` gets a button in its head. `keyOf(row)`
 * keeps rows, and the focus in them, where they are over updates.
 */
export function Table({ name, columns, rows, keyOf, order, empty, rowClass, after, noun = "row" }) {
  const [sorted, setSorted] = useState(order ?? null);
  const [shown, setShown] = useState(ROWS_AT_ONCE);
  const ordered = useMemo(() => arrange(rows, columns, sorted), [rows, columns, sorted]);
  const beyond = ordered.length - shown;
  return html`<div class="table-frame" tabindex="0" role="region" aria-label=${`${name}, scrollable`}>
    <table>
      <caption class="unseen">${name}</caption>
      <thead>
        <tr>${columns.map((column) => html`<${Head} key=${column.id} column=${column} sorted=${sorted} onSort=${setSorted} />`)}</tr>
      </thead>
      <tbody>
        ${ordered.slice(0, shown).map((row) => [
          html`<tr key=${keyOf(row)} class=${rowClass?.(row) ?? ""}>
            ${columns.map((column, place) => cell(column, row, place))}
          </tr>`,
          after?.(row, columns.length),
        ])}
        ${ordered.length === 0 && html`<tr><td class="empty" colspan=${columns.length}>${empty}</td></tr>`}
      </tbody>
    </table>
  </div>
  ${beyond > 0 && html`<p class="beyond">
    ${many(beyond, `more ${noun}`, `more ${noun}s`)}.
    <button onClick=${() => setShown(shown + ROWS_AT_ONCE)}>Show ${Math.min(beyond, ROWS_AT_ONCE)} more</button>
  </p>`}`;
}

function cell(column, row, place) {
  const classes = [column.number && "number", column.wide && "wide"].filter(Boolean).join(" ");
  return place === 0 && !column.number
    ? html`<th key=${column.id} scope="row" class=${classes}>${column.cell(row)}</th>`
    : html`<td key=${column.id} class=${classes}>${column.cell(row)}</td>`;
}

function Head({ column, sorted, onSort }) {
  const mine = sorted?.id === column.id ? sorted : null;
  const tip = useTip(column.sort ? column.term : null);
  const direction = mine ? (mine.down ? "descending" : "ascending") : undefined;
  const mark = html`<span aria-hidden="true" class=${`sort-mark ${direction ?? ""}`}></span>`;
  return html`<th scope="col" class=${column.number ? "number" : ""} aria-sort=${direction}>
    ${column.sort
      ? html`<button class="sort" ...${tip} onClick=${() => onSort({ id: column.id, down: mine ? !mine.down : Boolean(column.number) })}>
          ${column.number && mark}${column.head}${!column.number && mark}
        </button>`
      : column.term ? html`<${Term} id=${column.term}>${column.head}<//>` : column.head}
  </th>`;
}

function arrange(rows, columns, sorted) {
  const sort = sorted && columns.find(({ id }) => id === sorted.id)?.sort;
  if (!sort) return rows;
  const sign = sorted.down ? -1 : 1;
  return rows
    .map((row, place) => ({ row, place, value: sort(row) }))
    .sort((one, other) => sign * compare(one.value, other.value) || one.place - other.place)
    .map(({ row }) => row);
}

/** Numbers as numbers, all else as text; what is missing comes last when ascending. */
export function compare(one, other) {
  if (one === other) return 0;
  if (one === null || one === undefined) return 1;
  if (other === null || other === undefined) return -1;
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), "en", { numeric: true });
}
