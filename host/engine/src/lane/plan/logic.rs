//! What is made of rows, as a plan fixes it: the only place that looks into the pipeline file for the kind of it.

use std::sync::Arc;

use arrow::datatypes::{Field, SchemaRef};

use super::columns::{EVENT_TIME_COLUMN, WINDOW_COLUMNS, key_columns, result_schema};
use super::{FittedStage, PlacedModule, PlanError};
use sluicegate_model::call::CallLimits;
use sluicegate_pipeline::{KeyedConfig, Limits, Pipeline, SinkKind, StageConfig, WindowConfig};
use sluicegate_state::window::key::is_key;
use sluicegate_state::window::{WindowAssigner, key_shard};

/// What is made of the rows after the last filter or map.
pub(in crate::lane) enum LogicPlan {
    Raw,
    Windows(WindowsPlan),
    Keyed(KeyedPlan),
}

/// Rows are grouped by a key, and a plugin keeps state for each.
#[derive(Clone)]
pub(in crate::lane) struct Grouped {
    pub(in crate::lane) stage: FittedStage,
    /// The key's columns among the rows.
    pub(in crate::lane) key: Vec<usize>,
    pub(in crate::lane) key_fields: Vec<Arc<Field>>,
    /// What comes of them.
    pub(in crate::lane) output: SchemaRef,
    pub(in crate::lane) limits: CallLimits,
}

/// How a section of the pipeline file groups rows.
struct Grouping<'p> {
    /// As messages name it.
    section: &'p str,
    /// Columns of the rows.
    key: &'p [String],
    /// The plugin that keeps state for each key.
    stage: &'p StageConfig,
    /// The columns of event time that results have.
    times: &'p [&'p str],
    /// Results have a revision.
    corrects: bool,
}

impl Grouped {
    /// The shard of a key that a state blob has.
    ///
    /// # Errors
    /// What it should have been.
    pub(in crate::lane) fn shard_of(&self, key: &[u8]) -> Result<u8, &'static str> {
        is_key(&self.key_fields, key)
            .then(|| key_shard(key))
            .ok_or("a key of the pipeline's columns")
    }
}

/// Windows and their aggregate.
#[derive(Clone)]
pub(in crate::lane) struct WindowsPlan {
    pub(in crate::lane) grouped: Grouped,
    pub(in crate::lane) assigner: WindowAssigner,
    /// How long fired windows are kept for corrections, µs.
    pub(in crate::lane) lateness: i64,
    /// Results have a revision.
    pub(in crate::lane) corrects: bool,
    /// Results have the bounds of a window.
    pub(in crate::lane) has_bounds: bool,
    /// A topic takes updates: it hears of every change.
    pub(in crate::lane) tells_updates: bool,
}

/// Keys and their plugin.
#[derive(Clone)]
pub(in crate::lane) struct KeyedPlan {
    pub(in crate::lane) grouped: Grouped,
    /// A key without timers is forgotten this long after its last row, µs.
    pub(in crate::lane) ttl: Option<i64>,
}

impl LogicPlan {
    /// That of a pipeline whose rows are these, and the column of its results that holds their event time, if one does.
    pub(super) fn new(
        pipeline: &Pipeline,
        modules: &[PlacedModule],
        rows: &SchemaRef,
    ) -> Result<(Self, Option<&'static str>), PlanError> {
        if let Some(window) = &pipeline.window {
            let windows = WindowsPlan::new(pipeline, window, modules, rows)?;
            let time = windows.has_bounds.then_some(WINDOW_COLUMNS[0]);
            return Ok((Self::Windows(windows), time));
        }
        if let Some(keyed) = &pipeline.keyed {
            let keyed = KeyedPlan::new(pipeline, keyed, modules, rows)?;
            return Ok((Self::Keyed(keyed), Some(EVENT_TIME_COLUMN)));
        }
        Ok((Self::Raw, None))
    }

    /// How rows are grouped, if they are.
    pub(in crate::lane) fn grouped(&self) -> Option<&Grouped> {
        match self {
            Self::Raw => None,
            Self::Windows(windows) => Some(&windows.grouped),
            Self::Keyed(keyed) => Some(&keyed.grouped),
        }
    }

    /// The stage that keeps state, if one does.
    pub(super) fn stage_mut(&mut self) -> Option<&mut FittedStage> {
        match self {
            Self::Raw => None,
            Self::Windows(windows) => Some(&mut windows.grouped.stage),
            Self::Keyed(keyed) => Some(&mut keyed.grouped.stage),
        }
    }
}

impl WindowsPlan {
    fn new(
        pipeline: &Pipeline,
        window: &WindowConfig,
        modules: &[PlacedModule],
        rows: &SchemaRef,
    ) -> Result<Self, PlanError> {
        let has_bounds = !window.is_global();
        let times: &[&str] = if has_bounds { &WINDOW_COLUMNS } else { &[] };
        let corrects = window.corrects();
        let (section, key, stage) = ("`[window]`", &*window.key, &window.aggregate);
        let by = Grouping { section, key, stage, times, corrects };
        Ok(Self {
            grouped: Grouped::new(pipeline, modules, rows, &by)?,
            assigner: WindowAssigner::new(window.kind, corrects),
            lateness: window.allowed_lateness,
            corrects,
            has_bounds,
            tells_updates: pipeline.sinks.iter().any(|sink| match &sink.kind {
                SinkKind::Kafka(kafka) => kafka.updates,
                SinkKind::Table(_) | SinkKind::Console { .. } => false,
            }),
        })
    }
}

impl KeyedPlan {
    fn new(
        pipeline: &Pipeline,
        keyed: &KeyedConfig,
        modules: &[PlacedModule],
        rows: &SchemaRef,
    ) -> Result<Self, PlanError> {
        let (section, key, stage) = ("`[process]`", &*keyed.key, &keyed.stage);
        let by = Grouping { section, key, stage, times: &[EVENT_TIME_COLUMN], corrects: false };
        let grouped = Grouped::new(pipeline, modules, rows, &by)?;
        Ok(Self { grouped, ttl: keyed.ttl })
    }
}

impl Grouped {
    /// Rows grouped as a section of the pipeline file says.
    fn new(
        pipeline: &Pipeline,
        modules: &[PlacedModule],
        rows: &SchemaRef,
        by: &Grouping<'_>,
    ) -> Result<Self, PlanError> {
        let key = key_columns(by.section, by.key, rows)?;
        let stage = FittedStage::new(by.stage, modules, rows)?;
        Ok(Self {
            output: result_schema(&key, rows, &stage, by.times, by.corrects)?,
            stage,
            key_fields: key.iter().map(|column| Arc::clone(&rows.fields()[*column])).collect(),
            key,
            limits: call_limits(&pipeline.limits),
        })
    }
}

/// Tests wait for fewer firings than a chain of timers may have.
fn call_limits(limits: &Limits) -> CallLimits {
    let limits = CallLimits::from(limits);
    if cfg!(test) { CallLimits { key_firings: 2_000, ..limits } } else { limits }
}
