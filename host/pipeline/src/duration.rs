//! Durations as a pipeline file writes them: `"30s"`, `"1h 30m"`, `"250ms"`.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Longer than any window or delay that makes sense, and far below where i64 microseconds end.
const DURATION_MAX: Duration = Duration::from_secs(3_660 * 86_400);

/// Unit and its length in microseconds. No months or years: their length varies, and a window of a «month» that
/// is 30.44 days long would surprise everybody.
const UNITS: [(&str, u64); 7] = [
    ("us", 1),
    ("µs", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// A duration as it was written. [`parse`] says what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct DurationText(pub(crate) String);

/// A duration as it was written, or `"off"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct DurationOrOff(pub(crate) String);

impl From<&str> for DurationText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<&str> for DurationOrOff {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "duration",
            "type": "string",
            "pattern": "^[0-9]+(us|µs|ms|s|m|h|d)( ?[0-9]+(us|µs|ms|s|m|h|d))*$",
        })
    }
}

impl JsonSchema for DurationOrOff {
    fn schema_name() -> Cow<'static, str> {
        "DurationOrOff".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "duration or \"off\"",
            "type": "string",
            "pattern": "^(off|[0-9]+(us|µs|ms|s|m|h|d)( ?[0-9]+(us|µs|ms|s|m|h|d))*)$",
        })
    }
}

impl DurationOrOff {
    /// None when it is `off`.
    pub(crate) fn parse(&self) -> Result<Option<Duration>, String> {
        if self.0 == "off" { Ok(None) } else { parse(&self.0).map(Some) }
    }
}

/// The duration that `text` writes: whole numbers, each with its unit, added up. Zero needs a unit as well.
///
/// # Errors
/// A sentence with the text and an example of what would be right.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "`{text}` is not a duration: write a whole number with its unit (us, ms, s, m, h or d), for example \"30s\" or \"1h 30m\""
        )
    };
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut micros: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        let unit = &rest[..letters];
        let (_, length) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        micros = number
            .checked_mul(*length)
            .and_then(|part| micros.checked_add(part))
            .unwrap_or(u64::MAX);
        rest = rest[letters..].trim_start();
    }
    let duration = Duration::from_micros(micros);
    if duration > DURATION_MAX {
        return Err(format!(
            "`{text}` is longer than the longest duration, {}",
            show(DURATION_MAX)
        ));
    }
    Ok(duration)
}

/// Microseconds of a duration that [`parse`] gave.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The duration as a pipeline file writes it: `1h 30m`. Zero is `0s`; below a microsecond is cut off.
pub fn show(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let mut parts = Vec::new();
    for (unit, length) in UNITS.iter().rev().filter(|(unit, _)| unit.is_ascii()) {
        if rest >= *length {
            parts.push(format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{parse, show};

    #[test]
    fn numbers_with_units_add_up() {
        assert_eq!(parse("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse("1h 30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(parse("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("250 ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for text in ["", "30", "s", "30 parsecs", "-5s", "1.5h", "1M", "30s,", "٣s"] {
            let error = parse(text).unwrap_err();
            assert!(error.contains("\"30s\""), "{text}: {error}");
        }
    }

    #[test]
    fn absurd_lengths_are_refused_and_not_wrapped_around() {
        assert!(parse("3661d").unwrap_err().contains("3660d"));
        assert!(parse("99999999999999999d").unwrap_err().contains("longer"));
    }

    #[test]
    fn shown_durations_parse_to_themselves() {
        for text in ["0s", "1us", "1m 30s", "250ms", "2d 1h"] {
            assert_eq!(show(parse(text).unwrap()), text);
        }
    }
}
