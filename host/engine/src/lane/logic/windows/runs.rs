//! Results of all workers in one order, a bounded run at a time.
//!
//! ```text
//!  worker 0   batches ─► sorted ┐                ┌─► run 0 ─► gathered by a worker ┐
//!  worker 1   batches ─► sorted ┴─► merged, cut ─┼─► run 1 ─► gathered by a worker ┼─► written, one behind the other
//!                                                └─► run 2 …                       ┘
//! ```
//!
//! Rows ascend by window and key, so that the rows of a file do not depend on the number of workers. Workers sort what
//! they made, and gather the runs; in the lane's own thread a row is only compared. No more than a run for each worker
//! is held beside what was made.

use arrow::compute::interleave_record_batch;
use arrow::record_batch::RecordBatch;

use super::aggregate::{ResultRow, Results};
use crate::lane::LaneError;
use crate::lane::pool::Pool;

/// Rows of a run: many enough that a run costs little beside them.
const ROWS: usize = if cfg!(test) { 4 } else { 65_536 };

/// Bytes of a run, about: rows can be large, and texts of an array must stay far below 2 GiB.
const BYTES: usize = 64 << 20;

/// What is left of the results of all workers.
pub(super) struct Runs<'r> {
    results: &'r [Results],
    /// Of each worker the batches before its own, and how many of its rows were taken.
    taken: Vec<(usize, usize)>,
    batches: Vec<&'r RecordBatch>,
    /// Of each batch the bytes of a row, about.
    row_bytes: Vec<usize>,
}

/// Rows of the batches of all workers.
pub(super) type Run = Vec<(usize, usize)>;

impl<'r> Runs<'r> {
    /// All results; each worker's are sorted.
    pub(super) fn of(results: &'r [Results]) -> Self {
        let batches: Vec<&RecordBatch> = results.iter().flat_map(|it| &it.batches).collect();
        let firsts = results.iter().scan(0, |next, results| {
            let first = *next;
            *next += results.batches.len();
            Some((first, 0))
        });
        let bytes = |batch: &&RecordBatch| batch.get_array_memory_size() / batch.num_rows().max(1);
        Self {
            taken: firsts.collect(),
            row_bytes: batches.iter().map(bytes).collect(),
            batches,
            results,
        }
    }

    /// The next rows in order: some `rows_max`, and never a part of a group. Empty if there are none.
    pub(super) fn next_run(&mut self, rows_max: usize) -> Run {
        let (mut run, mut bytes) = (Run::new(), 0);
        let mut last = None;
        while let Some((worker, row)) = self.first() {
            let place = self.results[worker].place(row);
            if (run.len() >= rows_max || bytes >= BYTES) && last != Some(place) {
                break;
            }
            last = Some(place);
            let (first, taken) = &mut self.taken[worker];
            *taken += 1;
            let batch = *first + row.batch as usize;
            bytes += self.row_bytes[batch];
            run.push((batch, row.row as usize));
        }
        run
    }

    /// The worker that has the next row, and that row. A group lies with one worker, so none is as good as another.
    fn first(&self) -> Option<(usize, ResultRow)> {
        let next = |(worker, results): (usize, &'r Results)| {
            let row = *results.order().get(self.taken[worker].1)?;
            Some((results.place(row), worker, row))
        };
        let rows = self.results.iter().enumerate().filter_map(next);
        let first = rows.min_by(|(one, ..), (other, ..)| one.cmp(other));
        first.map(|(_, worker, row)| (worker, row))
    }

    /// The rows of a run.
    pub(super) fn gather(&self, run: &Run) -> RecordBatch {
        interleave_record_batch(&self.batches, run)
            .expect("all results have the plan's output schema, and a run is bounded in bytes")
    }

    /// The next runs, one for each worker, gathered by them. Empty if there are none.
    pub(super) fn gather_next(&mut self, pool: &Pool) -> Vec<RecordBatch> {
        let runs = std::iter::repeat_with(|| self.next_run(ROWS)).take(pool.len());
        let runs: Vec<Run> = runs.take_while(|run| !run.is_empty()).collect();
        pool.each(&runs, |run| self.gather(run))
    }
}

/// Calls `write` with the results of all workers in order, a bounded run at a time.
pub(super) fn each_run(
    pool: &Pool,
    results: &[Results],
    mut write: impl FnMut(&RecordBatch) -> Result<(), LaneError>,
) -> Result<(), LaneError> {
    let mut runs = Runs::of(results);
    loop {
        let gathered = runs.gather_next(pool);
        if gathered.is_empty() {
            return Ok(());
        }
        gathered.iter().try_for_each(&mut write)?;
    }
}

/// All results in one, for a reader that takes few of them. None if there are none.
pub(super) fn join(results: &[Results]) -> Option<RecordBatch> {
    let mut runs = Runs::of(results);
    let run = runs.next_run(usize::MAX);
    (!run.is_empty()).then(|| runs.gather(&run))
}
