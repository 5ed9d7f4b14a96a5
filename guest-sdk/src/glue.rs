//! Between the contract's types and the SDK's: every `export!`ed plugin gets its exports from here.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::panic::PanicHookInfo;
use std::sync::Once;

use crate::bindings::aggregate::exports::sluicegate::plugin::aggregate_rows as aggregate_wire;
use crate::bindings::filter::exports::sluicegate::plugin::filter_rows as filter_wire;
use crate::bindings::filter_coded::exports::sluicegate::plugin::filter_coded_rows as coded_wire;
use crate::bindings::lifecycle::exports::sluicegate::plugin::lifecycle::Guest as Lifecycle;
use crate::bindings::lifecycle::sluicegate::plugin::{columns as wire, description, host};
use crate::bindings::map::exports::sluicegate::plugin::map_rows as map_wire;
use crate::bindings::process::exports::sluicegate::plugin::process_rows as process_wire;
use crate::level::Level;
use crate::output::{OwnedColumn, OwnedValues};
use crate::process::{Groups, KeyedBatch, TimerSets, TimerSetsRef};
use crate::varlen::Varlen;
use crate::{
    Accumulate, AggregatePlugin, Batch, Column, ColumnSpec, ColumnType, Config, Description,
    Filter, FilterPlugin, Kind, Map, MapPlugin, ProcessPlugin, Processor, Reject, Timer, Timestamp,
    Values, VarlenRef, Window,
};

thread_local! {
    // One plugin a module, one thread an instance.
    static FILTER: RefCell<Option<Box<dyn Filter>>> = const { RefCell::new(None) };
    static MAP: RefCell<Option<Box<dyn Map>>> = const { RefCell::new(None) };
    static AGGREGATE: RefCell<Option<Box<dyn Accumulate>>> = const { RefCell::new(None) };
    static PROCESS: RefCell<Option<Box<dyn Processor>>> = const { RefCell::new(None) };
}

const NOT_INITIALISED: &str = "the host calls `init` before any call with rows";

/// The `lifecycle` exports of a plugin of this kind.
pub struct FilterLifecycle<P>(PhantomData<P>);

impl<P: FilterPlugin> Lifecycle for FilterLifecycle<P> {
    fn describe() -> description::PluginDescription {
        describe(P::describe())
    }

    fn init(config: Vec<(String, String)>) -> Result<(), String> {
        report_panics();
        FILTER.set(Some(P::init(&Config::new(config))?));
        Ok(())
    }
}

impl<P: FilterPlugin> filter_wire::Guest for P {
    fn filter(rows: wire::Batch) -> filter_wire::FilterAnswer {
        let answer = FILTER.with_borrow(|instance| {
            instance.as_ref().expect(NOT_INITIALISED).filter(&batch(&rows))
        });
        filter_wire::FilterAnswer { keep: answer.keep, rejects: rejects(answer.rejects) }
    }
}

impl<P: FilterPlugin> coded_wire::Guest for P {
    fn wanted() -> Vec<u32> {
        P::describe().coded().map(crate::varlen::offset).collect()
    }

    fn filter_coded(
        rows: wire::Batch,
        coded: Vec<coded_wire::CodedTexts>,
    ) -> coded_wire::CodedAnswer {
        let mut rows = batch(&rows);
        for coded_wire::CodedTexts { input, codes, values } in &coded {
            let (offsets, text) = (&*values.offsets, text(&values.bytes));
            rows.columns[*input as usize].values = Values::Coded { codes, offsets, text };
        }
        let answer =
            FILTER.with_borrow(|instance| instance.as_ref().expect(NOT_INITIALISED).filter(&rows));
        coded_wire::CodedAnswer { keep: answer.keep, rejects: rejects(answer.rejects) }
    }
}

/// The `lifecycle` exports of a plugin of this kind.
pub struct MapLifecycle<P>(PhantomData<P>);

impl<P: MapPlugin> Lifecycle for MapLifecycle<P> {
    fn describe() -> description::PluginDescription {
        describe(P::describe())
    }

    fn init(config: Vec<(String, String)>) -> Result<(), String> {
        report_panics();
        MAP.set(Some(P::init(&Config::new(config))?));
        Ok(())
    }
}

impl<P: MapPlugin> map_wire::Guest for P {
    fn map(rows: wire::Batch) -> map_wire::MapAnswer {
        let answer = MAP
            .with_borrow(|instance| instance.as_ref().expect(NOT_INITIALISED).map(&batch(&rows)));
        map_wire::MapAnswer {
            rows: made(answer.rows, answer.columns),
            source_rows: answer.source_rows,
            rejects: rejects(answer.rejects),
        }
    }
}

/// The `lifecycle` exports of a plugin of this kind.
pub struct AggregateLifecycle<P>(PhantomData<P>);

impl<P: AggregatePlugin> Lifecycle for AggregateLifecycle<P> {
    fn describe() -> description::PluginDescription {
        describe(P::describe())
    }

