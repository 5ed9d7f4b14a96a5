//! The sandbox against a guest that does its worst, and the stage runner around it.
//!
//! The guest is `tests/evil-plugin`; one module serves for every kind, because a test may overwrite the word in its
//! bytes that says what it is.

mod compile;
mod evil;
mod evil_answers;
mod isolation;
mod load;
mod older;
mod coded;
mod decimals;
mod keyed;
mod marshal;
mod verdict;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal64Array, Float64Array, Int64Array,
    StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use crate::module::compile::Compiler;
use crate::module::engine::PluginEngine;
use crate::module::fit::{FitError, Fitted, fit};
use crate::module::loaded::LoadedModule;
use crate::plugin::answer::KeyedRows;
use crate::plugin::{Plugin, PluginError};
use crate::run::calls::RunnerStats;
use crate::run::outcome::*;
use crate::run::runner::{AggregateRunner, FilterRunner, KeyedRunner, MapRunner, MigrationRunner};
use sluicegate_model::call::CallLimits;
use sluicegate_model::module::PluginKind;
use sluicegate_model::module::StagePlace;
use sluicegate_model::refusal::MergeOutcome;
use sluicegate_model::schema::timestamp_type;
use sluicegate_model::time::EventTime;
use sluicegate_model::timers::{KeyedGroups, Timer};
use sluicegate_model::varlen::Varlen;
use sluicegate_model::window::WindowBounds;

/// One engine for all tests, as a process has one.
fn engine() -> &'static PluginEngine {
    static ENGINE: OnceLock<PluginEngine> = OnceLock::new();
    ENGINE.get_or_init(|| PluginEngine::new(None, Compiler::Here).unwrap())
}

/// A deadline that no machine meets by being slow.
const LIMITS: CallLimits = CallLimits {
    rows: 1_024,
    bytes: 1 << 20,
    deadline: Duration::from_secs(600),
    memory: 64 << 20,
    output: 16 << 20,
    key_timers: 4,
    key_state: 1 << 10,
    key_firings: 2_000,
};

fn limits() -> CallLimits {
    LIMITS
}

