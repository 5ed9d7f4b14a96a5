//! What a lane counts, once a turn or less often.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::commits::Commits;
use super::fates::FateCounters;
use super::instrument::{Counter, FAST, Gauge, Histogram, Longest, NamedCounters, SLOW, StepTime};
use super::partition::PartitionFates;
use super::stage::{ModuleMetrics, StageMetrics};
use sluicegate_chain::Deleted;
use sluicegate_chain::record::{DataFile, Epoch, StateRef};
use sluicegate_connect::outbox::Deliveries;
use sluicegate_runtime::Panics;

/// The counters of a pipeline. Made once by whoever starts it, kept when its lane is opened again, added to by
/// the lane and its committer. What stands in the published status (lag, watermark, epoch, groups, state, phase,
/// modules) is taken from there and not counted twice.
#[derive(Debug)]
pub struct LaneMetrics {
    /// Records by what became of them, since this program has run the pipeline.
    pub records: FateCounters,
    /// The same by partition, told when the status is published.
    pub partitions: PartitionFates,
    /// Bytes of the values of records read.
    pub read_bytes: Counter,
    /// Records that the decoder read twice, because they are written in a way that its one pass does not take.
    pub reread: Counter,
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
    pub commit_failures: Arc<AtomicU64>,
    /// What the owner has deleted because nothing needs it any more.
    pub deleted: Arc<Deleted>,
    /// Work beside the lane that panicked: housekeeping, compaction, signs of life.
    pub panics: Panics,
    /// State stored with the last committed epoch, compressed.
    pub checkpoint_bytes: Gauge,
    /// State that was stored since the start, compressed: all of it at a time, …
    pub base_bytes: Counter,
    /// … or what had changed.
    pub delta_bytes: Counter,
    /// Times that stored pieces of the state were merged into a base beside the lane.
    pub merges: Counter,
    /// When an epoch was last committed, wall time in µs since 1970; 0: not yet.
    pub last_commit_micros: Gauge,
    /// The last commits, for people; at most [`Commits::KEPT`].
    pub commits: Commits,
    /// How often the lane was opened.
    pub openings: Counter,
    /// When it was opened last, wall time in µs since 1970; 0: not yet.
    pub opened_micros: Gauge,
    /// The epoch behind which the lane was opened last.
    pub opened_epoch: Gauge,
    /// Messages for topics that brokers have acknowledged, and attempts that failed; the courier counts them.
    pub deliveries: Arc<Deliveries>,
    /// When the lane last published its status, wall time in µs since 1970; 0: not yet.
    pub published_micros: Gauge,
    /// How often the lane failed and was opened again.
    pub restarts: Counter,
    /// Positions that were lost and moved.
    pub position_jumps: Counter,
    /// Dead letters by kind: records, groups, timers and messages.
    pub dead_letters: NamedCounters,
    stages: Vec<StageMetrics>,
    tables: Vec<TableMetrics>,
}

/// CPU time of the steps of turns, all workers together: what others do on the machine does not show in it. What
/// happens between two turns counts to the later one.
#[derive(Debug, Default)]
pub struct StepTimes {
    /// Taking records from the source, on the lane's thread; the source's own threads are not in it.
    pub source: StepTime,
    /// From bytes to columns, and the judgement of event times.
    pub decode: StepTime,
    /// The calls of filters and maps, and what the host does about them.
    pub plugins: StepTime,
    /// Placing, grouping, the aggregate's calls, firing.
    pub window: StepTime,
    /// From rows to Parquet and to messages, on the lane's thread.
    pub sink: StepTime,
}

/// What was committed to a table.
#[derive(Debug)]
pub struct TableMetrics {
    /// Id of the sink, or `late`, or `dead_letters`.
    pub id: Arc<str>,
    /// Data files that records of the chain name.
    pub files: Counter,
    /// Rows of these files, once each.
    pub rows: Counter,
    /// Bytes of these files, as stored.
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
            partitions: PartitionFates::default(),
            read_bytes: Counter::default(),
            reread: Counter::default(),
            turn: Histogram::new(&FAST),
            steps: StepTimes::default(),
            longest_pause: Longest::default(),
            checkpoint: Histogram::new(&SLOW),
            commit: Histogram::new(&SLOW),
            commit_failures: Arc::default(),
            deleted: Arc::default(),
            panics: Panics::default(),
            checkpoint_bytes: Gauge::default(),
            base_bytes: Counter::default(),
            merges: Counter::default(),
            delta_bytes: Counter::default(),
            last_commit_micros: Gauge::default(),
            commits: Commits::default(),
            openings: Counter::default(),
            opened_micros: Gauge::default(),
            opened_epoch: Gauge::default(),
            deliveries: Arc::default(),
            published_micros: Gauge::default(),
            restarts: Counter::default(),
            position_jumps: Counter::default(),
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

    /// What counts for the module that the stage of that id runs.
    pub fn running(&self, id: &str) -> Option<Arc<ModuleMetrics>> {
        self.stage(id)?.running()
    }

    /// The tables, in the order given to [`LaneMetrics::new`].
    pub fn tables(&self) -> &[TableMetrics] {
        &self.tables
    }

    /// The lane was opened behind an epoch, at this wall time in µs since 1970.
    pub fn opened(&self, epoch: Epoch, wall_micros: i64) {
        self.opened_epoch.set(epoch.0);
        self.opened_micros.set_micros(wall_micros);
        self.openings.add(1);
    }

    /// Counts a commit: its files by table, its state, and its wall time in µs since 1970.
    pub fn committed(
        &self,
        epoch: Epoch,
        files: &[DataFile],
        state: Option<&StateRef>,
        wall_micros: i64,
    ) {
        for file in files {
            if let Some(table) = self.tables.iter().find(|table| *table.id == *file.table) {
                table.files.add(1);
                table.rows.add(file.rows);
                table.bytes.add(file.bytes);
            }
        }
        for piece in state.iter().flat_map(|state| state.put_for(epoch)) {
            let kind = if piece.delta { &self.delta_bytes } else { &self.base_bytes };
            kind.add(piece.bytes);
        }
        self.checkpoint_bytes.set(state.map_or(0, StateRef::bytes));
        self.last_commit_micros.set_micros(wall_micros);
    }
}

impl StepTimes {
    /// Every step with its name.
    pub fn all(&self) -> [(&'static str, &StepTime); 5] {
        let Self { source, decode, plugins, window, sink } = self;
        [
            ("source", source),
            ("decode", decode),
            ("plugins", plugins),
            ("window", window),
            ("sink", sink),
        ]
    }

    /// A turn has ended: what its steps took since the one before is counted as its time. How much all of them, ns.
    pub fn end_turn(&self) -> u64 {
        self.all().into_iter().map(|(_, step)| step.end_turn()).sum()
    }
}

impl TableMetrics {
    fn new(id: Arc<str>) -> Self {
        Self { id, files: Counter::default(), rows: Counter::default(), bytes: Counter::default() }
    }
}
