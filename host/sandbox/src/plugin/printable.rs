//! What a guest says, as the host shows it: cut to a line, and harmless.

/// Bytes of one log line that are kept: a panic message with its place fits.
pub(crate) const LOG_LINE_BYTES_MAX: usize = 1_024;

/// The text cut to [`LOG_LINE_BYTES_MAX`] with control characters escaped, so that a guest cannot forge lines of
/// the log or write to a terminal.
pub(crate) fn printable(text: &str) -> String {
    let kept = &text[..text.floor_char_boundary(LOG_LINE_BYTES_MAX)];
    let mut line = sluicegate_model::printable::printable(kept).into_owned();
    if kept.len() < text.len() {
        line.push('…');
    }
    line
}
