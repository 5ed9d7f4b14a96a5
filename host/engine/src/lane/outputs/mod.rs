//! Where a lane's rows go: results or raw rows to the tables and topics of the sinks, late rows and dead letters to
//! their tables. All of them are files or messages of the same epoch, in the same commit
//! (docs/design/decisions.md#d14).

mod compaction;
mod condemned;
mod lately;
pub(in crate::lane) mod logs;
pub(in crate::lane) mod outbox;
mod shown;
pub(in crate::lane) mod told;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use crate::counters::LaneMetrics;
use crate::status::LaneStatus;
use sluicegate_chain::FrozenOutbox;
use sluicegate_chain::fates::Fates;
use sluicegate_chain::frozen::EncodedFile;
use sluicegate_chain::record::Epoch;
use sluicegate_connect::sink::dead_letters::{DeadLetter, DeadLetters};
use sluicegate_connect::sink::late::late_rows;
use sluicegate_connect::sink::{SinkError, Table, Tables, dead_letters, late};
use sluicegate_connect::source::RecordBlock;
use sluicegate_model::time::{Clock, thread_cpu_nanos};
use sluicegate_pipeline::{Pipeline, SinkKind, TableLocation};

use super::logic::Judged;
use super::plan::Plan;
use super::plan::columns::with_epoch;
use super::pool::Pool;
use super::rows::{Prepared, project};
use super::{LaneEnd, LaneError};
use lately::{HasTables, Kept};
use logs::TableLogs;
use outbox::Outbox;
use told::Told;

/// What a lane writes, by what goes there.
pub(super) struct Outputs {
    config: Arc<Pipeline>,
    clock: Clock,
    metrics: Arc<LaneMetrics>,
    tables: Tables,
    pub(super) outbox: Outbox,
    pub(super) logs: TableLogs,
    /// Results, or raw rows: one table per Parquet sink.
    results: Vec<Results>,
    late: Option<usize>,
    dead_letters: Option<usize>,
    /// Those that are not in the table's file yet.
    letters: DeadLetters,
    pub(super) told: Told,
    kept: Kept,
}

/// A table of results.
struct Results {
    /// Among the tables.
    table: usize,
    /// Its columns, if that of the epoch is one.
    with_epoch: Option<SchemaRef>,
}

/// Rows with the epoch that makes them.
fn of_epoch(rows: &RecordBatch, schema: &SchemaRef, epoch: Epoch) -> RecordBatch {
    let epoch = i64::try_from(epoch.0).unwrap_or(i64::MAX);
    let epochs: ArrayRef = Arc::new(Int64Array::from_value(epoch, rows.num_rows()));
    let columns = rows.columns().iter().cloned().chain([epochs]);
    let rows = RecordBatch::try_new(Arc::clone(schema), columns.collect());
    rows.expect("the columns of results, and a number for each row")
}

/// Dead letters are handed to their table when they hold so many bytes: far below what a column of text can hold.
const LETTERS_BYTES_MAX: usize = 32 << 20;

impl Outputs {
    /// The tables and topics of a pipeline.
    pub(super) fn new(
        config: &Arc<Pipeline>,
        plan: &Plan,
        clock: &Clock,
        metrics: &Arc<LaneMetrics>,
        pool: &Pool,
        (outbox, logs): (Outbox, TableLogs),
    ) -> Self {
        let mut tables = Vec::new();
        let time = plan.output_time;
        let mut add = |id: &Arc<str>, schema, location: &TableLocation, time: Option<&str>| {
            tables.push(Table {
                id: Arc::clone(id),
                schema,
                partition_by: location.partition_by.clone(),
                event_time_column: time.map(str::to_owned),
                file_bytes_max: location.file_bytes_max,
                shape: logs.shape(id),
            });
            tables.len() - 1
        };
        let results = config.sinks.iter().filter_map(|sink| match &sink.kind {
            SinkKind::Table(location) => {
                let with_epoch = location.epoch_column.then(|| with_epoch(&plan.output));
                let schema = with_epoch.clone().unwrap_or_else(|| Arc::clone(&plan.output));
                Some(Results { table: add(&sink.id, schema, location, time), with_epoch })
            }
            SinkKind::Kafka(_) | SinkKind::Console { .. } => None,
        });
        let results = results.collect();
        let late = config.late.as_ref().map(|location| {
            add(&Arc::from("late"), late::schema(&plan.rows), location, Some("window_start"))
        });
        let dead_letters = config.dead_letters.as_ref().map(|location| {
            add(&Arc::from("dead_letters"), dead_letters::schema(), location, Some("at"))
        });
        Self {
            config: Arc::clone(config),
            clock: clock.clone(),
            metrics: Arc::clone(metrics),
            tables: Tables::new(tables).encoded_by(pool.spread(metrics)),
            outbox,
            logs,
            results,
            late,
            dead_letters,
            letters: DeadLetters::default(),
            told: Told::default(),
            kept: Kept::default(),
        }
    }

    /// Closes all files of the epoch, and takes its messages.
    pub(super) fn freeze(&mut self) -> Result<(Vec<EncodedFile>, Option<FrozenOutbox>), SinkError> {
        self.write_dead_letters()?;
        Ok((self.tables.freeze()?, self.outbox.freeze()))
    }

    /// Bytes that wait for the barrier.
    pub(super) fn staged_bytes(&self) -> u64 {
        self.tables.buffered_bytes() + self.outbox.staged_bytes()
    }

