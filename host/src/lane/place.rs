//! Where each row goes: late, or to its window and key. Pure, by chunk.
//!
//! A row is late by the running watermark of its own partition, made by the records before it, and
//! never less than the lane's (docs/design/time.md#rule-2): neither the size of a batch, nor the
//! number of cores, nor how partitions interleave changes a verdict. The lane's watermark is the
//! minimum over partitions, so the window of a row that is not late is always still open.

use arrow::array::ArrayRef;

use crate::sink::late::{JudgedBy, Missed};
use crate::time::{EventTime, Watermark};
use crate::varlen::Varlen;
use crate::watermark::LaneClock;
use crate::window::{
    Place, Placement, RowSelection, Slides, TableHash, WindowAssigner, key, key_shard,
};

use super::plan::Plan;
use super::prepare::Rows;

/// The rows of a chunk, placed.
#[derive(Debug, Default)]
pub(super) struct Placed {
    /// Rows of the batch that are on time, ascending, and beside each its key. Of sessions all rows that are left, and
    /// beside each the watermark that judges it: where it goes depends on the rows before it.
    pub(super) rows: Vec<u32>,
    /// Where they go, in runs, because neighbours mostly share a place: the place, and the index in `rows` behind the
    /// last of the run. Of sessions none.
    pub(super) places: Vec<(Place, u32)>,
    pub(super) watermarks: Vec<(i64, JudgedBy)>,
    pub(super) keys: Varlen,
    /// Of each key.
    pub(super) shards: Vec<u8>,
    pub(super) hashes: Vec<TableHash>,
    pub(super) late: Vec<LateRow>,
}

/// A row that came after all its windows.
#[derive(Clone, Copy, Debug)]
pub(super) struct LateRow {
    /// Row of the batch.
    pub(super) row: u32,
    /// What it came too late for.
    pub(super) missed: Missed,
}

/// The watermark that judges the rows of a chunk, before its first record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judge {
    /// The largest event time of the partition before the chunk; `i64::MIN` if there was none.
    pub(super) max_before: i64,
    /// The lane's watermark; `i64::MIN` for none.
    pub(super) lane: i64,
}

impl Placed {
    /// A row on time, with its place.
    #[inline]
    fn push(&mut self, row: usize, place: Place) {
        self.rows.push(row as u32);
        let end = self.rows.len() as u32;
        match self.places.last_mut() {
            Some((last, last_end)) if *last == place => *last_end = end,
            _ => self.places.push((place, end)),
        }
    }

    /// The key of each row, of these columns.
    pub(super) fn set_keys(&mut self, columns: &[ArrayRef]) {
        self.keys = Varlen::with_capacity(self.rows.len(), self.rows.len() * 16);
        key::encode(columns, RowSelection::Picked(&self.rows), &mut self.keys);
        self.shards = self.keys.iter().map(key_shard).collect();
        self.hashes = self.keys.iter().map(TableHash::of).collect();
    }

    /// Takes the late rows out of the rows on time.
    pub(super) fn set_late_apart(&mut self) {
        self.late.sort_unstable_by_key(|late| late.row);
        let mut late = self.late.iter().map(|late| late.row).peekable();
        self.rows.retain(|row| late.next_if_eq(row).is_none());
    }
}

impl Judge {
    /// The judge of the next chunk of a partition.
    pub(super) fn new(max_before: Option<EventTime>, lane: Watermark) -> Self {
        let lane = match lane {
            Watermark::None => i64::MIN,
            Watermark::At(time) => time.0,
            Watermark::End => i64::MAX,
        };
        Self { max_before: max_before.map_or(i64::MIN, EventTime::micros), lane }
    }

    /// The watermark before a row, given the largest event time before it in its chunk. `i64::MIN` passes no
    /// window, as no window ends there.
    #[inline]
    pub(super) fn watermark(self, before: i64, clock: &LaneClock) -> i64 {
        let own = clock.behind(EventTime(self.max_before.max(before)));
        own.0.max(self.lane)
    }

    /// Whose watermark [`Judge::watermark`] gives.
    #[inline]
    pub(super) fn whose(self, before: i64, clock: &LaneClock) -> JudgedBy {
        let own = clock.behind(EventTime(self.max_before.max(before)));
        if own.0 < self.lane { JudgedBy::Lane } else { JudgedBy::Partition }
    }
}

/// Places the rows that are left of a chunk.
pub(super) fn place(
    plan: &Plan,
    windows: WindowAssigner,
    clock: &LaneClock,
    rows: &Rows,
    judge: Judge,
) -> Placed {
    let mut placed = Placed::default();
    placed.rows.reserve(rows.len());
    let selection = match &rows.picked {
        Some(picked) => RowSelection::Picked(picked),
        None => RowSelection::All(rows.batch.num_rows()),
    };
    match windows {
        WindowAssigner::Slides(slides) => {
            let watermark = |row: usize| judge.watermark(rows.before[row], clock);
            let whose = |row: usize| judge.whose(rows.before[row], clock);
            let slides = (&slides, plan.lateness);
            place_in_slides(slides, selection, &rows.times, (watermark, whose), &mut placed);
        }
        WindowAssigner::Global { .. } => selection.for_each(|row| placed.push(row, Place::EVER)),
        WindowAssigner::Sessions(_) => {
            placed.watermarks.reserve(rows.len());
            selection.for_each(|row| {
                placed.rows.push(row as u32);
                let before = rows.before[row];
                let watermark = (judge.watermark(before, clock), judge.whose(before, clock));
                placed.watermarks.push(watermark);
            });
        }
    }
    let columns: Vec<ArrayRef> =
        plan.key.iter().map(|column| ArrayRef::clone(rows.batch.column(*column))).collect();
    placed.set_keys(&columns);
    placed
}

fn place_in_slides(
    (slides, lateness): (&Slides, i64),
    selection: RowSelection<'_>,
    times: &[i64],
    (watermark, whose): (impl Fn(usize) -> i64, impl Fn(usize) -> JudgedBy),
    placed: &mut Placed,
) {
    // Rows of a chunk mostly share a pane.
    let mut pane = slides.pane(0);
    selection.for_each(|row| {
        if !pane.contains(times[row]) {
            pane = slides.pane(times[row]);
        }
        let watermark = watermark(row);
        match slides.place(&pane, watermark.saturating_sub(lateness)) {
            Placement::OnTime { skipped } => {
                placed.push(row, Place { bounds: pane.bounds(), skipped });
            }
            Placement::Late => {
                let missed = Missed {
                    first: pane.first_window(),
                    last_end: pane.last_end(),
                    windows: pane.windows(),
                    covers: false,
                    watermark: EventTime(watermark),
                    by: whose(row),
                };
                placed.late.push(LateRow { row: row as u32, missed });
            }
            Placement::Outside => {}
        }
    });
}
