//! Columns by code against the same columns with the values of each row.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::UInt32Type;
use proptest::prelude::*;

use super::{at, column, nullable, plain, templates};
use crate::json::decode::{Decoded, Decoder};
use sluicegate_model::codes::values;
use sluicegate_model::schema::{Column, ColumnType, Schema};
use sluicegate_model::varlen::Varlen;

/// Each text of a dictionary stands in a row, and none before that of a lower code.
fn is_in_order(column: &ArrayRef) -> bool {
    let Some(dictionary) = column.as_dictionary_opt::<UInt32Type>() else { return true };
    let codes = dictionary.keys().values().iter();
    let next = codes.fold(0, |next, code| if *code == next { next + 1 } else { next.max(*code) });
    next as usize == dictionary.values().len()
}

/// What two decoders make of ranges of the records, one by code.
fn both(records: &[String], cuts: &[usize]) -> Vec<(Decoded, Decoded)> {
    let arena: Varlen = records.iter().map(|record| record.as_bytes()).collect();
    let (schema, wanted) = plain::schema();
    let mut one = Decoder::new(&schema, &wanted);
    let mut coded = Decoder::new(&schema, &wanted).with_codes(&schema, &wanted);
    let mut start = 0;
    let ends = cuts.iter().copied().chain([records.len()]);
    let ranges = ends.map(|end| std::mem::replace(&mut start, end)..end);
    let mut decode =
        |range: Range<usize>| (one.decode(&arena, range.clone()), coded.decode(&arena, range));
    ranges.map(&mut decode).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Records of all kinds, good and bad, that come again and again, in ranges of any size.
    #[test]
    fn rows_by_code_say_what_rows_one_by_one_say(
        pool in prop::collection::vec(templates::record(), 1..60),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..900),
        few in any::<bool>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let pool = if few { &pool[..pool.len().min(9)] } else { &pool[..] };
        let records: Vec<String> = picks.iter().map(|pick| pick.get(pool).clone()).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(records.len() + 1)).collect();
        cuts.sort_unstable();
        for (one, coded) in both(&records, &cuts) {
            prop_assert_eq!(one.records, coded.records);
            prop_assert_eq!(one.rejects, coded.rejects);
            prop_assert_eq!(one.reread, coded.reread);
            for (one, coded) in one.batch.columns().iter().zip(coded.batch.columns()) {
                prop_assert_eq!(one, &values(coded));
                prop_assert!(is_in_order(coded));
            }
        }
    }
}

fn columns() -> [Column; 3] {
    [
        column("store", ColumnType::String),
        nullable(at(&["to", "city"], column("city", ColumnType::String))),
        column("n", ColumnType::Int64),
    ]
}

/// A decoder of these columns by code, and what it makes of batches of `rows` records, one after the other.
struct Batches(Decoder);

impl Batches {
    fn new() -> Self {
        let schema = Schema { columns: columns().to_vec() };
        Self(Decoder::new(&schema, &[0, 1, 2]).with_codes(&schema, &[0, 1, 2]))
    }

    fn decode(&mut self, rows: usize, record: impl Fn(usize) -> String) -> [ArrayRef; 2] {
        let records: Vec<String> = (0..rows).map(record).collect();
        let arena: Varlen = records.iter().map(|record| record.as_bytes()).collect();
        let decoded = self.0.decode(&arena, 0..rows);
        assert_eq!(decoded.rejects, []);
        [0, 1].map(|column| ArrayRef::clone(decoded.batch.column(column)))
    }
}

/// How many values the dictionary has; none if it is none.
fn distinct(column: &ArrayRef) -> Option<usize> {
    column.as_dictionary_opt::<UInt32Type>().map(|dictionary| dictionary.values().len())
}

