//! Times and days as the text of a record has them.

use sluicegate_model::schema::{TextForm, TimestampEncoding};
use sluicegate_model::time_text;

/// Microseconds since 1970, or why the text is not a time of that encoding.
pub(super) fn moment(
    text: &str,
    encoding: TimestampEncoding,
    form: &TextForm,
) -> Result<i64, &'static str> {
    if let Some(format) = &form.format {
        return format.micros(text, form.zone).ok_or("which is not written as its `format` says");
    }
    if encoding == TimestampEncoding::Local {
        let time = time_text::local(text, form.zone);
        return time.ok_or_else(|| match time_text::days(text) {
            Some(_) => "which is a day: `format = \"%Y-%m-%d\"` takes it for its midnight",
            None => "which is not a time like `2026-11-21T10:00:00`",
        });
    }
    time_text::rfc3339(text).ok_or_else(|| match time_text::local(text, 0) {
        Some(_) => "which has no zone, or not as RFC 3339 writes it: timestamp(local) takes it",
        None => "which is not a time like `2026-11-21T10:00:00Z`",
    })
}

/// Days since 1970, or why the text is not a day.
pub(super) fn day(text: &str, form: &TextForm) -> Result<i32, &'static str> {
    match &form.format {
        Some(format) => format.days(text).ok_or("which is not written as its `format` says"),
        None => time_text::days(text).ok_or("which is not a day like `2026-11-21`"),
    }
}
