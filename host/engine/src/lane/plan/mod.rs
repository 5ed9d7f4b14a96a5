//! What a lane does with a record, fixed between two barriers: which columns are read, which plugin stands where
//! and what it is given. Made anew when a module is activated.

mod coded;
pub(in crate::lane) mod columns;
mod future;
mod jump;
mod logic;
mod metadata;
mod unit;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};

use sluicegate_chain::record::PinnedModule;
use sluicegate_chain::shape::TableShape;
use sluicegate_formats::json::decode::Decoder;
use sluicegate_model::call::CallLimits;
use sluicegate_model::module::PluginKind;
use sluicegate_model::schema::Schema;
use sluicegate_pipeline::fingerprint::columns::TableColumns;
use sluicegate_pipeline::{EventTimeFrom, Limits, Pipeline, StageConfig, TableFormat};
use sluicegate_sandbox::module::fit::{FitError, Fitted, fit};
use sluicegate_sandbox::module::loaded::LoadedModule;
use sluicegate_sandbox::plugin::Plugin;
use sluicegate_sandbox::run::calls::GuestKind;
use sluicegate_sandbox::run::runner::StageRunner;

use columns::{check_names, check_topics, shapes, tables};
use future::FutureGuard;
use jump::JumpGuard;
use metadata::MetadataColumns;
use unit::TimeColumn;

pub(super) use logic::{Grouped, KeyedPlan, LogicPlan, WindowsPlan};

/// More than this does not fit a column of text.
const MADE_BYTES_MAX: usize = 1 << 30;
/// Sixteen times the records of a turn: a shopping basket becomes its items, each with the columns of the basket.
const TIMES_THE_TURN: usize = 16;

/// A module in its place.
#[derive(Clone, Debug)]
pub struct PlacedModule {
    /// The stage as the pipeline file has it.
    pub stage: StageConfig,
    /// Compiled, and not yet fitted to the columns of the stage.
    pub module: LoadedModule,
    /// How the chain knows it.
    pub pinned: PinnedModule,
}

/// What a lane does with a record.
pub(super) struct Plan {
    schema: Schema,
    /// Declared columns that somebody reads, ascending.
    wanted: Vec<usize>,
    /// Those of them whose readers all take codes.
    coded: Vec<usize>,
    /// Those of them that are no part of a record's value.
    pub(super) metadata: Option<MetadataColumns>,
    pub(super) event_time: EventTimeSource,
    pub(super) future: FutureGuard,
    pub(super) jump: JumpGuard,
    pub(super) time_column: TimeColumn,
    /// The name under which the host's own steps stand in the dead-letter table.
    pub(super) host_stage: Arc<str>,
    pub(super) stages: Vec<FittedStage>,
    /// The rows after the last filter or map.
    pub(super) rows: SchemaRef,
    /// What is made of them.
    pub(super) logic: LogicPlan,
    /// What the sinks get: window results, what a keyed plugin emits, or the rows.
    pub(super) output: SchemaRef,
    /// The column of `output` that holds the event time of a row; raw rows bring theirs beside them.
    pub(super) output_time: Option<&'static str>,
    pub(super) limits: CallLimits,
    /// Bytes that a run of chunks may make.
    pub(super) made_bytes_max: usize,
}

/// Modules that fit a pipeline, which was not run.
pub struct Fitting {
    /// Their plugins, in the order of the stages.
    pub plugins: Vec<Plugin>,
    /// The tables without a log that they would make, for [`check_tables`](sluicegate_pipeline::fingerprint::columns::check_tables).
    pub tables: Vec<TableColumns>,
    /// The columns of the tables with a log, by the table's id.
    pub logged: BTreeMap<Arc<str>, Arc<TableShape>>,
}

/// Whether modules (one per stage, the aggregate included) fit the pipeline, without running it.
pub fn fit_all(pipeline: &Pipeline, modules: &[PlacedModule]) -> Result<Fitting, PlanError> {
    let plan = Plan::new(pipeline, modules)?;
    let plugins = plan.all_stages().map(|stage| stage.plugin.clone()).collect();
    Ok(Fitting { plugins, tables: plan.plain_tables(pipeline), logged: plan.shapes(pipeline)? })
}

/// Where the event time of a row comes from.
pub(super) enum EventTimeSource {
    /// A column of the decoded batch.
    Column(usize),
    /// Kafka's timestamp.
    RecordTimestamp,
}

