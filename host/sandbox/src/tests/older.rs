//! Modules of an older version of the contract go on as ever, and what they know stays readable.
//!
//! `older/` has plugins of ours as they were built for older versions (without their custom sections, which nobody needs but
//! the one with the contract). Of 0.1.1 an aggregate with a plain state, and a keyed plugin with one that serde wrote: both
//! keep decimals in it. Of 0.1.2 a filter, which `coded` puts beside that of today.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal64Array};
use arrow::datatypes::{DataType, Decimal64Type, Field, Int64Type, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use expect_test::expect;

use super::{
    AnyRunner, Lent, empty_states, engine, evil_module, fit_as, limits, overwritten, window,
};
use crate::module::fit::FitError;
use crate::module::loaded::LoadedModule;
use crate::plugin::Plugin;
use crate::plugin::verdict::{Verdict, verdict};
use sluicegate_model::module::PluginKind;
use sluicegate_model::schema::decimal_type;
use sluicegate_model::time::EventTime;
use sluicegate_model::timers::KeyedGroups;

const OLD_REVENUE: &[u8] = include_bytes!("older/revenue-0.1.1.wasm");
const OLD_VELOCITY: &[u8] = include_bytes!("older/fraud-velocity-0.1.1.wasm");

fn load(name: &str, module: &[u8]) -> LoadedModule {
    engine().load(name, module, &limits()).unwrap()
}

/// The same plugin as it is today.
fn today(name: &str) -> LoadedModule {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins");
    let bytes = std::fs::read(folder.join(format!("{name}.wasm")));
    load(name, &bytes.expect("`cargo xtask plugins` was run"))
}

fn of(column: &str, data_type: DataType) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(column, data_type, false)]))
}

fn revenue(module: &LoadedModule, price: DataType) -> Result<Plugin, FitError> {
    fit_as(PluginKind::Aggregate, &[], module, &of("price", price)).map(|fitted| fitted.plugin)
}

fn velocity(module: &LoadedModule) -> Plugin {
    let config = [("more-than", "2"), ("within", "10s")];
    let rows = of("amount", decimal_type(18, 2));
    fit_as(PluginKind::Keyed, &config, module, &rows).unwrap().plugin
}

fn cents(column: &str, cents: &[i64]) -> RecordBatch {
    let cents = Decimal64Array::from(cents.to_vec()).with_precision_and_scale(18, 2).unwrap();
    let cents: ArrayRef = Arc::new(cents);
    RecordBatch::try_from_iter([(column, cents)]).unwrap()
}

#[test]
fn an_aggregates_state_of_before_is_the_state_of_today() {
    let old = revenue(&load("revenue", OLD_REVENUE), decimal_type(18, 2)).unwrap();
    let new = revenue(&today("revenue"), decimal_type(18, 2)).unwrap();
    assert_eq!(verdict(&old, &new), Verdict::AsIs);
    assert_eq!(verdict(&new, &old), Verdict::AsIs);
    // Frozen by one, taken on by the other, and back.
    let prices = [[1_999, -5], [999_999_999_999_999_990, 1]];
    let mut states = empty_states(2);
    for (plugin, prices) in [(&old, prices[0]), (&new, prices[1])] {
        let outcome =
            AnyRunner::new(plugin, &limits()).update(&cents("price", &prices), &[0, 1], &states);
        states = outcome.states;
    }
    for plugin in [&old, &new] {
        let windows = [window(0, 1); 2];
        let results = AnyRunner::new(plugin, &limits()).evaluate(&windows, &states).batch;
        let revenue = results.column(0).as_primitive::<Decimal64Type>();
        assert_eq!(revenue.values(), &[1_999, -4], "a sum of 19 digits is still refused");
        assert_eq!(results.column(1).as_primitive::<Int64Type>().values(), &[1, 2]);
    }
}

#[test]
fn a_keyed_state_of_before_is_the_state_of_today() {
    let (old, new) =
        (velocity(&load("velocity", OLD_VELOCITY)), velocity(&today("fraud-velocity")));
    assert_eq!(verdict(&old, &new), Verdict::AsIs);
    let payments = |times: [i64; 2]| Lent {
        batch: cents("amount", &[1_050, -50]),
        watermarks: vec![EventTime::MIN; 2],
        expired: vec![false; 2],
        groups: vec![0, 0],
        times: times.map(EventTime).to_vec(),
    };
    let mut nobody = KeyedGroups::default();
    nobody.push(&[], []);
    let run = |plugin: &Plugin, times, groups: &KeyedGroups| {
        AnyRunner::new(plugin, &limits()).process(&payments(times).rows(), groups)
    };
    let frozen = run(&old, [0, 1], &nobody).groups;
    assert_eq!(run(&new, [0, 1], &nobody).groups, frozen);
    let (by_old, by_new) = (run(&old, [2, 3], &frozen), run(&new, [2, 3], &frozen));
    assert_eq!(by_new.groups, by_old.groups);
    assert_eq!(by_new.batch, by_old.batch);
    assert_eq!(by_new.batch.column(2).as_primitive::<Decimal64Type>().values(), &[2_050]);
}

#[test]
fn an_older_module_is_not_connected_to_decimals_that_it_does_not_know() {
    let old = load("revenue", OLD_REVENUE);
    expect![
        "stage `stage`: plugin `revenue` was built for sluicegate:plugin@0.1.1, whose decimals have at most 18 digits, and the column `price` is decimal(19,2); build it with the sluicegate-sdk of this host's release, or give the column at most 18 digits under [schema]"
    ]
    .assert_eq(&revenue(&old, decimal_type(19, 2)).unwrap_err().to_string());
    // One of today knows them, and says what its field has room for.
    expect![
        "stage `stage`: plugin `revenue` refuses its configuration: the field of `price` is a `Decimal`, which has room for 18 digits, and its column is decimal(19,2): make the field a `Decimal38`"
    ]
    .assert_eq(&revenue(&today("revenue"), decimal_type(19, 2)).unwrap_err().to_string());
}

#[test]
fn an_older_module_makes_no_decimals_that_it_does_not_know() {
    let module = overwritten(evil_module(), "evil-kind:aggregate", "evil-kind:digits...");
    let refused = |module: &[u8]| engine().load("evil", module, &limits()).unwrap_err().to_string();
    expect![
        "plugin `evil`: its description makes no sense: the output column `hash` is decimal(39,2): the precision is 1 to 18, the scale at most the precision"
    ]
    .assert_eq(&refused(&overwritten(module, "@0.1.3", "@0.1.1")));
}