#[test]
fn texts_that_rows_share_are_kept_once_with_nulls_and_escapes() {
    let cities = [r#""Köln""#, r#""\u004b\u00f6ln""#, "null", r#""a city of more than 15 bytes""#];
    let [store, city] = Batches::new().decode(400, |row| {
        let (store, city) = (row % 5, cities[row % 4]);
        format!(r#"{{"store":"store-{store}","to":{{"city":{city}}},"n":{row}}}"#)
    });
    assert_eq!((distinct(&store), distinct(&city)), (Some(5), Some(3)));
    let city = values(&city);
    let city = city.as_string::<i32>();
    assert_eq!((city.value(0), city.value(1)), ("Köln", "Köln"));
    assert!(city.is_null(2));
    assert_eq!(city.value(3), "a city of more than 15 bytes");
}

#[test]
fn a_record_that_is_refused_leaves_no_text_behind() {
    let mut batches = Batches::new();
    let records: Vec<String> = (0..200)
        .map(|row| match row % 10 {
            // Its texts are read before it turns out to be no good.
            9 => format!(r#"{{"store":"bad-{row}","to":{{"city":"bad-{row}"}},"n":x}}"#),
            _ => format!(r#"{{"store":"s","to":{{"city":"c"}},"n":{row}}}"#),
        })
        .collect();
    let arena: Varlen = records.iter().map(|record| record.as_bytes()).collect();
    let decoded = batches.0.decode(&arena, 0..200);
    assert_eq!((decoded.rejects.len(), decoded.batch.num_rows()), (20, 180));
    let found = [0, 1].map(|column| distinct(decoded.batch.column(column)));
    assert_eq!(found, [Some(1), Some(1)]);
}

#[test]
fn codes_are_given_up_wherever_the_row_stands_that_is_one_too_many() {
    // Sixteen texts are shared by 64 rows, and no seventeenth.
    let city = |row: usize| match row {
        40 => "null".to_owned(),
        row => format!("\"city-{}\"", row / 2 % 16),
    };
    let good = |row| format!(r#"{{"store":"s","to":{{"city":{}}},"n":1}}"#, city(row));
    let [_, cities] = Batches::new().decode(64, good);
    assert_eq!(distinct(&cities), None, "the seventeenth is null");
    let cities = cities.as_string::<i32>();
    let found: Vec<_> =
        (0..64).map(|row| cities.is_valid(row).then(|| cities.value(row))).collect();
    let sent = |row: usize| (row != 40).then(|| format!("city-{}", row / 2 % 16));
    assert_eq!(
        found,
        (0..64).map(sent).collect::<Vec<_>>().iter().map(Option::as_deref).collect::<Vec<_>>()
    );
    let [_, cities] = Batches::new().decode(64, |row| good(if row == 40 { 41 } else { row }));
    assert_eq!(distinct(&cities), Some(16), "without it all is well");
    // The record that brings the seventeenth is refused behind it.
    let refused = |row| match row {
        40 => r#"{"store":"s","to":{"city":"another"},"n":x}"#.to_owned(),
        row => format!(r#"{{"store":"s","to":{{"city":{}}},"n":1}}"#, city(row)),
    };
    let records: Vec<String> = (0..64).map(refused).collect();
    let arena: Varlen = records.iter().map(|record| record.as_bytes()).collect();
    let decoded = Batches::new().0.decode(&arena, 0..64);
    let cities = decoded.batch.column(1).as_string::<i32>();
    let expected: Vec<_> = (0..64).filter_map(sent).collect();
    assert_eq!(cities.iter().map(Option::unwrap).collect::<Vec<_>>(), expected);
}

#[test]
fn a_column_whose_rows_share_nothing_has_values_and_is_tried_again_later() {
    let mut batches = Batches::new();
    let own = |row: usize| format!(r#"{{"store":"store-{row}","to":{{"city":"c"}},"n":1}}"#);
    let shared = |_: usize| r#"{"store":"store","to":{"city":"c"},"n":1}"#.to_owned();
    let [store, city] = batches.decode(400, own);
    assert_eq!((distinct(&store), distinct(&city)), (None, Some(1)));
    assert_eq!(values(&store).as_string::<i32>().value(399), "store-399");
    let mut stores =
        |record: &dyn Fn(usize) -> String| ArrayRef::clone(&batches.decode(400, record)[0]);
    assert_eq!(distinct(&stores(&own)), None, "one is left out");
    assert_eq!(
        distinct(&stores(&own)),
        None,
        "it is tried and given up, and then three are left out"
    );
    let tries: Vec<_> = (0..5).map(|_| distinct(&stores(&shared))).collect();
    assert_eq!(tries, [None, None, None, Some(1), Some(1)]);
    assert_eq!(distinct(&stores(&own)), None);
    for _ in 0..2 {
        let [many, _] = batches.decode(801, shared);
        assert_eq!(distinct(&many), Some(1), "what many rows share, few may not");
    }
    let [few, _] = batches.decode(63, shared);
    assert_eq!(distinct(&few), None, "so few are never coded");
}