/// A plugin in its place.
#[derive(Clone)]
pub(super) struct FittedStage {
    pub(super) id: Arc<str>,
    pub(super) plugin: Plugin,
    /// Columns of the rows before it that it is given.
    pub(super) inputs: Vec<usize>,
    /// The rows before it if every declared column were read: what another module could ask for in its place.
    pub(super) declared: SchemaRef,
    /// The rows after it.
    pub(super) output: SchemaRef,
    pub(super) kind: PluginKind,
}

/// A plan that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A plugin does not fit its stage.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// A key names no column of the rows.
    #[error("the key of {section} names `{column}`, but the rows after the last map have {have}")]
    KeyColumn {
        /// `[window]`, `[process]` or a sink.
        section: String,
        /// As written.
        column: String,
        /// The columns there are.
        have: String,
    },
    /// A table with a log has a column that the log cannot name.
    #[error("table `{table}`: {reason}")]
    NoLogType {
        /// The table.
        table: String,
        /// The column and its type.
        reason: String,
    },
    /// Two columns of the results would have one name.
    #[error(
        "the results would have two columns `{column}`: rename the key or the output of `{stage}`"
    )]
    TwoColumns {
        /// Their name.
        column: String,
        /// The stage of the aggregate or keyed plugin.
        stage: String,
    },
    /// Two columns differ in their case only, which many readers of tables do not tell apart.
    #[error(
        "{whose} have the columns `{one}` and `{other}`, which many readers do not tell apart: rename one of them"
    )]
    OneName {
        /// The rows of which table.
        whose: String,
        /// The first of them.
        one: String,
        /// The second.
        other: String,
    },
    /// Folders of days or hours give readers a column that the files have as well.
    #[error(
        "the folders `{of_time}=…` of table `{table}` would clash with its column `{column}`: rename the column, or remove `partition_by`"
    )]
    TimeColumn {
        /// The table's id.
        table: String,
        /// As it is spelt.
        column: String,
        /// As the folders have it.
        of_time: String,
    },
    /// No module was given for a stage.
    #[error("stage `{0}` has no module")]
    NoModule(String),
}

impl Plan {
    /// Fits the modules (one per stage, the aggregate included) into the pipeline.
    pub(super) fn new(pipeline: &Pipeline, modules: &[PlacedModule]) -> Result<Self, PlanError> {
        let everything: Vec<usize> = (0..pipeline.schema.columns.len()).collect();
        // Fitted twice: first over all declared columns, to learn which of them anybody reads.
        let wide = Self::over(pipeline, modules, everything)?;
        let wanted = wide.read_columns(pipeline);
        let mut plan = Self::over(pipeline, modules, wanted)?;
        let stages = plan.stages.iter_mut().chain(plan.logic.stage_mut());
        for (stage, wide) in stages.zip(wide.all_stages()) {
            stage.declared = Arc::clone(&wide.declared);
        }
        plan.coded = coded::columns(&plan);
        Ok(plan)
    }

    fn over(
        pipeline: &Pipeline,
        modules: &[PlacedModule],
        wanted: Vec<usize>,
    ) -> Result<Self, PlanError> {
        let fields: Vec<Field> =
            wanted.iter().map(|column| pipeline.schema.columns[*column].field()).collect();
        let mut rows: SchemaRef = Arc::new(ArrowSchema::new(fields));
        let decoded = Arc::clone(&rows);
        let mut stages = Vec::with_capacity(pipeline.stages.len());
        for stage in &pipeline.stages {
            let fitted = FittedStage::new(stage, modules, &rows)?;
            rows = Arc::clone(&fitted.output);
            stages.push(fitted);
        }
        let event_time = match pipeline.event_time.from {
            EventTimeFrom::Column(column) => {
                let name = &pipeline.schema.columns[column].name;
                EventTimeSource::Column(
                    decoded.index_of(name).expect("the event time is always wanted"),
                )
            }
            EventTimeFrom::RecordTimestamp => EventTimeSource::RecordTimestamp,
        };
        let (logic, output_time) = LogicPlan::new(pipeline, modules, &rows)?;
        let output = Arc::clone(logic.grouped().map_or(&rows, |grouped| &grouped.output));
        check_topics(pipeline, &rows, &output)?;
        check_names(pipeline, &rows, &output)?;
        Ok(Self {
            schema: pipeline.schema.clone(),
            metadata: MetadataColumns::new(&pipeline.schema, &wanted),
            wanted,
            coded: Vec::new(),
            event_time,
            future: FutureGuard::new(&pipeline.event_time),
            jump: JumpGuard::new(&pipeline.event_time),
            time_column: TimeColumn::new(pipeline),
            host_stage: Arc::from("sluicegate"),
            stages,
            rows,
            logic,
            output,
            output_time,
            limits: CallLimits::from(&pipeline.limits),
            made_bytes_max: made_bytes_max(&pipeline.limits),
        })
    }

