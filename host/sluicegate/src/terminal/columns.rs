//! Text for people: cut where it is long, and in columns.

use unicode_width::UnicodeWidthStr;

use sluicegate_model::printable::printable;

/// The beginning of a text that has more than so many characters, with `…` behind it.
pub fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A column of a table of text. Letters of some scripts take two places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// Places of its widest cell.
    pub width: usize,
    /// Its cells stand at its right end, as numbers do.
    pub to_the_right: bool,
}

impl Column {
    /// As wide as the widest of its cells.
    pub fn of<'c>(cells: impl Iterator<Item = &'c str>, to_the_right: bool) -> Self {
        Self { width: cells.map(UnicodeWidthStr::width).max().unwrap_or(0), to_the_right }
    }

    /// A cell with the spaces that it wants.
    pub fn set(&self, cell: &str) -> String {
        let space = " ".repeat(self.width.saturating_sub(cell.width()));
        if self.to_the_right { space + cell } else { cell.to_owned() + &space }
    }
}

/// Cells that were set, as a line without a break and without spaces at its end.
pub fn line(cells: impl Iterator<Item = String>, separator: &str) -> String {
    cells.collect::<Vec<_>>().join(separator).trim_end().to_owned()
}

/// Rows beneath a head, two spaces between columns. Cells are made [`printable`]. Nothing for no rows.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<_> = rows.iter().map(|row| row.to_vec()).collect();
    table_of(&head, &rows)
}

/// The same of columns that are known only when it is made. Each row has a cell for each name of the head.
pub fn table_of(head: &[impl AsRef<str>], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head = head.iter().map(|name| name.as_ref().to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(&head)
        .chain(rows)
        .map(|row: &Vec<String>| row.iter().map(|cell| printable(cell).into_owned()).collect())
        .collect();
    let columns: Vec<Column> = (0..rows[0].len())
        .map(|column| {
            Column::of(rows.iter().map(|row| row.get(column).map_or("", String::as_str)), false)
        })
        .collect();
    let set = |row: &Vec<String>| {
        line(columns.iter().zip(row).map(|(column, cell)| column.set(cell)), "  ") + "\n"
    };
    rows.iter().map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::{Column, line, table};

    #[test]
    fn columns_stand_beneath_each_other_whatever_their_letters_take() {
        let rows = [["a", "1"], ["größe", "22"], ["京都大阪", "3\u{1b}"]]
            .map(|row| row.map(str::to_owned));
        let text = table(["NAME", "N"], &rows);
        assert_eq!(text, "NAME      N\na         1\ngröße     22\n京都大阪  3\\u{1b}\n");
        assert_eq!(table(["NAME"], &[]), "");
        let column = Column::of(["7", "100"].into_iter(), true);
        assert_eq!(line([column.set("7"), column.set("")].into_iter(), " | "), "  7 |");
    }
}