    /// Writes final rows to every sink. They become true with `epoch`. What no topic can take is dead-lettered.
    pub(super) fn write_results(
        &mut self,
        rows: &RecordBatch,
        times: Option<&[i64]>,
        epoch: Epoch,
    ) -> Result<(), LaneError> {
        self.outbox.write(rows, epoch)?;
        for Results { table, with_epoch } in &self.results {
            match with_epoch {
                None => self.tables.write(*table, rows, times)?,
                Some(schema) => self.tables.write(*table, &of_epoch(rows, schema, epoch), times)?,
            }
        }
        self.write_too_large(epoch)
    }

    /// Writes changed groups to the topics that take updates: of windows that take more rows, or, if they are `last`,
    /// that do not.
    pub(super) fn write_updates(
        &mut self,
        rows: &RecordBatch,
        last: bool,
        epoch: Epoch,
    ) -> Result<(), LaneError> {
        self.outbox.write_updates(rows, last, epoch)?;
        self.write_too_large(epoch)
    }

    /// Writes what a turn leaves for the tables: raw rows, late rows, dead letters.
    pub(super) fn write_turn(
        &mut self,
        blocks: &[RecordBlock],
        chunks: &[Prepared],
        judged: &[Judged],
        epoch: Epoch,
    ) -> Result<(), LaneError> {
        let started = thread_cpu_nanos();
        for (prepared, judged) in chunks.iter().zip(judged) {
            if judged.are_results {
                self.write_raw(prepared, judged, epoch)?;
            }
            if !judged.late.is_empty() {
                self.write_late(prepared, judged, epoch)?;
            }
            self.write_condemned(&blocks[prepared.chunk.block], &prepared.condemned, epoch)?;
        }
        self.write_dead_letters()?;
        self.metrics.steps.sink.add_nanos(thread_cpu_nanos() - started);
        Ok(())
    }

    fn write_raw(
        &mut self,
        prepared: &Prepared,
        judged: &Judged,
        epoch: Epoch,
    ) -> Result<(), LaneError> {
        if judged.accepted.is_empty() {
            return Ok(());
        }
        let batch = &prepared.rows.batch;
        let every: Vec<usize> = (0..batch.num_columns()).collect();
        let rows = project(batch, &every, prepared.rows.picked.as_deref());
        let times: Vec<i64> =
            judged.accepted.iter().map(|row| prepared.rows.times[*row as usize]).collect();
        self.write_results(&rows, Some(&times), epoch)
    }

    fn write_late(
        &mut self,
        prepared: &Prepared,
        judged: &Judged,
        epoch: Epoch,
    ) -> Result<(), LaneError> {
        let (all, wanted) = (judged.late.len(), Kept::late_wanted(judged.late.len()));
        // Without a table only those that are shown.
        let written = if self.late.is_some() { all } else { wanted };
        let late = &judged.late[all - written..];
        let batch = &prepared.rows.batch;
        let every: Vec<usize> = (0..batch.num_columns()).collect();
        let picked: Vec<u32> = late.iter().map(|late| late.row).collect();
        let rows = project(batch, &every, Some(&picked));
        let missed: Vec<_> = late.iter().map(|late| late.missed).collect();
        let rows = late_rows(&rows, &missed);
        self.kept.late(&rows.slice(written - wanted, wanted), all, epoch);
        match self.late {
            Some(table) => Ok(self.tables.write(table, &rows, None)?),
            None => Ok(()),
        }
    }

    /// Whether messages of a committed epoch are on their way.
    pub(super) fn is_unsent(&self) -> bool {
        self.outbox.is_unsent()
    }

    /// The lane has ended. Whether all its messages are delivered; the log says so if not, and a clean stop should have
    /// waited for them.
    pub(super) fn end(&self, end: LaneEnd) -> bool {
        let is_sent = !self.is_unsent();
        if end == LaneEnd::Stopped && !is_sent {
            tracing::warn!(
                pipeline = %self.config.name,
                "stopped before a topic took the last results; the next start sends them"
            );
        }
        is_sent
    }

    /// Whether messages that were on their way have arrived within `limit`.
    pub(super) fn have_arrived(&mut self, limit: Duration) -> bool {
        self.outbox.wait(limit)
    }

    /// Adds what it knows to a status. That most records become dead letters is the last to be said: what moves is of
    /// no use, but it moves.
    pub(super) fn show(&mut self, status: &mut LaneStatus, total: Fates) {
        self.told.look(total);
        status.dead_letters = self.told.kinds();
        status.table_logs = self.logs.views();
        let tables =
            HasTables { dead_letters: self.dead_letters.is_some(), late: self.late.is_some() };
        status.lately = self.kept.publish(status.epoch, tables);
        status.add_problem(self.told.problem());
    }

    /// Whether dead letters have a table.
    pub(super) fn keeps_dead_letters(&self) -> bool {
        self.dead_letters.is_some()
    }

    /// Takes a dead letter for its table, if there is one.
    pub(super) fn push_dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), SinkError> {
        if self.dead_letters.is_none() {
            return Ok(());
        }
        self.letters.push(letter);
        if self.letters.bytes() >= LETTERS_BYTES_MAX { self.write_dead_letters() } else { Ok(()) }
    }

    /// Writes the dead letters that wait to their table.
    pub(super) fn write_dead_letters(&mut self) -> Result<(), SinkError> {
        match self.dead_letters.filter(|_| !self.letters.is_empty()) {
            Some(table) => self.tables.write(table, &self.letters.finish(), None),
            None => Ok(()),
        }
    }
}