    /// The declared columns that somebody reads: all of them if whole rows are kept anywhere.
    fn read_columns(&self, pipeline: &Pipeline) -> Vec<usize> {
        let Some(grouped) = self.logic.grouped().filter(|_| pipeline.late.is_none()) else {
            return self.wanted.clone();
        };
        let mut names: BTreeSet<&str> =
            self.all_stages().flat_map(FittedStage::columns_read).collect();
        names.extend(grouped.key_fields.iter().map(|field| field.name().as_str()));
        let event_time = match pipeline.event_time.from {
            EventTimeFrom::Column(column) => Some(column),
            EventTimeFrom::RecordTimestamp => None,
        };
        let read = |column: &usize| {
            Some(*column) == event_time
                || names.contains(self.schema.columns[*column].name.as_str())
        };
        let mut read: Vec<usize> = self.wanted.iter().copied().filter(read).collect();
        // A decoder of no column at all would not check that a record is JSON.
        let is_of_value = |column: &usize| self.schema.columns[*column].path().is_some();
        if !read.iter().any(is_of_value) {
            read.extend(self.wanted.iter().copied().find(is_of_value));
            read.sort_unstable();
        }
        read
    }

    /// The tables that a pipeline promises its readers, with their columns: all but that of dead letters, which is
    /// ours.
    pub(super) fn tables(&self, pipeline: &Pipeline) -> Vec<TableColumns> {
        tables(pipeline, &self.rows, &self.output)
    }

    /// Of these tables those without a log: only the files tell what columns they have.
    pub(super) fn plain_tables(&self, pipeline: &Pipeline) -> Vec<TableColumns> {
        let logged = pipeline.tables().into_iter();
        let logged = logged.filter(|(_, location)| location.format == TableFormat::Delta);
        let logged: Vec<Arc<str>> = logged.map(|(id, _)| id).collect();
        let mut tables = self.tables(pipeline);
        tables.retain(|table| !logged.iter().any(|id| **id == *table.id));
        tables
    }

    /// The columns of the tables with a log.
    pub(super) fn shapes(
        &self,
        pipeline: &Pipeline,
    ) -> Result<BTreeMap<Arc<str>, Arc<TableShape>>, PlanError> {
        shapes(pipeline, &self.rows, &self.output)
    }

    /// All stages in their order, the one with state last.
    pub(super) fn all_stages(&self) -> impl Iterator<Item = &FittedStage> {
        self.stages.iter().chain(self.logic.grouped().map(|grouped| &grouped.stage))
    }

    /// A decoder for the columns that somebody reads.
    pub(super) fn decoder(&self) -> Decoder {
        Decoder::new(&self.schema, &self.wanted).with_codes(&self.schema, &self.coded)
    }
}

/// What a run of chunks may make in a pipeline with these limits.
fn made_bytes_max(limits: &Limits) -> usize {
    limits.turn_bytes.saturating_mul(TIMES_THE_TURN).min(MADE_BYTES_MAX)
}

impl FittedStage {
    fn new(
        stage: &StageConfig,
        modules: &[PlacedModule],
        rows: &SchemaRef,
    ) -> Result<Self, PlanError> {
        let placed = modules.iter().find(|placed| placed.stage.id == stage.id);
        let placed = placed.ok_or_else(|| PlanError::NoModule(stage.id.to_string()))?;
        let Fitted { plugin, inputs, output } = fit(&stage.place(), &placed.module, rows)?;
        Ok(Self {
            id: Arc::clone(&stage.id),
            plugin,
            inputs,
            declared: Arc::clone(rows),
            output,
            kind: stage.kind,
        })
    }

    /// The names of the columns that its plugin is given.
    fn columns_read(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().map(|input| self.declared.field(*input).name().as_str())
    }

    /// A runner for one worker.
    pub(super) fn runner<G: GuestKind + ?Sized>(&self, limits: &CallLimits) -> StageRunner<G> {
        StageRunner::new(&self.plugin, limits)
    }
}
