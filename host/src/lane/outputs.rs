//! Where a lane's rows go: results or raw rows to the tables and topics of the sinks, late rows and
//! dead letters to their tables. All of them are files or messages of the same epoch, in the same
//! commit (docs/design/decisions.md#d14).

use std::sync::Arc;

use arrow::record_batch::RecordBatch;

use crate::chain::record::Epoch;
use crate::config::{Pipeline, SinkKind, TableLocation};
use crate::sink::dead_letters::{DeadLetter, DeadLetters};
use crate::sink::late::late_rows;
use crate::sink::{EncodedFile, SinkError, Table, Tables, dead_letters, late};
use crate::source::RecordBlock;
use crate::time::{Watermark, thread_cpu_nanos};
use crate::window::Watcher;
use crate::window::sliding::Progress;

use super::early::early_results;
use super::fire::{CondemnedGroup, Fired, Results, fire};
use super::outbox::Outbox;
use super::place::Placed;
use super::plan::Plan;
use super::prepare::{Prepared, project};
use super::runs::Runs;
use super::{Lane, LaneError};

/// What a lane writes, by what goes there.
pub(super) struct Outputs {
    tables: Tables,
    pub(super) outbox: Outbox,
    /// Results, or raw rows: one table per Parquet sink.
    results: Vec<usize>,
    late: Option<usize>,
    dead_letters: Option<usize>,
    /// Those that are not in the table's file yet.
    letters: DeadLetters,
}

/// Dead letters are handed to their table when they hold so many bytes: far below what a column of text can hold.
const LETTERS_BYTES_MAX: usize = 32 << 20;