/// The module as it was built.
fn evil_module() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/evil-plugin.wasm");
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask plugins`", path.display()))
}

/// The module with every occurrence of a text overwritten by another of the same length.
fn overwritten(mut module: Vec<u8>, text: &str, by: &str) -> Vec<u8> {
    assert_eq!(text.len(), by.len());
    let places: Vec<_> =
        (0..module.len()).filter(|at| module[*at..].starts_with(text.as_bytes())).collect();
    assert!(!places.is_empty(), "`{text}` is not in the module");
    for at in places {
        module[at..at + by.len()].copy_from_slice(by.as_bytes());
    }
    module
}

fn evil_bytes(kind: PluginKind) -> Vec<u8> {
    let word = match kind {
        PluginKind::Filter => "evil-kind:filter...",
        PluginKind::Map => "evil-kind:map......",
        PluginKind::Aggregate => "evil-kind:aggregate",
        PluginKind::Keyed => unreachable!("the evil plugin does not process"),
    };
    overwritten(evil_module(), "evil-kind:aggregate", word)
}

/// Compiled once for all tests.
fn evil(kind: PluginKind) -> &'static LoadedModule {
    static MODULES: [OnceLock<LoadedModule>; 3] =
        [OnceLock::new(), OnceLock::new(), OnceLock::new()];
    MODULES[kind as usize]
        .get_or_init(|| engine().load("evil", &evil_bytes(kind), &limits()).unwrap())
}

fn fit_as(
    kind: PluginKind,
    config: &[(&str, &str)],
    module: &LoadedModule,
    input: &SchemaRef,
) -> Result<Fitted, FitError> {
    let config: Vec<(String, String)> =
        config.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let place = StagePlace { stage: "stage", kind, config: &config, columns: &BTreeMap::new() };
    fit(&place, module, input)
}

/// A map whose inputs read columns of other names.
fn fit_connected(columns: &[(&str, &str)], input: &SchemaRef) -> Result<Fitted, FitError> {
    let columns = columns.iter().map(|(input, column)| ((*input).into(), (*column).into()));
    let (kind, columns) = (PluginKind::Map, columns.collect());
    fit(&StagePlace { stage: "stage", kind, config: &[], columns: &columns }, evil(kind), input)
}

fn try_fit(kind: PluginKind, sin: &str) -> Result<Fitted, FitError> {
    fit_as(kind, &[("sin", sin)], evil(kind), &schema())
}

/// The runner of a plugin, whatever its kind: most tests name kinds in values.
enum AnyRunner {
    Filter(FilterRunner),
    Map(MapRunner),
    Aggregate(AggregateRunner),
    Keyed(KeyedRunner),
}

/// The same call of whichever runner it is.
macro_rules! of_any {
    ($any:expr, $runner:ident => $call:expr) => {
        match $any {
            AnyRunner::Filter($runner) => $call,
            AnyRunner::Map($runner) => $call,
            AnyRunner::Aggregate($runner) => $call,
            AnyRunner::Keyed($runner) => $call,
        }
    };
}

/// The same runner after a change.
macro_rules! changed {
    ($any:expr, $runner:ident => $change:expr) => {
        match $any {
            AnyRunner::Filter($runner) => AnyRunner::Filter($change),
            AnyRunner::Map($runner) => AnyRunner::Map($change),
            AnyRunner::Aggregate($runner) => AnyRunner::Aggregate($change),
            AnyRunner::Keyed($runner) => AnyRunner::Keyed($change),
        }
    };
}

impl AnyRunner {
    fn new(plugin: &Plugin, limits: &CallLimits) -> Self {
        match plugin.description.kind {
            PluginKind::Filter => Self::Filter(FilterRunner::new(plugin, limits)),
            PluginKind::Map => Self::Map(MapRunner::new(plugin, limits)),
            PluginKind::Aggregate => Self::Aggregate(AggregateRunner::new(plugin, limits)),
            PluginKind::Keyed => Self::Keyed(KeyedRunner::new(plugin, limits)),
        }
    }

    fn with_clock(self, clock: sluicegate_model::time::Clock) -> Self {
        changed!(self, runner => runner.with_clock(clock))
    }

    fn with_cpu(self, cpu: crate::run::calls::CpuTime) -> Self {
        changed!(self, runner => runner.with_cpu(cpu))
    }

    fn with_brake(self, brake: crate::run::brake::Brake) -> Self {
        changed!(self, runner => runner.with_brake(brake))
    }

    fn plugin(&self) -> &Plugin {
        of_any!(self, runner => runner.plugin())
    }

    fn stats(&self) -> RunnerStats {
        of_any!(self, runner => runner.stats())
    }

    fn filter(&mut self, rows: &RecordBatch) -> FilterOutcome {
        let Self::Filter(runner) = self else { panic!("no filter") };
        runner.filter(rows)
    }

    fn map(&mut self, rows: &RecordBatch) -> MapOutcome {
        let Self::Map(runner) = self else { panic!("no map") };
        runner.map(rows)
    }

    fn aggregate(&mut self) -> &mut AggregateRunner {
        let Self::Aggregate(runner) = self else { panic!("no aggregate") };
        runner
    }

    fn update(&mut self, rows: &RecordBatch, groups: &[u32], states: &Varlen) -> UpdateOutcome {
        self.aggregate().update(rows, groups, states)
    }

    fn merge(&mut self, left: &Varlen, right: &Varlen) -> MergeOutcome {
        self.aggregate().merge(left, right)
    }

    fn evaluate(&mut self, windows: &[WindowBounds], states: &Varlen) -> EvaluateOutcome {
        self.aggregate().evaluate(windows, states)
    }

    fn migrate(&mut self, from_version: u32, states: &Varlen) -> Result<Varlen, PluginError> {
        MigrationRunner::new(self.plugin(), &limits()).migrate(from_version, states, || {})
    }

    fn process(&mut self, rows: &KeyedRows<'_>, groups: &KeyedGroups) -> KeyedOutcome {
        let Self::Keyed(runner) = self else { panic!("no process plugin") };
        runner.process(rows, groups)
    }

    fn on_timers(&mut self, fired: &[Timer], groups: &KeyedGroups) -> TimerOutcome {
        let Self::Keyed(runner) = self else { panic!("no process plugin") };
        runner.on_timers(fired, groups)
    }
}

fn window(start: i64, end: i64) -> WindowBounds {
    WindowBounds { start: EventTime(start), end: EventTime(end) }
}

/// Rows of a keyed plugin, to be lent.
struct Lent {
    batch: RecordBatch,
    times: Vec<EventTime>,
    watermarks: Vec<EventTime>,
    expired: Vec<bool>,
    groups: Vec<u32>,
}

impl Lent {
    fn rows(&self) -> KeyedRows<'_> {
        let Self { batch, times, watermarks, expired, groups } = self;
        KeyedRows { batch: batch.clone(), times, watermarks, expired, groups }
    }
}

fn runner_of(kind: PluginKind, sin: &str) -> AnyRunner {
    runner_with(kind, sin, &limits())
}

fn runner_with(kind: PluginKind, sin: &str, limits: &CallLimits) -> AnyRunner {
    AnyRunner::new(&try_fit(kind, sin).unwrap().plugin, limits)
}

/// For guests that never end. Calls that do end take microseconds of it, so a slow machine has room.
const SHORT: CallLimits = CallLimits { deadline: Duration::from_millis(300), ..LIMITS };

fn hurried(kind: PluginKind, sin: &str) -> Result<Fitted, FitError> {
    fit_as(kind, &[("sin", sin)], &evil(kind).with_limits(&SHORT), &schema())
}

/// A column of each type, in the order of the plugin's inputs.
fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("b", DataType::Boolean, true),
        Field::new("i", DataType::Int64, false),
        Field::new("f", DataType::Float64, true),
        Field::new("t", timestamp_type(), true),
        Field::new("d", DataType::Date32, true),
        Field::new("m", DataType::Decimal64(18, 2), true),
        Field::new("s", DataType::Utf8, true),
        Field::new("x", DataType::Binary, true),
    ]))
}

/// Rows with these numbers in `i`, and everything else made of them; null where the number is a multiple of five.
fn rows(integers: &[i64]) -> RecordBatch {
    let some = |i: &i64| (i % 5 != 0).then_some(*i);
    let day = |i: i64| i32::try_from(i % 100_000).unwrap();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(integers.iter().map(|i| some(i).map(|i| i % 3 == 0)).collect::<BooleanArray>()),
        Arc::new(Int64Array::from(integers.to_vec())),
        Arc::new(
            integers.iter().map(|i| some(i).map(|i| i as f64 / 8.0)).collect::<Float64Array>(),
        ),
        Arc::new(
            integers.iter().map(some).collect::<TimestampMicrosecondArray>().with_timezone("UTC"),
        ),
        Arc::new(integers.iter().map(|i| some(i).map(day)).collect::<Date32Array>()),
        Arc::new(
            integers
                .iter()
                .map(some)
                .collect::<Decimal64Array>()
                .with_precision_and_scale(18, 2)
                .unwrap(),
        ),
        Arc::new(
            integers.iter().map(|i| some(i).map(|i| format!("«{i}»"))).collect::<StringArray>(),
        ),
        Arc::new(
            integers.iter().map(|i| some(i).map(|i| i.to_le_bytes())).collect::<BinaryArray>(),
        ),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

/// As many empty accumulators.
fn empty_states(groups: usize) -> Varlen {
    Varlen { offsets: vec![0; groups + 1], bytes: Vec::new() }
}

/// The accumulator's hash, as the honest part of the guest makes it.
fn hash_of(integers: impl IntoIterator<Item = i64>) -> i64 {
    let add = |hash: i64, i: i64| hash.wrapping_mul(31).wrapping_add(i);
    integers.into_iter().filter(|i| *i != 13).fold(0, add)
}

fn hashes(states: &Varlen) -> Vec<i64> {
    states.iter().map(|state| state.try_into().map_or(0, i64::from_le_bytes)).collect()
}
