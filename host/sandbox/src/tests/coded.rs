//! Filters that take texts by code answer as they do to the same rows without, and as filters of before.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, Decimal64Array, DictionaryArray, StringArray};
use arrow::datatypes::{DataType, Field, Schema, UInt32Type};
use arrow::record_batch::RecordBatch;
use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::{
    AnyRunner, LIMITS, engine, evil_module, fit_as, limits, overwritten, rows, runner_of,
    runner_with,
};
use crate::module::loaded::LoadedModule;
use crate::plugin::Plugin;
use sluicegate_model::call::CallLimits;
use sluicegate_model::module::PluginKind::Filter;
use sluicegate_model::schema::decimal_type;

const OLD: &[u8] = include_bytes!("older/valid-sale-0.1.2.wasm");

/// `valid-sale` as it was built for 0.1.2, which has no codes, and as it is today.
fn filters() -> &'static [Plugin; 2] {
    static FILTERS: OnceLock<[Plugin; 2]> = OnceLock::new();
    FILTERS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins");
        let today = std::fs::read(folder.join("valid-sale.wasm"));
        [OLD, &today.expect("`cargo xtask plugins` was run")].map(|module| {
            let module = engine().load("valid", module, &limits()).unwrap();
            let schema = Schema::new(vec![
                Field::new("store", DataType::Utf8, false),
                Field::new("price", decimal_type(18, 2), false),
            ]);
            fit_as(Filter, &[], &module, &Arc::new(schema)).unwrap().plugin
        })
    })
}

fn sales(sales: &[(&str, i64)]) -> RecordBatch {
    let stores = StringArray::from_iter_values(sales.iter().map(|(store, _)| store));
    let cents = Decimal64Array::from_iter_values(sales.iter().map(|(_, cents)| *cents));
    let cents = cents.with_precision_and_scale(18, 2).unwrap();
    RecordBatch::try_from_iter([
        ("store", Arc::new(stores) as ArrayRef),
        ("price", Arc::new(cents) as ArrayRef),
    ])
    .unwrap()
}

