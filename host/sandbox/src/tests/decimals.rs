//! Decimals of more than 18 digits, into a guest and out again.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{Decimal128Type, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::{AnyRunner, empty_states, engine, fit_as, limits, window};
use crate::contract::bindings::sluicegate::plugin::columns::{
    BatchResult, ColumnResult, ValuesResult,
};
use crate::instance::answer;
use crate::plugin::Plugin;
use sluicegate_model::module::PluginKind;
use sluicegate_model::schema::decimal_type;

fn of(column: &str, nullable: bool) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(column, decimal_type(38, 4), nullable)]))
}

fn ledger(precision: u8) -> Plugin {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/ledger.wasm");
    let module = std::fs::read(&path).expect("`cargo xtask plugins` was run");
    let module = engine().load("ledger", &module, &limits()).unwrap();
    let amount = Field::new("amount", decimal_type(precision, 4), false);
    let rows = Arc::new(Schema::new(vec![amount]));
    fit_as(PluginKind::Aggregate, &[], &module, &rows).unwrap().plugin
}

/// 38 nines.
const LARGEST: i128 = 10_i128.pow(38) - 1;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// In parts of any batch, so that no column begins where its memory does.
    #[test]
    fn sums_of_long_decimals_are_exact(
        amounts in prop::collection::vec(-LARGEST / 64..LARGEST / 64, 1..50),
        cut in any::<prop::sample::Index>(),
    ) {
        let cut = cut.index(amounts.len());
        let column = Decimal128Array::from(amounts.clone()).with_data_type(decimal_type(38, 4));
        let column: ArrayRef = Arc::new(column);
        let rows = RecordBatch::try_from_iter([("amount", column)]).unwrap();
        let mut runner = AnyRunner::new(&ledger(38), &limits());
        let mut states = empty_states(1);
        for part in [rows.slice(0, cut), rows.slice(cut, amounts.len() - cut)] {
            states = runner.update(&part, &vec![0; part.num_rows()], &states).states;
        }
        let window = window(0, 1);
        let results = runner.evaluate(&[window], &states).batch;
        prop_assert_eq!(results.column(0).data_type(), &decimal_type(38, 4));
        let balance = results.column(0).as_primitive::<Decimal128Type>().value(0);
        prop_assert_eq!(balance, amounts.iter().sum::<i128>());
    }
}

#[test]
fn a_plugin_for_long_decimals_takes_short_ones() {
    let plugin = ledger(18);
    let digits: Vec<_> =
        plugin.config.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(digits, ["decimal-precision:amount=18", "decimal-scale:amount=4"]);
}

fn lies(words: Vec<i64>, validity: Option<Vec<u8>>, text: &Expect) {
    let column = ColumnResult { values: ValuesResult::Decimal(words), validity };
    let raw = BatchResult { rows: 2, columns: vec![column] };
    text.assert_eq(&answer::batch(raw, &of("d", true)).unwrap_err());
}

#[test]
fn lies_about_long_decimals_are_found() {
    lies(
        vec![1, 2],
        None,
        &expect![
            "column `d`: 2 words came back for 2 rows, decimals of more than 18 digits have two a row"
        ],
    );
    lies(
        vec![1, 2, 3, 4, 5],
        None,
        &expect![
            "column `d`: 5 words came back for 2 rows, decimals of more than 18 digits have two a row"
        ],
    );
    lies(
        vec![0, 0, 0, i64::MIN],
        None,
        &expect![
            "column `d`: row 1: the unscaled value -170141183460469231731687303715884105728 has more than 38 digits"
        ],
    );
    let nines = [LARGEST as i64, (LARGEST >> 64) as i64];
    lies(
        [nines, [nines[0] + 1, nines[1]]].concat(),
        None,
        &expect![
            "column `d`: row 1: the unscaled value 100000000000000000000000000000000000000 has more than 38 digits"
        ],
    );
}

#[test]
fn what_lies_beneath_a_null_is_not_looked_at() {
    let values = ValuesResult::Decimal(vec![-7, -1, -1, i64::MAX]);
    let column = ColumnResult { values, validity: Some(vec![0b01]) };
    let raw = BatchResult { rows: 2, columns: vec![column] };
    let batch = answer::batch(raw, &of("d", true)).unwrap();
    let values: Vec<_> = batch.column(0).as_primitive::<Decimal128Type>().iter().collect();
    assert_eq!(values, [Some(-7), None]);
}
