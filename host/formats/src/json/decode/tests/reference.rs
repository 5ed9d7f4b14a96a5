//! The decoder against a plain reference: `serde_json` for the structure, `str::parse` and wide integers for values.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    Date32Type, Decimal64Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use proptest::prelude::*;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{at, column, nullable};
use crate::json::decode::Decoder;
use sluicegate_model::schema::{Column, ColumnType, Schema, TimestampEncoding};
use sluicegate_model::varlen::Varlen;

/// The entries of an object as they are written, duplicates included.
#[derive(Debug)]
struct Entries(Vec<(String, Box<RawValue>)>);

impl<'de> serde::Deserialize<'de> for Entries {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Entries;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// One value as text that two decoders can agree on.
fn reference_value(kind: ColumnType, raw: &str) -> Option<String> {
    let text = serde_json::from_str::<String>(raw).ok();
    // However it is written, an integer is one if nothing is behind the point.
    let whole = scaled(raw, 0).filter(|(_, exact)| *exact && text.is_none());
    let integer = whole.and_then(|(value, _)| i64::try_from(value).ok());
    let moment = |digits: u32| {
        let (value, exact) = scaled(raw, digits).filter(|_| text.is_none())?;
        let floor = if exact || value >= 0 && !raw.starts_with('-') { value } else { value - 1 };
        i64::try_from(floor).ok().map(|value| value.to_string())
    };
    match kind {
        ColumnType::Binary => None,
        ColumnType::String => text,
        ColumnType::Json => Some(raw.to_owned()),
        ColumnType::Int64 => integer.map(|value| value.to_string()),
        ColumnType::Float64 => {
            let number: f64 = raw.parse().ok().filter(|_| text.is_none())?;
            Some(float_text(number)).filter(|_| number.is_finite())
        }
        ColumnType::Bool => raw.parse::<bool>().ok().map(|value| value.to_string()),
        ColumnType::Timestamp(TimestampEncoding::UnixMillis) => moment(3),
        ColumnType::Timestamp(TimestampEncoding::UnixMicros) => moment(0),
        ColumnType::Timestamp(TimestampEncoding::UnixSeconds) => moment(6),
        ColumnType::Timestamp(TimestampEncoding::Local) => {
            let text = text?.replacen(' ', "T", 1);
            let time = chrono::NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
            Some(time.and_utc().timestamp_micros().to_string())
        }
        ColumnType::Timestamp(TimestampEncoding::Rfc3339) => {
            let time = chrono::DateTime::parse_from_rfc3339(&text?).ok()?;
            Some(time.timestamp_micros().to_string())
        }
        ColumnType::Date => {
            let text = text.filter(|text| text.len() == 10)?;
            let day = chrono::NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?;
            Some(day.to_epoch_days().to_string())
        }
        ColumnType::Decimal { precision, scale } => {
            let (value, exact) = scaled(text.as_deref().unwrap_or(raw), u32::from(scale))?;
            let fits = value.unsigned_abs() < 10_u128.pow(u32::from(precision));
            (exact && fits).then(|| value.to_string())
        }
    }
}

/// The parser drops the sign of zero.
fn float_text(number: f64) -> String {
    if number == 0.0 { "0".to_owned() } else { number.to_string() }
}

/// A number without exponent, times 10^`scale`, cut towards zero, and whether nothing was cut.
fn scaled(text: &str, scale: u32) -> Option<(i128, bool)> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || whole.len() > 25 {
        return None;
    }
    let kept: String =
        fraction.chars().chain(std::iter::repeat('0')).take(scale as usize).collect();
    let value: i128 = format!("{whole}{kept}").parse().ok()?;
    let exact = fraction.chars().skip(scale as usize).all(|digit| digit == '0');
    Some((sign * value, exact))
}

/// The row of a record by the reference; none if it is to be refused.
fn reference_row(columns: &[Column], record: &str) -> Option<Vec<Option<String>>> {
    let entries: Entries = serde_json::from_str(record).ok()?;
    columns.iter().map(|column| reference_cell(column, column.path().unwrap(), &entries)).collect()
}

fn reference_cell(column: &Column, path: &[String], entries: &Entries) -> Option<Option<String>> {
    let (key, rest) = path.split_first()?;
    let found: Vec<_> = entries.0.iter().filter(|(name, _)| name == key).collect();
    match found.as_slice() {
        [(_, raw)] if raw.get() != "null" && rest.is_empty() => {
            reference_value(column.kind, raw.get()).map(Some)
        }
        [(_, raw)] if raw.get() != "null" => {
            reference_cell(column, rest, &serde_json::from_str(raw.get()).ok()?)
        }
        [] | [_] => column.nullable.then_some(None),
        _ => None,
    }
}

