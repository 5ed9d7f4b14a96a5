//! Sizes in bytes as a pipeline file writes them: `"64MiB"`, `"1GB"`, or a bare number of bytes.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Unit and its number of bytes.
const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// A size as it was written: text with a unit, or a number of bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum SizeText {
    /// Bytes.
    Bytes(u64),
    /// With its unit.
    Text(String),
}

impl From<&str> for SizeText {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl JsonSchema for SizeText {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "size",
            "type": ["string", "integer"],
            "minimum": 0,
            "pattern": "^[0-9]+ ?(B|kB|KB|MB|GB|KiB|MiB|GiB|TiB)$",
        })
    }
}

impl SizeText {
    /// Bytes.
    ///
    /// # Errors
    /// A sentence with the text and an example of what would be right.
    pub(crate) fn parse(&self) -> Result<u64, String> {
        match self {
            Self::Bytes(bytes) => Ok(*bytes),
            Self::Text(text) => parse(text),
        }
    }
}

/// Reads a size with its unit, in bytes.
///
/// # Errors
///
/// What is wrong with the text, and what to write.
pub fn parse(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "`{text}` is not a size: write a whole number with its unit (B, kB, MB, GB, KiB, MiB, GiB or TiB), for example \"64MiB\""
        )
    };
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = trimmed[..digits].parse().map_err(|_| wrong())?;
    let unit = trimmed[digits..].trim_start();
    let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    number.checked_mul(*bytes).ok_or_else(wrong)
}

/// The size as a pipeline file writes it, in the largest binary unit that gives a whole number.
pub(crate) fn show(bytes: u64) -> String {
    UNITS
        .iter()
        .rev()
        .filter(|(unit, _)| unit.ends_with("iB"))
        .find(|(_, length)| bytes >= *length && bytes.is_multiple_of(*length))
        .map_or_else(|| format!("{bytes}B"), |(unit, length)| format!("{}{unit}", bytes / length))
}

#[cfg(test)]
mod tests {
    use super::{SizeText, parse, show};

    #[test]
    fn a_size_is_a_number_with_its_unit_or_of_bytes() {
        assert_eq!(parse("64MiB"), Ok(64 << 20));
        assert_eq!(parse("1 GB"), Ok(1_000_000_000));
        assert_eq!(SizeText::Bytes(17).parse(), Ok(17));
    }

    #[test]
    fn what_is_no_size_is_refused_with_an_example() {
        for text in ["", "64", "MiB", "64 mb", "1.5GiB", "-1B", "99999999999TiB"] {
            assert!(parse(text).unwrap_err().contains("\"64MiB\""), "{text}");
        }
    }

    #[test]
    fn shown_sizes_parse_to_themselves() {
        for bytes in [0, 17, 1 << 10, 64 << 20, 3 << 30, 1_000_000] {
            assert_eq!(parse(&show(bytes)), Ok(bytes));
        }
    }
}
