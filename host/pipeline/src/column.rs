//! Columns as `[schema]` writes them: `price = "decimal(18,2)"`, or a table with `type`, `nullable`, `pointer` and how
//! its texts are read.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::suggest;
use sluicegate_model::schema::{ColumnType, DECIMAL_DIGITS_MAX, TimestampEncoding};
use sluicegate_model::time_text::{self, TimeFormat};

/// The column types as they are written.
pub(crate) const COLUMN_TYPES: [&str; 13] = [
    "string",
    "json",
    "int64",
    "float64",
    "bool",
    "date",
    "timestamp(s)",
    "timestamp(ms)",
    "timestamp(us)",
    "timestamp(rfc3339)",
    "timestamp(local)",
    "decimal(18,2)",
    "binary",
];

/// A column as it was written: the table, or the short form as the table that it stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawColumn(pub(crate) RawColumnTable);

/// The long form of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawColumnTable {
    /// Type of the column, and how the JSON writes it.
    ///
    /// * `string`: UTF-8.
    /// * `json`: any value, an object or array too. Its text as it stands is a string for plugins and tables.
    /// * `int64`: an integer, also written as `5.0` or `1e3`.
    /// * `float64`: a number.
    /// * `bool`: `true` or `false`.
    /// * `date`: `"2026-11-21"`.
    /// * `timestamp(s)`, `timestamp(ms)`, `timestamp(us)`: a number since 1970 in that unit, with or without a fraction.
    /// * `timestamp(rfc3339)`: a string with its zone.
    /// * `timestamp(local)`: a string that need not have one: `"2026-11-21T10:00:00"`, `"2026-11-21 10:00:00.5"`. See
    ///   `zone` and `format`.
    /// * `decimal(precision,scale)`: exact. At most 38 digits. Up to 18 are kept in 64 bits, and cost half of what more do.
    /// * `binary`: bytes. For keys and headers only: see `from`.
    #[schemars(with = "TypeText", example = &"decimal(18,2)")]
    pub(crate) r#type: String,
    /// Whether a record may lack the column or have `null` there. Default `false`, because a missing field is
    /// more often a mistake of the sender than meant: such a record is dead-lettered.
    #[serde(default)]
    #[schemars(example = true)]
    pub(crate) nullable: bool,
    /// Where the column stands in the JSON object, as a JSON pointer (RFC 6901). Default: the field of the
    /// column's name at the top. Array elements cannot be pointed at. Several columns may stand at the same place, and
    /// within one of type `json`.
    #[serde(default)]
    #[schemars(example = &"/address/city")]
    pub(crate) pointer: Option<String>,
    /// What of a record beside its JSON the column holds, as `METADATA FROM` does in Flink SQL. A record without key,
    /// timestamp or such a header has `null` there, if the column is `nullable`. If it is not, or if a `string` would
    /// not be UTF-8, the record is dead-lettered. Default: the column stands in the JSON.
    ///
    /// * Kafka, `topic`: a `string`.
    /// * Kafka, `partition` and `offset`: `int64`.
    /// * Kafka, `timestamp`: Kafka's own, `timestamp(ms)`.
    /// * Kafka, `key` and `header:NAME`: `string` or `binary`. Of several headers of one name the last.
    /// * Kafka, `headers`: `json`. All of them in their order, as `[{"name":"trace-id","value":"4f2a"}]`, with `hex` in
    ///   place of `value` where that is not UTF-8.
    /// * Files, `path`: the file as positions name it. Not with `order = "sequential"`.
    /// * Files, `offset`: the byte at which the line begins, unpacked.
    #[serde(default)]
    #[schemars(example = &"header:trace-id")]
    pub(crate) from: Option<String>,
    /// Only `timestamp(local)`: the zone of times that have none, as its distance from UTC: `"UTC"`, `"+02:00"`,
    /// `"-03:30"`. A time that has a zone (`Z`, `UTC`, `+02:00`) keeps it. Default `"UTC"`. Names such as
    /// `Europe/Berlin` are not taken: their rules change with the database of time zones, and the hour that is there
    /// twice a year has no one answer; let the sender write UTC.
    #[serde(default)]
    #[schemars(example = &"+02:00")]
    pub(crate) zone: Option<String>,
    /// Only `timestamp(local)` and `date`: how the text is written, by the letters of `strftime`. The usual ones: `%Y`
    /// year, `%m` month, `%d` day, `%H` hour, `%M` minute, `%S` second, `%.f` a point with a fraction, `%b` Nov, `%z`
    /// +0200. docs.rs/chrono has all of them under `format::strftime`. Spark's `yyyy-MM-dd HH:mm:ss` is
    /// `%Y-%m-%d %H:%M:%S`.
    /// Without a time of day it is midnight. Default: as the type says.
    #[serde(default)]
    #[schemars(example = &"%d.%m.%Y %H:%M:%S")]
    pub(crate) format: Option<String>,
    /// Only `int64`, `float64` and `timestamp(s | ms | us)`: whether numbers are taken from texts (`"5"`), too.
    /// Decimals always are. Default `false`.
    #[serde(default)]
    #[schemars(example = true)]
    pub(crate) quoted: bool,
}

