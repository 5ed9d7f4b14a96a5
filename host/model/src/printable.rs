//! Text from outside as it may stand in a log, in a table or on a terminal; and text in columns there.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

/// The text with control characters escaped: `ESC[2J` becomes `\u{1b}[2J`. What a record, a plugin or a server says
/// can then neither move the cursor, nor forge a line, nor turn the direction of what stands beside it.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_active) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_active(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// The beginning of a text that has more than so many characters, with `…` behind it.
pub fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Whether a terminal or an editor does something with the character other than showing it: control characters, line
/// separators, and those that turn the direction of text.
fn is_active(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
    use super::{Column, line, printable, table};

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

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_everything_else_is_kept() {
        assert_eq!(printable("größe 5 €"), "größe 5 €");
        assert_eq!(printable("\u{1b}[2J\u{9b}a\r\nb"), "\\u{1b}[2J\\u{9b}a\\r\\nb");
        assert_eq!(printable("\u{202e}gpj.exe\u{2069}"), "\\u{202e}gpj.exe\\u{2069}");
    }
}