    fn init(config: Vec<(String, String)>) -> Result<(), String> {
        report_panics();
        AGGREGATE.set(Some(P::init(&Config::new(config))?));
        Ok(())
    }
}

impl<P: AggregatePlugin> aggregate_wire::Guest for P {
    fn update(
        rows: wire::Batch,
        groups: Vec<u32>,
        states: wire::Varlen,
    ) -> aggregate_wire::UpdateAnswer {
        let answer = accumulate(|a| a.update(&batch(&rows), &groups, borrow(&states)));
        aggregate_wire::UpdateAnswer {
            states: varlen(answer.states),
            rejects: rejects(answer.rejects),
        }
    }

    fn merge(left: wire::Varlen, right: wire::Varlen) -> wire::Varlen {
        varlen(accumulate(|a| a.merge(borrow(&left), borrow(&right))))
    }

    fn evaluate(
        windows: Vec<aggregate_wire::Window>,
        states: wire::Varlen,
    ) -> aggregate_wire::EvaluateAnswer {
        let windows: Vec<_> = windows
            .into_iter()
            .map(|window| Window { start: Timestamp(window.start), end: Timestamp(window.end) })
            .collect();
        let answer = accumulate(|a| a.evaluate(&windows, borrow(&states)));
        aggregate_wire::EvaluateAnswer {
            rows: made(answer.rows, answer.columns),
            groups: answer.groups,
        }
    }

    fn migrate(from_version: u32, states: wire::Varlen) -> Result<wire::Varlen, String> {
        accumulate(|a| a.migrate(from_version, borrow(&states))).map(varlen)
    }
}

fn accumulate<T>(call: impl FnOnce(&dyn Accumulate) -> T) -> T {
    AGGREGATE.with_borrow(|instance| call(&**instance.as_ref().expect(NOT_INITIALISED)))
}

/// The `lifecycle` exports of a plugin of this kind.
pub struct ProcessLifecycle<P>(PhantomData<P>);

impl<P: ProcessPlugin> Lifecycle for ProcessLifecycle<P> {
    fn describe() -> description::PluginDescription {
        describe(P::describe())
    }

    fn init(config: Vec<(String, String)>) -> Result<(), String> {
        report_panics();
        PROCESS.set(Some(P::init(&Config::new(config))?));
        Ok(())
    }
}

impl<P: ProcessPlugin> process_wire::Guest for P {
    fn process(
        rows: wire::Batch,
        times: Vec<i64>,
        watermarks: Vec<i64>,
        expired: Vec<u8>,
        groups: Vec<u32>,
        states: wire::Varlen,
        timers: process_wire::TimerSets,
    ) -> process_wire::ProcessAnswer {
        let rows = KeyedBatch {
            rows: batch(&rows),
            times: &times,
            watermarks: &watermarks,
            expired: &expired,
            groups: &groups,
        };
        let answer = processor(|p| p.process(&rows, keyed_groups(&states, &timers)));
        process_wire::ProcessAnswer {
            states: varlen(answer.states),
            timers: timer_sets(answer.timers),
            rows: made(answer.rows, answer.columns),
            source_rows: answer.source_rows,
            times: answer.times,
            rejects: rejects(answer.rejects),
        }
    }

    fn on_timer(
        times: Vec<i64>,
        ids: Vec<u32>,
        states: wire::Varlen,
        timers: process_wire::TimerSets,
    ) -> process_wire::TimerAnswer {
        let fired = times.iter().zip(&ids).map(|(at, id)| Timer { at: Timestamp(*at), id: *id });
        let fired: Vec<Timer> = fired.collect();
        let answer = processor(|p| p.on_timer(&fired, keyed_groups(&states, &timers)));
        process_wire::TimerAnswer {
            states: varlen(answer.states),
            timers: timer_sets(answer.timers),
            rows: made(answer.rows, answer.columns),
            groups: answer.groups,
        }
    }

    fn migrate(from_version: u32, states: wire::Varlen) -> Result<wire::Varlen, String> {
        processor(|p| p.migrate(from_version, borrow(&states))).map(varlen)
    }
}

fn processor<T>(call: impl FnOnce(&dyn Processor) -> T) -> T {
    PROCESS.with_borrow(|instance| call(&**instance.as_ref().expect(NOT_INITIALISED)))
}

fn keyed_groups<'a>(states: &'a wire::Varlen, timers: &'a process_wire::TimerSets) -> Groups<'a> {
    let process_wire::TimerSets { offsets, times, ids } = timers;
    Groups { states: borrow(states), timers: TimerSetsRef { offsets, times, ids } }
}

fn timer_sets(timers: TimerSets) -> process_wire::TimerSets {
    let TimerSets { offsets, times, ids } = timers;
    process_wire::TimerSets { offsets, times, ids }
}

pub(crate) fn log(level: Level, text: &str) {
    let level = match level {
        Level::Debug => host::Level::Debug,
        Level::Info => host::Level::Info,
        Level::Warn => host::Level::Warn,
        Level::Error => host::Level::Error,
    };
    host::log(level, text);
}

pub(crate) fn count(name: &str, n: u64) {
    host::count(name, n);
}