/// Schema of a column type.
struct TypeText;

impl JsonSchema for TypeText {
    fn schema_name() -> Cow<'static, str> {
        "ColumnType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "column type",
            "type": "string",
            "pattern": r"^(string|json|binary|int64|float64|bool|date|timestamp\((s|ms|us|rfc3339|local)\)|decimal\([0-9]+, ?[0-9]+\))$",
        })
    }
}

impl JsonSchema for RawColumn {
    fn schema_name() -> Cow<'static, str> {
        "Column".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "column type or table",
            "anyOf": [TypeText::json_schema(generator), RawColumnTable::json_schema(generator)],
        })
    }
}

impl<'de> Deserialize<'de> for RawColumn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ColumnVisitor)
    }
}

struct ColumnVisitor;

impl<'de> Visitor<'de> for ColumnVisitor {
    type Value = RawColumn;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a column type in quotes or a table with `type` and, if need be, `nullable`, `pointer`, `from`, `zone`, `format` and `quoted`")
    }

    fn visit_str<E>(self, kind: &str) -> Result<RawColumn, E> {
        Ok(RawColumn(RawColumnTable { r#type: kind.to_owned(), ..RawColumnTable::default() }))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawColumn, A::Error> {
        RawColumnTable::deserialize(MapAccessDeserializer::new(map)).map(RawColumn)
    }
}

/// The column type that `text` writes.
///
/// # Errors
/// A sentence with the text and what would be right.
pub(crate) fn parse_type(text: &str) -> Result<ColumnType, String> {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let kind = match compact.as_str() {
        "string" => ColumnType::String,
        "json" => ColumnType::Json,
        "binary" => ColumnType::Binary,
        "int64" => ColumnType::Int64,
        "float64" => ColumnType::Float64,
        "bool" => ColumnType::Bool,
        "date" => ColumnType::Date,
        "timestamp(s)" => ColumnType::Timestamp(TimestampEncoding::UnixSeconds),
        "timestamp(ms)" => ColumnType::Timestamp(TimestampEncoding::UnixMillis),
        "timestamp(us)" => ColumnType::Timestamp(TimestampEncoding::UnixMicros),
        "timestamp(rfc3339)" => ColumnType::Timestamp(TimestampEncoding::Rfc3339),
        "timestamp(local)" => ColumnType::Timestamp(TimestampEncoding::Local),
        decimal if decimal.starts_with("decimal") => return parse_decimal(decimal),
        _ => return Err(unknown_type(text)),
    };
    Ok(kind)
}

fn parse_decimal(text: &str) -> Result<ColumnType, String> {
    let wrong = || {
        format!(
            "`{text}` is not a decimal type: write decimal(precision,scale) with 1 <= precision <= {DECIMAL_DIGITS_MAX} and scale <= precision, for example \"decimal(18,2)\""
        )
    };
    let inner = text.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')'));
    let (precision, scale) = inner.and_then(|inner| inner.split_once(',')).ok_or_else(wrong)?;
    let precision: u8 = precision.parse().map_err(|_| wrong())?;
    let scale: u8 = scale.parse().map_err(|_| wrong())?;
    if (1..=DECIMAL_DIGITS_MAX).contains(&precision) && scale <= precision {
        Ok(ColumnType::Decimal { precision, scale })
    } else {
        Err(wrong())
    }
}

/// Types of other systems that people write out of habit, and ours.
const FOREIGN_TYPES: [(&str, &str); 22] = [
    ("struct", "json"),
    ("array", "json"),
    ("object", "json"),
    ("map", "json"),
    ("text", "string"),
    ("str", "string"),
    ("varchar", "string"),
    ("utf8", "string"),
    ("int", "int64"),
    ("integer", "int64"),
    ("long", "int64"),
    ("bigint", "int64"),
    ("i64", "int64"),
    ("float", "float64"),
    ("double", "float64"),
    ("number", "float64"),
    ("f64", "float64"),
    ("boolean", "bool"),
    ("datetime", "timestamp(local)"),
    ("timestamp_ntz", "timestamp(local)"),
    ("timestamptz", "timestamp(rfc3339)"),
    ("timestamp", "timestamp(s)"),
];

fn unknown_type(text: &str) -> String {
    let lower = text.to_lowercase();
    let foreign = FOREIGN_TYPES.iter().find(|(name, _)| *name == lower).map(|(_, ours)| *ours);
    let hint = foreign.or_else(|| suggest::nearest(&lower, COLUMN_TYPES));
    let hint = hint.map(|ours| format!("; did you mean \"{ours}\"?")).unwrap_or_default();
    format!(
        "`{text}` is not a column type: string, json, int64, float64, bool, date, timestamp(s | ms | us | rfc3339 | local) or decimal(precision,scale){hint}"
    )
}