/// A cell of a decoded batch as the reference writes it.
fn cell(column: &Column, array: &dyn Array, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    Some(match column.kind {
        ColumnType::Binary => unreachable!("no JSON has bytes"),
        ColumnType::String | ColumnType::Json => array.as_string::<i32>().value(row).to_owned(),
        ColumnType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        ColumnType::Float64 => float_text(array.as_primitive::<Float64Type>().value(row)),
        ColumnType::Bool => array.as_boolean().value(row).to_string(),
        ColumnType::Timestamp(_) => {
            array.as_primitive::<TimestampMicrosecondType>().value(row).to_string()
        }
        ColumnType::Date => array.as_primitive::<Date32Type>().value(row).to_string(),
        ColumnType::Decimal { precision: 19.., .. } => {
            array.as_primitive::<Decimal128Type>().value(row).to_string()
        }
        ColumnType::Decimal { .. } => array.as_primitive::<Decimal64Type>().value(row).to_string(),
    })
}

fn columns() -> Vec<Column> {
    let decimal = ColumnType::Decimal { precision: 12, scale: 2 };
    let seconds = ColumnType::Timestamp(TimestampEncoding::UnixSeconds);
    vec![
        column("store", ColumnType::String),
        nullable(column("price", decimal)),
        nullable(column("long", ColumnType::Decimal { precision: 26, scale: 7 })),
        nullable(column("n", ColumnType::Int64)),
        nullable(column("f", ColumnType::Float64)),
        nullable(column("ok", ColumnType::Bool)),
        nullable(column("ts", seconds)),
        nullable(column("ms", ColumnType::Timestamp(TimestampEncoding::UnixMillis))),
        nullable(column("us", ColumnType::Timestamp(TimestampEncoding::UnixMicros))),
        nullable(column("at", ColumnType::Timestamp(TimestampEncoding::Rfc3339))),
        nullable(column("naive", ColumnType::Timestamp(TimestampEncoding::Local))),
        nullable(column("day", ColumnType::Date)),
        nullable(column("extra", ColumnType::Json)),
        nullable(at(&["address", "city"], column("city", ColumnType::String))),
        nullable(at(&["address", "geo", "lat"], column("lat", ColumnType::Float64))),
    ]
}

fn json_string() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z0-9-]{0,40}".prop_map(|text| format!("\"{text}\"")),
        1 => any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        1 => Just(r#""\u00fc\ud83d\ude00\n\/""#.to_owned()),
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => any::<i16>().prop_map(|n| n.to_string()),
        1 => any::<i64>().prop_map(|n| n.to_string()),
        1 => any::<u64>().prop_map(|n| n.to_string()),
        3 => "-?(0|[1-9][0-9]{0,12})\\.[0-9]{1,9}",
        1 => "-?[1-9][0-9]{15,24}(\\.[0-9]{1,20})?",
        1 => Just("-0".to_owned()),
    ]
}

/// A value that a column of this type takes, most of the time.
fn fitting(kind: ColumnType) -> BoxedStrategy<String> {
    match kind {
        ColumnType::Binary => unreachable!("no JSON has bytes"),
        ColumnType::String => json_string().boxed(),
        ColumnType::Json => anything(),
        ColumnType::Bool => any::<bool>().prop_map(|value| value.to_string()).boxed(),
        ColumnType::Date => "\"[0-9]{4}-[01][0-9]-[0-3][0-9]\"".boxed(),
        ColumnType::Timestamp(TimestampEncoding::Rfc3339) => {
            "\"20[0-9]{2}-0[1-9]-[0-2][1-9]T[01][0-9]:[0-5][0-9]:00(\\.[0-9]{1,9})?(Z|[+-]0[0-9]:30)\""
                .boxed()
        }
        ColumnType::Timestamp(TimestampEncoding::Local) => {
            "\"20[0-9]{2}-0[1-9]-[0-2][1-9][T ][01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?\""
                .boxed()
        }
        ColumnType::Decimal { .. } => {
            prop_oneof![number(), number().prop_map(|n| format!("\"{n}\""))].boxed()
        }
        _ => number().boxed(),
    }
}

/// Any value, nested ones too.
fn anything() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        json_string(),
        number(),
        Just("null".to_owned()),
        Just("true".to_owned()),
        // No JSON at all.
        Just("01".to_owned()),
        Just("tru".to_owned()),
        Just("\"\\x\"".to_owned()),
        Just("\"\u{1}\"".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|v| format!("[{}]", v.join(","))),
            prop::collection::vec((json_string(), inner), 0..3).prop_map(|entries| {
                let entries: Vec<_> = entries.iter().map(|(k, v)| format!("{k}:{v}")).collect();
                format!("{{{}}}", entries.join(","))
            }),
        ]
    })
    .boxed()
}

