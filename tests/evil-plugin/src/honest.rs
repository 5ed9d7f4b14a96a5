//! What an honest plugin would answer; every sin is committed on top of it.

use crate::bindings::exports::sluicegate::plugin::aggregate_rows::{
    EvaluateAnswer, UpdateAnswer, Window,
};
use crate::bindings::exports::sluicegate::plugin::filter_coded_rows::CodedTexts;
use crate::bindings::exports::sluicegate::plugin::filter_rows::FilterAnswer;
use crate::bindings::exports::sluicegate::plugin::map_rows::MapAnswer;
use crate::bindings::sluicegate::plugin::columns::{Batch, Column, Reject, Values, Varlen};

/// The row that is always rejected.
const UNLUCKY: i64 = 13;

/// The column `i`.
pub(crate) fn integers(rows: &Batch) -> &[i64] {
    match &rows.columns[1].values {
        Values::Int64(values) => values,
        other => panic!("column `i` came as {other:?}"),
    }
}

/// Keeps odd numbers.
pub(crate) fn filter(rows: &Batch) -> FilterAnswer {
    let mut keep = vec![0_u8; rows.rows.div_ceil(8) as usize];
    for (row, i) in integers(rows).iter().enumerate() {
        keep[row / 8] |= u8::from(i % 2 != 0) << (row % 8);
    }
    FilterAnswer { keep, rejects: unlucky(rows) }
}

/// Panics unless the text of each row, which comes by code, is that of its number: null for multiples of five.
pub(crate) fn check_texts(rows: &Batch, coded: &[CodedTexts]) {
    let [CodedTexts { input: 6, codes, values: texts }] = coded else { panic!("no texts by code") };
    let column = &rows.columns[6];
    assert!(matches!(&column.values, Values::Utf8(none) if none.offsets == [0]));
    assert_eq!(codes.len(), rows.rows as usize);
    let texts: Vec<&[u8]> = values(texts).collect();
    for (row, i) in integers(rows).iter().enumerate() {
        let bits = column.validity.as_ref();
        let is_null = bits.is_some_and(|bits| bits[row / 8] >> (row % 8) & 1 == 0);
        assert_eq!(is_null, i % 5 == 0, "row {row}");
        let text = texts[codes[row] as usize];
        assert!(is_null || text == format!("«{i}»").as_bytes(), "row {row} is not that of {i}");
    }
}

/// Each row twice if its number is odd, and not at all if it is a multiple of four.
pub(crate) fn map(rows: &Batch) -> MapAnswer {
    let mut source_rows = Vec::new();
    for (row, i) in (0..).zip(integers(rows)) {
        let times = if *i == UNLUCKY || i % 4 == 0 { 0 } else { 1 + i.rem_euclid(2) };
        source_rows.extend((0..times).map(|_| row));
    }
    let columns = rows.columns.iter().map(|column| take(column, &source_rows)).collect();
    let made = u32::try_from(source_rows.len()).expect("few");
    MapAnswer { rows: Batch { rows: made, columns }, source_rows, rejects: unlucky(rows) }
}

/// A hash that depends on the order of the rows.
pub(crate) fn update(rows: &Batch, groups: &[u32], states: &Varlen) -> UpdateAnswer {
    let mut hashes: Vec<i64> = values(states).map(hash).collect();
    for (i, group) in integers(rows).iter().zip(groups) {
        if *i != UNLUCKY {
            let hash = &mut hashes[*group as usize];
            *hash = hash.wrapping_mul(31).wrapping_add(*i);
        }
    }
    UpdateAnswer { states: packed(&hashes), rejects: unlucky(rows) }
}

pub(crate) fn merge(left: &Varlen, right: &Varlen) -> Varlen {
    let sums = values(left).zip(values(right)).map(|(a, b)| hash(a).wrapping_add(hash(b)));
    packed(&sums.collect::<Vec<_>>())
}

/// One row per group.
pub(crate) fn evaluate(windows: &[Window], states: &Varlen) -> EvaluateAnswer {
    let hashes: Vec<i64> = values(states).map(hash).collect();
    let mut names = Varlen { offsets: vec![0], bytes: Vec::new() };
    for window in windows {
        names.bytes.extend_from_slice(format!("{}..{}", window.start, window.end).as_bytes());
        names.offsets.push(u32::try_from(names.bytes.len()).expect("few"));
    }
    let rows = u32::try_from(hashes.len()).expect("few");
    let columns = vec![
        Column { values: Values::Int64(hashes), validity: None },
        Column { values: Values::Utf8(names), validity: None },
    ];
    EvaluateAnswer { rows: Batch { rows, columns }, groups: (0..rows).collect() }
}

fn unlucky(rows: &Batch) -> Vec<Reject> {
    let unlucky = (0..).zip(integers(rows)).filter(|(_, i)| **i == UNLUCKY);
    unlucky.map(|(row, _)| Reject { row, reason: "unlucky".to_owned() }).collect()
}

fn values(states: &Varlen) -> impl Iterator<Item = &[u8]> {
    states.offsets.windows(2).map(|pair| &states.bytes[pair[0] as usize..pair[1] as usize])
}

/// Empty is 0.
pub(crate) fn hash(state: &[u8]) -> i64 {
    state.try_into().map_or(0, i64::from_le_bytes)
}

fn packed(hashes: &[i64]) -> Varlen {
    Varlen {
        offsets: (0..=u32::try_from(hashes.len()).expect("few")).map(|group| 8 * group).collect(),
        bytes: hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect(),
    }
}

fn take(column: &Column, rows: &[u32]) -> Column {
    let at = |row: &u32| *row as usize;
    let pick = |values: &[i64]| rows.iter().map(|row| values[at(row)]).collect();
    let values = match &column.values {
        Values::Boolean(bits) => Values::Boolean(take_bits(bits, rows)),
        Values::Int64(values) => Values::Int64(pick(values)),
        Values::TimestampUs(values) => Values::TimestampUs(pick(values)),
        Values::Decimal(values) => Values::Decimal(pick(values)),
        Values::Float64(values) => {
            Values::Float64(rows.iter().map(|row| values[at(row)]).collect())
        }
        Values::Date(values) => Values::Date(rows.iter().map(|row| values[at(row)]).collect()),
        Values::Utf8(values) => Values::Utf8(take_bytes(values, rows)),
        Values::Binary(values) => Values::Binary(take_bytes(values, rows)),
    };
    Column { values, validity: column.validity.as_ref().map(|bits| take_bits(bits, rows)) }
}

fn take_bits(bits: &[u8], rows: &[u32]) -> Vec<u8> {
    let mut taken = vec![0_u8; rows.len().div_ceil(8)];
    for (to, from) in rows.iter().enumerate() {
        let from = *from as usize;
        taken[to / 8] |= (bits[from / 8] >> (from % 8) & 1) << (to % 8);
    }
    taken
}

fn take_bytes(values: &Varlen, rows: &[u32]) -> Varlen {
    let mut taken = Varlen { offsets: vec![0], bytes: Vec::new() };
    for row in rows {
        let row = *row as usize;
        let value = values.offsets[row] as usize..values.offsets[row + 1] as usize;
        taken.bytes.extend_from_slice(&values.bytes[value]);
        taken.offsets.push(u32::try_from(taken.bytes.len()).expect("few"));
    }
    taken
}
