//! Rows of text as an aligned table.

use unicode_width::UnicodeWidthStr;

use crate::printable::printable;

/// Columns as wide as their widest cell, two spaces between. Nothing for no rows.
pub(super) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head = head.map(str::to_owned);
    let rows: Vec<[String; N]> = std::iter::once(&head)
        .chain(rows)
        .map(|row| row.each_ref().map(|cell| printable(cell).into_owned()))
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].width()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let line = |row: &[String; N]| {
        let space = |cell: &str, width: usize| " ".repeat(width.saturating_sub(cell.width()));
        let cells = row.iter().zip(widths).map(|(cell, width)| cell.clone() + &space(cell, width));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
