//! Calls of a plugin as a module and as native code, on the same batches in turns.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::array::AsArray;
use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};
use sluicegate_formats::json::decode::Decoder;
use sluicegate_model::call::CallLimits;
use sluicegate_model::module::PluginKind;
use sluicegate_model::time::thread_cpu_nanos;
use sluicegate_model::varlen::Varlen;
use sluicegate_pipeline::environment::Environment;
use sluicegate_pipeline::{Pipeline, PluginRef, StageConfig, file};
use sluicegate_sandbox::module::compile::Compiler;
use sluicegate_sandbox::module::engine::PluginEngine;
use sluicegate_sandbox::module::fit::{Fitted, fit};
use sluicegate_sandbox::module::loaded::LoadedModule;
use sluicegate_sandbox::plugin::Code;
use sluicegate_sandbox::plugin::guest::Instance;

use crate::events::files;
use crate::job::{module, native_map, outputs};
use crate::native::NativeCode;
use crate::plugins::{revenue, valid_sale};
use crate::report::median;

/// What a row costs on either side.
#[derive(Serialize, Deserialize)]
pub(crate) struct Boundary {
    pub(crate) kind: String,
    pub(crate) wasm_nanos: f64,
    pub(crate) native_nanos: f64,
    /// Median of the pairs' ratios.
    pub(crate) ratio: f64,
}

/// Turns that each side takes.
const TURNS: usize = 25;
/// Calls of one turn: some ten milliseconds.
const CALLS: usize = 200;

/// Measures filter, map and aggregate with the rows that a lane gives to a call.
pub(crate) fn run(pipeline: &Path, folder: &Path) -> Result<Vec<Boundary>> {
    let pipeline = file::load(pipeline, Environment::of_program().variables())?;
    let rows = first_rows(&pipeline, folder)?;
    let engine = PluginEngine::new(None, Compiler::Here).context("start the plugin engine")?;
    let bench = Bench { pipeline: &pipeline, engine: &engine, rows: &rows };
    let filter = bench
        .pair(PluginKind::Filter, "valid-sale", |_| NativeCode::filter::<valid_sale::Plugin>())?;
    let map = bench.pair(PluginKind::Map, "split-basket", native_map)?;
    let aggregate = bench.pair(PluginKind::Aggregate, "revenue", |outputs| {
        NativeCode::aggregate::<revenue::Plugin>(outputs)
    })?;
    let groups = groups(&rows);
    let fresh: Varlen = (0..=groups.iter().copied().max().unwrap_or(0)).map(|_| &[][..]).collect();
    Ok(vec![
        filter.measure("filter", |instance, rows| {
            let Instance::Filter(filter) = instance else { unreachable!("both are filters") };
            black_box(filter.filter(rows).expect("a filter that runs"));
        }),
        map.measure("map", |instance, rows| {
            let Instance::Map(map) = instance else { unreachable!("both are maps") };
            black_box(map.map(rows).expect("a map that runs"));
        }),
        aggregate.measure("aggregate", |instance, rows| {
            let Instance::Aggregate(sums) = instance else { unreachable!("both are aggregates") };
            black_box(sums.update(rows, &groups, &fresh).expect("an aggregate that runs"));
        }),
    ])
}

struct Bench<'a> {
    pipeline: &'a Pipeline,
    engine: &'a PluginEngine,
    rows: &'a RecordBatch,
}

/// A plugin on both sides, and the rows that it reads.
struct Pair {
    wasm: Instance,
    native: Instance,
    rows: RecordBatch,
}

impl Bench<'_> {
    fn pair(
        &self,
        kind: PluginKind,
        name: &str,
        native: impl FnOnce(&arrow::datatypes::SchemaRef) -> Arc<dyn Code>,
    ) -> Result<Pair> {
        let configured = self.pipeline.all_stages().find(|stage| stage.kind == kind);
        let stage = StageConfig {
            id: name.into(),
            kind,
            plugin: PluginRef::Name(name.to_owned()),
            config: configured.map(|stage| stage.config.clone()).unwrap_or_default(),
            columns: configured.map(|stage| stage.columns.clone()).unwrap_or_default(),
        };
        let limits = CallLimits::from(&self.pipeline.limits);
        let wasm = self.engine.load(name, &module(name)?, &limits)?;
        let outputs = Arc::new(outputs(&wasm.description));
        let description =
            sluicegate_sandbox::plugin::description::Description::clone(&wasm.description);
        let native = LoadedModule::native(name, description, native(&outputs));
        let instance = |module: &LoadedModule| -> Result<(Fitted, Instance)> {
            let fitted = fit(&stage.place(), module, &self.rows.schema())?;
            let instance = fitted.plugin.instantiate()?;
            Ok((fitted, instance))
        };
        let ((fitted, wasm), (_, native)) = (instance(&wasm)?, instance(&native)?);
        let rows = self.rows.project(&fitted.inputs).context("take the plugin's columns")?;
        Ok(Pair { wasm, native, rows })
    }
}

impl Pair {
    fn measure(mut self, kind: &str, call: impl Fn(&mut Instance, &RecordBatch)) -> Boundary {
        let rows = &self.rows;
        let time = |instance: &mut Instance| {
            let begin = thread_cpu_nanos();
            (0..CALLS).for_each(|_| call(instance, rows));
            let nanos = (thread_cpu_nanos() - begin) as f64;
            let rows = (CALLS * rows.num_rows()) as f64;
            nanos / rows
        };
        let mut turns = Vec::with_capacity(TURNS);
        // The first turn warms caches and is forgotten.
        for turn in 0..=TURNS {
            let pair = (time(&mut self.wasm), time(&mut self.native));
            if turn > 0 {
                turns.push(pair);
            }
        }
        Boundary {
            kind: kind.to_owned(),
            wasm_nanos: median(turns.iter().map(|(wasm, _)| *wasm)),
            native_nanos: median(turns.iter().map(|(_, native)| *native)),
            ratio: median(turns.iter().map(|(wasm, native)| wasm / native)),
        }
    }
}

/// The first rows of the sales, decoded: as many as a call is given.
fn first_rows(pipeline: &Pipeline, folder: &Path) -> Result<RecordBatch> {
    let path = files(folder)?.into_iter().next().context("there are no files of sales")?;
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("read `{}`", path.display()))?;
    let values: Varlen = text.lines().take(pipeline.limits.call_rows).map(str::as_bytes).collect();
    let every: Vec<usize> = (0..pipeline.schema.columns.len()).collect();
    let decoded = Decoder::new(&pipeline.schema, &every).decode(&values, 0..values.len());
    Ok(decoded.batch)
}

/// A group per store.
fn groups(rows: &RecordBatch) -> Vec<u32> {
    let mut names: Vec<&str> = Vec::new();
    let stores = rows.column(0).as_string::<i32>();
    let mut group = |store| {
        names.iter().position(|name| *name == store).unwrap_or_else(|| {
            names.push(store);
            names.len() - 1
        }) as u32
    };
    stores.iter().map(|store| group(store.expect("every sale has a store"))).collect()
}