/// Seconds that a zone is ahead of UTC.
///
/// # Errors
/// A sentence with the text and what would be right.
pub(crate) fn parse_zone(text: &str) -> Result<i32, String> {
    time_text::offset(text).ok_or_else(|| {
        format!(
            "`{text}` is not a distance from UTC: write \"UTC\", \"+02:00\" or \"-03:30\" (names of zones are not taken; let the sender write UTC)"
        )
    })
}

/// How times or days are written.
///
/// # Errors
/// A sentence with the format and what would be right.
pub(crate) fn parse_format(text: &str) -> Result<TimeFormat, String> {
    TimeFormat::new(text).map_err(|what| format!("`{text}` {what}"))
}

/// The keys that a JSON pointer names, outermost first.
///
/// # Errors
/// A sentence with the pointer and what would be right.
pub(crate) fn parse_pointer(pointer: &str) -> Result<Vec<String>, String> {
    let wrong = |what: &str| {
        format!("`{pointer}` {what}: write a JSON pointer (RFC 6901) such as \"/address/city\"")
    };
    let rest = pointer.strip_prefix('/').ok_or_else(|| wrong("does not begin with `/`"))?;
    let mut keys = Vec::new();
    for part in rest.split('/') {
        if part.is_empty() {
            return Err(wrong("has an empty key"));
        }
        let escapes = part
            .match_indices('~')
            .all(|(at, _)| matches!(part.as_bytes().get(at + 1), Some(b'0' | b'1')));
        if !escapes {
            return Err(wrong("has a `~` that is neither `~0` (~) nor `~1` (/)"));
        }
        keys.push(part.replace("~1", "/").replace("~0", "~"));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::{COLUMN_TYPES, parse_format, parse_pointer, parse_type, parse_zone};
    use sluicegate_model::schema::ColumnType;

    #[test]
    fn every_listed_type_is_shown_as_it_is_written() {
        for text in COLUMN_TYPES {
            assert_eq!(parse_type(text).unwrap().to_string(), text);
        }
        let spaced = parse_type("decimal(10, 4)");
        assert_eq!(spaced, Ok(ColumnType::Decimal { precision: 10, scale: 4 }));
    }

    #[test]
    fn unknown_types_come_with_the_likely_one() {
        assert!(parse_type("integer").unwrap_err().ends_with("did you mean \"int64\"?"));
        assert!(parse_type("sting").unwrap_err().ends_with("did you mean \"string\"?"));
        assert!(parse_type("timestamp").unwrap_err().ends_with("did you mean \"timestamp(s)\"?"));
        assert!(parse_type("uuid").unwrap_err().contains("is not a column type"));
    }

    #[test]
    fn decimals_have_their_bounds() {
        for text in
            ["decimal", "decimal()", "decimal(18)", "decimal(0,0)", "decimal(39,2)", "decimal(4,5)"]
        {
            assert!(parse_type(text).unwrap_err().contains("\"decimal(18,2)\""), "{text}");
        }
    }

    #[test]
    fn zones_are_distances_from_utc() {
        for (text, seconds) in
            [("UTC", 0), ("Z", 0), ("+02:00", 7200), ("-0330", -12_600), ("+14", 50_400)]
        {
            assert_eq!(parse_zone(text), Ok(seconds), "{text}");
        }
        for text in ["Europe/Berlin", "CET", "02:00", "+24:00", "+2", "+02:60", "", "+02:00 "] {
            assert!(parse_zone(text).unwrap_err().contains("is not a distance from UTC"), "{text}");
        }
    }

    #[test]
    fn a_format_tells_the_day() {
        for text in
            ["%Y-%m-%d %H:%M:%S", "%d/%b/%Y", "%d.%m.%y %H:%M", "%Y-%j", "%a, %d %b %Y %T %z"]
        {
            assert!(parse_format(text).is_ok(), "{text}: {:?}", parse_format(text));
        }
        for text in ["%H:%M:%S", "%d.%m. %H:%M", "%Y-%m", "%Q", "%"] {
            assert!(parse_format(text).is_err(), "{text}");
        }
        let spark = parse_format("yyyy-MM-dd HH:mm:ss").unwrap_err();
        assert!(spark.contains("write \"%Y-%m-%d %H:%M:%S\""), "{spark}");
    }

    #[test]
    fn pointers_are_split_and_unescaped() {
        assert_eq!(parse_pointer("/a/b").unwrap(), ["a", "b"]);
        assert_eq!(parse_pointer("/a~1b/m~0n").unwrap(), ["a/b", "m~n"]);
        assert!(parse_pointer("a/b").unwrap_err().contains("begin with `/`"));
        assert!(parse_pointer("/a//b").unwrap_err().contains("empty key"));
        assert!(parse_pointer("/a~2").unwrap_err().contains("`~`"));
    }
}