impl Outputs {
    /// The tables and topics of a pipeline.
    pub(super) fn new(config: &Pipeline, plan: &Plan, outbox: Outbox) -> Self {
        let mut tables = Vec::new();
        let time = plan.time_column();
        let mut add = |id: &Arc<str>, schema, location: &TableLocation, time: Option<&str>| {
            tables.push(Table {
                id: Arc::clone(id),
                schema,
                partition_by_date: location.partition_by_date,
                event_time_column: time.map(str::to_owned),
                file_bytes_max: location.file_bytes_max,
            });
            tables.len() - 1
        };
        let results = config.sinks.iter().filter_map(|sink| match &sink.kind {
            SinkKind::Parquet(location) => {
                Some(add(&sink.id, Arc::clone(&plan.output), location, time))
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
        let letters = DeadLetters::default();
        Self { tables: Tables::new(tables), outbox, results, late, dead_letters, letters }
    }

    /// Closes all files of the epoch.
    pub(super) fn freeze(&mut self) -> Result<Vec<EncodedFile>, SinkError> {
        self.write_dead_letters()?;
        self.tables.freeze()
    }

    /// Bytes that wait for the barrier.
    pub(super) fn staged_bytes(&self) -> u64 {
        self.tables.buffered_bytes() + self.outbox.staged_bytes()
    }

    /// Writes final rows to every sink. They become true with `epoch`.
    fn write_results(
        &mut self,
        rows: &RecordBatch,
        times: Option<&[i64]>,
        epoch: Epoch,
    ) -> Result<(), LaneError> {
        self.outbox.write(rows, epoch)?;
        for table in &self.results {
            self.tables.write(*table, rows, times)?;
        }
        Ok(())
    }
}

impl Outputs {
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

impl Lane {
    /// Fires the windows that `watermark` has passed and `before` had not, and those that have to be corrected.
    pub(super) fn fire(
        &mut self,
        before: Watermark,
        watermark: Watermark,
    ) -> Result<(), LaneError> {
        let Some(windows) = self.plan.windows else { return Ok(()) };
        let plan = &self.plan;
        let progress = Progress {
            before,
            now: watermark,
            lateness: plan.lateness,
            tells_closed: self.outputs.outbox.takes_updates(),
        };
        let fired = self.pool.each_worker(|_, worker| {
            let started = thread_cpu_nanos();
            let fired = fire(worker, plan, windows, progress);
            worker.nanos.window += thread_cpu_nanos() - started;
            fired
        });
        self.report_steps();
        let started = thread_cpu_nanos();
        let (results, closed): (Vec<Results>, Vec<Results>) =
            fired.into_iter().map(|Fired { results, closed }| (results, closed)).unzip();
        self.each_run(&closed, |lane, rows| {
            lane.dirty = true;
            lane.outputs.outbox.write_updates(rows, true, lane.epoch.next())?;
            lane.write_too_large()
        })?;
        self.each_run(&results, |lane, rows| {
            lane.dirty = true;
            lane.live.fired(rows);
            lane.write_results(rows, None)
        })?;
        let condemned: Vec<CondemnedGroup> =
            results.into_iter().flat_map(|results| results.condemned).collect();
        if !condemned.is_empty() {
            self.write_condemned_groups(&condemned)?;
        }
        self.outside.metrics.steps.sink.add_nanos(thread_cpu_nanos() - started);
        Ok(())
    }

    /// Writes final rows to every sink. What no topic can take is dead-lettered.
    pub(super) fn write_results(
        &mut self,
        rows: &RecordBatch,
        times: Option<&[i64]>,
    ) -> Result<(), LaneError> {
        self.outputs.write_results(rows, times, self.epoch.next())?;
        self.write_too_large()
    }

    /// Writes the groups that changed since the last barrier and whose windows take more rows, for the sinks that take
    /// updates.
    pub(super) fn write_updates(&mut self) -> Result<(), LaneError> {
        let Some(windows) = self.plan.windows.filter(|_| self.outputs.outbox.takes_updates())
        else {
            return Ok(());
        };
        let (plan, watermark) = (&self.plan, self.partitions.clock().watermark());
        let results = self.pool.each_worker(|_, worker| {
            early_results(worker, plan, windows, (Watcher::Outbox, watermark), usize::MAX)
        });
        self.each_run(&results, |lane, rows| {
            lane.outputs.outbox.write_updates(rows, false, lane.epoch.next())?;
            lane.write_too_large()
        })
    }

    /// Calls `write` with the results of all workers in order, a bounded run at a time.
    fn each_run(
        &mut self,
        results: &[Results],
        mut write: impl FnMut(&mut Self, &RecordBatch) -> Result<(), LaneError>,
    ) -> Result<(), LaneError> {
        let mut runs = Runs::of(results);
        loop {
            let gathered = runs.gather_next(&mut self.pool);
            if gathered.is_empty() {
                return Ok(());
            }
            gathered.iter().try_for_each(|rows| write(self, rows))?;
        }
    }

    /// Writes what a turn leaves for the tables: raw rows, late rows, dead letters.
    pub(super) fn sink_rows(
        &mut self,
        blocks: &[RecordBlock],
        chunks: &[(Prepared, Placed)],
    ) -> Result<(), LaneError> {
        let started = thread_cpu_nanos();
        self.dirty |= !chunks.is_empty();
        for (prepared, placed) in chunks {
            if self.plan.is_raw() {
                self.write_raw(prepared, placed)?;
            }
            if !placed.late.is_empty() {
                self.write_late(prepared, placed)?;
            }
            self.write_condemned(&blocks[prepared.chunk.block], &prepared.condemned)?;
        }
        self.outputs.write_dead_letters()?;
        self.outside.metrics.steps.sink.add_nanos(thread_cpu_nanos() - started);
        Ok(())
    }

    fn write_raw(&mut self, prepared: &Prepared, placed: &Placed) -> Result<(), LaneError> {
        if placed.rows.is_empty() {
            return Ok(());
        }
        let every: Vec<usize> = (0..self.plan.output.fields().len()).collect();
        let picked = prepared.rows.picked.as_deref();
        let rows = project(&prepared.rows.batch, &every, picked);
        let times: Vec<i64> =
            placed.rows.iter().map(|row| prepared.rows.times[*row as usize]).collect();
        self.write_results(&rows, Some(&times))
    }

    fn write_late(&mut self, prepared: &Prepared, placed: &Placed) -> Result<(), LaneError> {
        let Some(table) = self.outputs.late else { return Ok(()) };
        let every: Vec<usize> = (0..self.plan.rows.fields().len()).collect();
        let picked: Vec<u32> = placed.late.iter().map(|late| late.row).collect();
        let rows = project(&prepared.rows.batch, &every, Some(&picked));
        let missed: Vec<_> = placed.late.iter().map(|late| late.missed).collect();
        Ok(self.outputs.tables.write(table, &late_rows(&rows, &missed), None)?)
    }
}