/// The same rows with a column of texts as a dictionary, whose last value has no row.
fn coded(rows: &RecordBatch, column: usize) -> RecordBatch {
    let texts = rows.column(column).as_string::<i32>();
    let mut values: Vec<&str> = texts.iter().flatten().collect();
    values.push("nobody's");
    values.sort_unstable();
    values.dedup();
    let code = |text: Option<&str>| text.map(|text| values.binary_search(&text).unwrap() as u32);
    let keys = texts.iter().map(code).collect();
    let values: ArrayRef = Arc::new(StringArray::from(values.clone()));
    let dictionary: ArrayRef = Arc::new(DictionaryArray::<UInt32Type>::new(keys, values));
    let schema = rows.schema();
    let fields = schema.fields().iter().enumerate().map(|(index, field)| {
        let is_it = index == column;
        let data_type = if is_it { dictionary.data_type() } else { field.data_type() };
        field.as_ref().clone().with_data_type(data_type.clone())
    });
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let mut columns = rows.columns().to_vec();
    columns[column] = dictionary;
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn any_sale() -> impl Strategy<Value = (&'static str, i64)> {
    (
        prop_oneof![
            Just("store-1"),
            Just("store-22"),
            Just("kiosk-1"),
            Just(""),
            Just("store-"),
            Just("stöße-1"),
        ],
        -1..3_i64,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_filter_answers_the_same_to_texts_by_code_and_as_before(
        all in prop::collection::vec(prop::collection::vec(any_sale(), 0..300), 1..4),
        rows_max in 1..300_usize,
        cut in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let limits = CallLimits { rows: rows_max, ..LIMITS };
        let [old, new] = filters();
        let mut runners = [old, old, new, new].map(|filter| AnyRunner::new(filter, &limits));
        // Several batches for one instance: what it remembers of one is nothing to the next.
        for sold in &all {
            let whole = sales(sold);
            let (a, b) = (cut.0.index(sold.len() + 1), cut.1.index(sold.len() + 1));
            let slice = |rows: &RecordBatch| rows.slice(a.min(b), a.abs_diff(b));
            let (rows, dictionary) = (slice(&whole), slice(&coded(&whole, 0)));
            let expected = sold[a.min(b)..a.max(b)].iter();
            let expected: Vec<bool> =
                expected.map(|(store, cents)| *cents > 0 && store.starts_with("store-")).collect();
            for (runner, rows) in runners.iter_mut().zip([&rows, &dictionary, &rows, &dictionary]) {
                let outcome = runner.filter(rows);
                prop_assert!(outcome.refusals.is_empty());
                prop_assert_eq!(outcome.keep.iter().collect::<Vec<_>>(), expected.clone());
            }
        }
    }
}

#[test]
fn only_texts_that_a_plugin_wants_come_by_code() {
    let [old, new] = filters();
    assert_eq!((old.code.by_code(), new.code.by_code()), (&[][..], &[0][..]));
}

/// The guest compares each text with what it should be by its row, and traps over any other.
#[test]
fn texts_by_code_are_those_of_their_rows_and_nulls_are_nulls() {
    let integers: Vec<i64> = (1..200).filter(|i| *i != 13).map(|i| i % 40 + 100).collect();
    let rows = rows(&integers);
    let dictionary = coded(&rows, 6);
    assert!(rows.column(6).null_count() > 0);
    for (start, length) in [(0, integers.len()), (3, 60), (8, 1), (0, 0)] {
        let mut runner = runner_of(Filter, "check-texts");
        let outcome = runner.filter(&dictionary.slice(start, length));
        assert_eq!(outcome.refusals, vec![]);
        let plain = runner_of(Filter, "").filter(&rows.slice(start, length));
        assert_eq!(outcome.keep, plain.keep);
    }
    // The check itself: texts of other rows are found out.
    let mut columns = dictionary.columns().to_vec();
    columns[6] = columns[6].slice(1, 20);
    let columns = columns.iter().map(|column| column.slice(0, 20)).collect();
    let shifted = RecordBatch::try_new(dictionary.schema(), columns).unwrap();
    let outcome = runner_of(Filter, "check-texts").filter(&shifted);
    assert!(!outcome.refusals.is_empty());
}

/// The values go along with every call: of a large dictionary, calls of a few rows would consist of nothing else.
#[test]
fn a_dictionary_too_large_for_calls_becomes_plain_rows() {
    let rows = rows(&(1..=64).map(|i| if i == 13 { 1 } else { i }).collect::<Vec<_>>());
    let dictionary = coded(&rows, 6);
    let small = CallLimits { bytes: 2_000, ..LIMITS };
    let [mut plain, mut by_code] = [(); 2].map(|()| runner_with(Filter, "", &small));
    let expected = plain.filter(&rows);
    let outcome = by_code.filter(&dictionary);
    assert_eq!((outcome.keep, outcome.refusals), (expected.keep, expected.refusals));
    assert_eq!(by_code.stats().calls, plain.stats().calls);
}

#[test]
fn lies_and_traps_over_texts_by_code_are_found_out() {
    let refused = |sin: &str, i: i64, text: Expect| {
        let dictionary = coded(&rows(&[1, i, 3]), 6);
        let outcome = runner_of(Filter, sin).filter(&dictionary);
        text.assert_eq(&format!("{} of 3: {}", outcome.refusals.len(), outcome.refusals[0].reason));
    };
    refused(
        "short-keep",
        2,
        expect!["3 of 3: answer breaks the contract: bitmap `keep` has 0 bytes, 1 rows have 1"],
    );
    refused(
        "trap",
        -7,
        expect![
            "1 of 3: trap: wasm `unreachable` instruction executed; the plugin's last error: panicked: no way to deal with -7"
        ],
    );
}

#[test]
fn a_plugin_wants_texts_of_its_own_by_code_each_once_and_nothing_else() {
    let refused = |word: &str| {
        let module = overwritten(evil_module(), "evil-kind:aggregate.....", word);
        let loaded: Result<LoadedModule, _> = engine().load("evil", &module, &limits());
        loaded.unwrap_err().to_string()
    };
    expect!["plugin `evil`: its description makes no sense: it wants input 99 by code, and has 8"]
        .assert_eq(&refused("evil-kind:filter.....w.."));
    expect![
        "plugin `evil`: its description makes no sense: it wants `i` by code, which is no text"
    ]
    .assert_eq(&refused("evil-kind:filter.....n.."));
    expect![
        "plugin `evil`: its description makes no sense: the inputs that it wants by code do not ascend"
    ]
    .assert_eq(&refused("evil-kind:filter.....d.."));
}
