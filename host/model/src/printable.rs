//! Text from outside as it may stand in a log, in a table or on a terminal.

use std::borrow::Cow;

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

/// Whether a terminal or an editor does something with the character other than showing it: control characters, line
/// separators, and those that turn the direction of text.
fn is_active(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_everything_else_is_kept() {
        assert_eq!(printable("größe 5 €"), "größe 5 €");
        assert_eq!(printable("\u{1b}[2J\u{9b}a\r\nb"), "\\u{1b}[2J\\u{9b}a\\r\\nb");
        assert_eq!(printable("\u{202e}gpj.exe\u{2069}"), "\\u{202e}gpj.exe\\u{2069}");
    }
}