/// From now on a panic says through the log why the module traps: the trap itself carries no text.
fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
            log(Level::Error, &panic.to_string());
        }));
    });
}

fn describe(plugin: Description) -> description::PluginDescription {
    description::PluginDescription {
        kind: match plugin.kind {
            Kind::Filter => description::PluginKind::Filter,
            Kind::Map => description::PluginKind::MapRows,
            // The interface that the module exports tells the two apart.
            Kind::Aggregate | Kind::Process => description::PluginKind::Aggregate,
        },
        sdk: crate::description::SDK.to_owned(),
        inputs: plugin.inputs.iter().map(column_spec).collect(),
        outputs: plugin.outputs.iter().map(column_spec).collect(),
        keeps_other_columns: plugin.keeps_other_columns,
        state_version: plugin.state_version,
        state_fingerprint: plugin.state_fingerprint,
        migrates_from: plugin.migrates_from.to_vec(),
    }
}

fn column_spec(column: &ColumnSpec) -> description::ColumnSpec {
    use description::ColumnType as Wire;
    let column_type = match column.column_type {
        ColumnType::Boolean => Wire::Boolean,
        ColumnType::Int64 => Wire::Int64,
        ColumnType::Float64 => Wire::Float64,
        ColumnType::TimestampUs => Wire::TimestampUs,
        ColumnType::Date => Wire::Date,
        ColumnType::Decimal(digits) | ColumnType::Decimal38(digits) => {
            Wire::Decimal(digits.map(|digits| description::DecimalType {
                precision: digits.precision,
                scale: digits.scale,
            }))
        }
        ColumnType::Utf8 | ColumnType::Text => Wire::Utf8,
        ColumnType::Binary => Wire::Binary,
    };
    description::ColumnSpec { name: column.name.to_owned(), column_type, nullable: column.nullable }
}

fn batch(rows: &wire::Batch) -> Batch<'_> {
    let count = rows.rows as usize;
    let columns = rows.columns.iter().map(|column| Column {
        values: values(&column.values, count),
        validity: column.validity.as_deref(),
    });
    Batch { rows: count, columns: columns.collect() }
}

fn values(values: &wire::Values, rows: usize) -> Values<'_> {
    match values {
        wire::Values::Boolean(bits) => Values::Boolean(bits),
        wire::Values::Int64(values) => Values::Int64(values),
        wire::Values::Float64(values) => Values::Float64(values),
        wire::Values::TimestampUs(values) => Values::TimestampUs(values),
        wire::Values::Date(values) => Values::Date(values),
        // By contract there is one word a row, or two.
        wire::Values::Decimal(words) if words.len() > rows => Values::Decimal38(words),
        wire::Values::Decimal(values) => Values::Decimal(values),
        wire::Values::Utf8(values) => {
            Values::Utf8 { offsets: &values.offsets, text: text(&values.bytes) }
        }
        wire::Values::Binary(values) => {
            Values::Binary { offsets: &values.offsets, bytes: &values.bytes }
        }
    }
}

/// The contract promises UTF-8, and the host has checked it; checking a second time costs more than most filters.
fn text(bytes: &[u8]) -> &str {
    #[expect(unsafe_code, reason = "a second pass over all text, for what the host guarantees")]
    // SAFETY: `columns.values.utf8` is valid UTF-8 by contract. The host that gives the bytes owns this sandbox: were
    // it wrong, nothing outside the instance could be harmed.
    unsafe {
        std::str::from_utf8_unchecked(bytes)
    }
}

fn made(rows: usize, columns: Vec<OwnedColumn>) -> wire::Batch {
    let column = |column: OwnedColumn| wire::Column {
        values: match column.values {
            OwnedValues::Boolean(bits) => wire::Values::Boolean(bits),
            OwnedValues::Int64(values) => wire::Values::Int64(values),
            OwnedValues::Float64(values) => wire::Values::Float64(values),
            OwnedValues::TimestampUs(values) => wire::Values::TimestampUs(values),
            OwnedValues::Date(values) => wire::Values::Date(values),
            OwnedValues::Decimal(words) | OwnedValues::Decimal38(words) => {
                wire::Values::Decimal(words)
            }
            OwnedValues::Utf8(values) => wire::Values::Utf8(varlen(values)),
            OwnedValues::Binary(values) => wire::Values::Binary(varlen(values)),
        },
        validity: column.validity,
    };
    wire::Batch {
        rows: crate::varlen::offset(rows),
        columns: columns.into_iter().map(column).collect(),
    }
}

fn rejects(rejects: Vec<Reject>) -> Vec<wire::Reject> {
    rejects.into_iter().map(|Reject { row, reason }| wire::Reject { row, reason }).collect()
}

fn varlen(values: Varlen) -> wire::Varlen {
    wire::Varlen { offsets: values.offsets, bytes: values.bytes }
}

fn borrow(values: &wire::Varlen) -> VarlenRef<'_> {
    VarlenRef { offsets: &values.offsets, bytes: &values.bytes }
}
