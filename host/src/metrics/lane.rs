//! What a lane counts, once a turn or less often.

use std::sync::Arc;

use super::instrument::{
    Counter, FAST, Gauge, Histogram, Longest, NamedCounters, SLOW, TimeCounter,
};
use crate::chain::record::Fates;
use crate::sink::DataFile;

/// The counters of a pipeline. Made once by whoever starts it, kept when its lane is opened again, added to by
/// the lane and its committer. What stands in the published status (lag, watermark, epoch, groups, state, phase,
/// modules) is taken from there and not counted twice.
#[derive(Debug)]
pub struct LaneMetrics {
    /// Records by fate.
    pub records: FateCounters,
    /// Bytes of the values of records read.
    pub read_bytes: Counter,
    /// From the arrival of a turn's records to the end of its last step.
    pub turn: Histogram,
    /// Where the time of turns went.
    pub steps: StepTimes,
    /// The longest time between two turns with records. Not scraped: a longest that nobody forgets says little, and
    /// one that a scrape forgets is lost to the next scraper. Benchmarks take it around a swap.
    pub longest_pause: Longest,
    /// Freezing an epoch, while the lane stands still.
    pub checkpoint: Histogram,
    /// From submitting an epoch until its record is durable.
    pub commit: Histogram,
    /// Attempts that the store did not take.
    pub commit_failures: Counter,
    /// When an epoch was last committed, wall time in µs since 1970; 0: not yet.
    pub last_commit_micros: Gauge,
    /// Rows dead-lettered, by kind.
    pub dead_letters: NamedCounters,
    stages: Vec<StageMetrics>,
    tables: Vec<TableMetrics>,
}

/// `read = accepted + filtered + late + dead_lettered` between two turns.
#[derive(Debug, Default)]
pub struct FateCounters {
    /// Records taken from the source.
    pub read: Counter,
    /// At least one row reached a window or a raw sink.
    pub accepted: Counter,
    /// No row was left after the filters and maps.
    pub filtered: Counter,
    /// All rows that were left were late.
    pub late: Counter,
    /// Any of it was dead-lettered.
    pub dead_lettered: Counter,
}

impl FateCounters {
    /// Adds what a turn made of its records.
    pub fn add(&self, fates: &Fates) {
        let Fates { read, accepted, filtered, late, dead_lettered } = *fates;
        self.read.add(read);
        self.accepted.add(accepted);
        self.filtered.add(filtered);
        self.late.add(late);
        self.dead_lettered.add(dead_lettered);
    }
}

/// CPU time of the steps of turns, all workers together: what others do on the machine does not show in it.
#[derive(Debug, Default)]
pub struct StepTimes {
    /// Taking records from the source, on the lane's thread; the source's own threads are not in it.
    pub source: TimeCounter,
    /// Bytes to columns.
    pub decode: TimeCounter,
    /// Filters and maps.
    pub plugins: TimeCounter,
    /// Placing, grouping, the aggregate's calls, firing.
    pub window: TimeCounter,
    /// Rows to Parquet.
    pub sink: TimeCounter,
}

/// What the plugin of a stage did, whichever modules the stage has had.
#[derive(Debug)]
pub struct StageMetrics {
    /// The stage's id.
    pub id: Arc<str>,
    /// Calls.
    pub calls: Counter,
    /// Rows given.
    pub rows: Counter,
    /// CPU time, all workers.
    pub cpu: TimeCounter,
    /// Calls that trapped.
    pub traps: Counter,
    /// Calls that met their deadline.
    pub deadlines: Counter,
    /// Calls whose answer broke the contract.
    pub bad_answers: Counter,
    /// Rows that the plugin refused.
    pub rejects: Counter,
    /// Linear memory of all instances.
    pub memory_bytes: Gauge,
    /// What the plugin counted by the contract's `count`.
    pub counts: NamedCounters,
}

/// What was committed to a table.
#[derive(Debug)]
pub struct TableMetrics {
    /// The table's id.
    pub id: Arc<str>,
    /// Files.
    pub files: Counter,
    /// Rows in them.
    pub rows: Counter,
    /// Their size.
    pub bytes: Counter,
}

impl LaneMetrics {
    /// All at zero. `stages` and `tables` are ids, in the order of the pipeline.
    pub fn new(
        stages: impl IntoIterator<Item = Arc<str>>,
        tables: impl IntoIterator<Item = Arc<str>>,
    ) -> Self {
        Self {
            records: FateCounters::default(),
            read_bytes: Counter::default(),
            turn: Histogram::new(&FAST),
            steps: StepTimes::default(),
            longest_pause: Longest::default(),
            checkpoint: Histogram::new(&SLOW),
            commit: Histogram::new(&SLOW),
            commit_failures: Counter::default(),
            last_commit_micros: Gauge::default(),
            dead_letters: NamedCounters::default(),
            stages: stages.into_iter().map(StageMetrics::new).collect(),
            tables: tables.into_iter().map(TableMetrics::new).collect(),
        }
    }

    /// The stages, in the order given to [`LaneMetrics::new`].
    pub fn stages(&self) -> &[StageMetrics] {
        &self.stages
    }

    /// The stage of that id; none if it was not given to [`LaneMetrics::new`].
    pub fn stage(&self, id: &str) -> Option<&StageMetrics> {
        self.stages.iter().find(|stage| *stage.id == *id)
    }

    /// The tables, in the order given to [`LaneMetrics::new`].
    pub fn tables(&self) -> &[TableMetrics] {
        &self.tables
    }

    /// Counts a commit: its files by table, and its wall time in µs since 1970.
    pub fn committed(&self, files: &[DataFile], wall_micros: i64) {
        for file in files {
            if let Some(table) = self.tables.iter().find(|table| *table.id == *file.table) {
                table.files.add(1);
                table.rows.add(file.rows);
                table.bytes.add(file.bytes);
            }
        }
        self.last_commit_micros.set(u64::try_from(wall_micros).unwrap_or(0));
    }
}

impl StageMetrics {
    fn new(id: Arc<str>) -> Self {
        Self {
            id,
            calls: Counter::default(),
            rows: Counter::default(),
            cpu: TimeCounter::default(),
            traps: Counter::default(),
            deadlines: Counter::default(),
            bad_answers: Counter::default(),
            rejects: Counter::default(),
            memory_bytes: Gauge::default(),
            counts: NamedCounters::default(),
        }
    }
}

impl TableMetrics {
    fn new(id: Arc<str>) -> Self {
        Self { id, files: Counter::default(), rows: Counter::default(), bytes: Counter::default() }
    }
}