fn value_of(kind: ColumnType) -> BoxedStrategy<String> {
    prop_oneof![
        30 => fitting(kind),
        2 => Just("null".to_owned()),
        1 => anything().prop_filter("no exponents", |text| !text.contains('e')),
    ]
    .boxed()
}

fn space() -> impl Strategy<Value = String> {
    prop_oneof![8 => Just(String::new()), 1 => "[ \t\r\n]{1,3}"]
}

/// Entries of an object for the columns whose path begins with `prefix`, some missing, some doubled, some unknown.
fn object(columns: Vec<Column>, depth: usize) -> BoxedStrategy<String> {
    let mut by_key: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for column in columns {
        by_key.entry(column.path().unwrap()[depth].clone()).or_default().push(column);
    }
    let mut parts: Vec<BoxedStrategy<Vec<String>>> = Vec::new();
    for (key, below) in by_key {
        let value = match below.as_slice() {
            [column] if column.path().unwrap().len() == depth + 1 => value_of(column.kind),
            _ => prop_oneof![9 => object(below, depth + 1), 1 => Just("null".to_owned())].boxed(),
        };
        let entry = (space(), value, space())
            .prop_map(move |(before, value, after)| format!("\"{key}\"{before}:{after}{value}"))
            .boxed();
        parts.push(
            prop_oneof![
                1 => Just(Vec::new()),
                40 => entry.clone().prop_map(|entry| vec![entry]),
                1 => (entry.clone(), entry).prop_map(|(one, two)| vec![one, two]),
            ]
            .boxed(),
        );
    }
    let unknown = ("\"x[a-z]{0,3}\"", anything()).prop_map(|(key, value)| format!("{key}:{value}"));
    parts.push(
        prop_oneof![6 => Just(Vec::new()), 1 => prop::collection::vec(unknown, 1..3)].boxed(),
    );
    (parts, space())
        .prop_flat_map(|(entries, space)| {
            (Just(entries.concat()).prop_shuffle(), Just(space)).prop_map(|(entries, space)| {
                format!("{{{space}{}{space}}}", entries.join(&format!("{space},")))
            })
        })
        .boxed()
}

fn record() -> impl Strategy<Value = String> {
    prop_oneof![
        30 => (object(columns(), 0), space()).prop_map(|(record, space)| format!("{record}{space}")),
        1 => object(columns(), 0).prop_map(|record| format!("{record} x")),
        1 => object(columns(), 0).prop_map(|record| record[..record.len() - 1].to_owned()),
        1 => anything(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_decoder_agrees_with_the_reference_however_the_records_are_split(
        records in prop::collection::vec(record(), 1..20),
        cuts in prop::collection::vec(0_usize..20, 0..4),
    ) {
        let columns = columns();
        let values: Varlen = records.iter().map(|record| record.as_bytes()).collect();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(records.len())).collect();
        cuts.extend([0, records.len()]);
        cuts.sort_unstable();
        let wanted: Vec<_> = (0..columns.len()).collect();
        let mut decoder = Decoder::new(&Schema { columns: columns.clone() }, &wanted);
        let mut rows: BTreeMap<u32, Vec<Option<String>>> = BTreeMap::new();
        let mut rejects: BTreeMap<u32, String> = BTreeMap::new();
        for ends in cuts.windows(2) {
            let decoded = decoder.decode(&values, ends[0]..ends[1]);
            let all = (ends[0] as u32..ends[1] as u32).collect();
            for (row, record) in decoded.records.unwrap_or(all).into_iter().enumerate() {
                let cells = decoded.batch.columns().iter().zip(&columns);
                rows.insert(record, cells.map(|(array, column)| cell(column, array, row)).collect());
            }
            for (record, reason) in decoded.rejects {
                prop_assert!(reason.len() < 400, "{reason}");
                rejects.insert(record, reason);
            }
        }
        for (index, record) in records.iter().enumerate() {
            let index = u32::try_from(index).unwrap();
            let expected = reference_row(&columns, record);
            let reason = rejects.get(&index);
            prop_assert_eq!(rows.get(&index), expected.as_ref(), "{} {:?}", record, reason);
            prop_assert_eq!(rows.contains_key(&index), !rejects.contains_key(&index));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(records in prop::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let values: Varlen = records.iter().map(Vec::as_slice).collect();
        let mut decoder = Decoder::new(&Schema { columns: columns() }, &[0, 1, 2, 10]);
        let decoded = decoder.decode(&values, 0..records.len());
        prop_assert_eq!(decoded.batch.num_rows() + decoded.rejects.len(), records.len());
    }
}
