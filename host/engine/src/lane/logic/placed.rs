//! Where the rows of a chunk belong: their keys, and the watermark that judges them.
//!
//! A row is late by the running watermark of its own partition, made by the records before it, and never less than the
//! lane's (docs/design/time.md#rule-2): neither the size of a batch, nor the number of cores, nor how partitions
//! interleave changes a verdict. The lane's watermark is the minimum over partitions, so the window of a row that is
//! not late is always still open.

use arrow::array::ArrayRef;

use crate::lane::rows::Rows;
use sluicegate_connect::sink::late::{JudgedBy, Missed};
use sluicegate_model::time::{EventTime, Watermark};
use sluicegate_state::watermark::LaneClock;
use sluicegate_state::window::{Place, RowKeys};

/// The rows of a chunk, placed.
#[derive(Debug, Default)]
pub(in crate::lane) struct Placed {
    /// Rows of the batch that are on time, ascending, and beside each its key. Of sessions all rows that are left, and
    /// beside each what judges it: where it goes depends on the rows before it.
    pub(in crate::lane) rows: Vec<u32>,
    /// Where they go, in runs, because neighbours mostly share a place: the place, and the index in `rows` behind the
    /// last of the run. Of sessions none.
    pub(in crate::lane) places: Vec<(Place, u32)>,
    pub(in crate::lane) judging: Vec<Judging>,
    /// By the index in `rows`.
    pub(in crate::lane) keys: RowKeys,
    pub(in crate::lane) late: Vec<LateRow>,
}

/// The watermark that judges a row.
#[derive(Clone, Copy, Debug)]
pub(in crate::lane) struct Judging {
    pub(in crate::lane) watermark: EventTime,
    /// Whose it is.
    pub(in crate::lane) by: JudgedBy,
}

/// A row that came after all its windows.
#[derive(Clone, Copy, Debug)]
pub(in crate::lane) struct LateRow {
    /// Row of the batch.
    pub(in crate::lane) row: u32,
    /// What it came too late for.
    pub(in crate::lane) missed: Missed,
}

/// The watermark that judges the rows of a chunk, before its first record. Both are times and no more, because they are
/// compared with each row's.
#[derive(Clone, Copy, Debug)]
pub(in crate::lane) struct Judge {
    /// The largest event time of the partition before the chunk; [`EventTime::MIN`] if there was none.
    pub(in crate::lane) max_before: EventTime,
    /// The lane's watermark; [`EventTime::MIN`] for none, [`EventTime::MAX`] for the end.
    pub(in crate::lane) lane: EventTime,
}

impl Placed {
    /// A row on time. Its run is yet to be ended.
    #[inline]
    pub(super) fn push(&mut self, row: usize) {
        self.rows.push(row as u32);
    }

    /// The rows that were pushed since the last run ended have this place.
    pub(super) fn end_run(&mut self, place: Place) {
        let end = self.rows.len() as u32;
        match self.places.last_mut() {
            Some((_, last_end)) if *last_end == end => {}
            Some((last, last_end)) if *last == place => *last_end = end,
            None if end == 0 => {}
            _ => self.places.push((place, end)),
        }
    }

    /// The key of each row, of these columns of its batch.
    pub(super) fn set_keys(&mut self, rows: &Rows, columns: &[usize]) {
        let known: Vec<_> = columns.iter().map(|column| rows.codes.known(*column)).collect();
        let columns: Vec<ArrayRef> =
            columns.iter().map(|column| ArrayRef::clone(rows.batch.column(*column))).collect();
        self.keys = RowKeys::with_codes(&columns, &known, &self.rows);
    }

    /// Takes the late rows out of the rows on time.
    pub(in crate::lane) fn set_late_apart(&mut self) {
        if self.late.is_empty() {
            return;
        }
        self.late.sort_unstable_by_key(|late| late.row);
        let mut late = self.late.iter().map(|late| late.row).peekable();
        self.rows.retain(|row| late.next_if_eq(row).is_none());
    }
}

impl Judge {
    /// The judge of the next chunk of a partition.
    pub(in crate::lane) fn new(max_before: Option<EventTime>, lane: Watermark) -> Self {
        let lane = match lane {
            Watermark::None => EventTime::MIN,
            Watermark::At(time) => time,
            Watermark::End => EventTime::MAX,
        };
        Self { max_before: max_before.unwrap_or(EventTime::MIN), lane }
    }

    /// The watermark before a row, given the largest event time before it in its chunk. [`EventTime::MIN`] passes no
    /// window, as no window ends there.
    #[inline]
    pub(in crate::lane) fn watermark(self, before: i64, clock: &LaneClock) -> EventTime {
        let own = clock.behind(self.max_before.max(EventTime(before)));
        own.max(self.lane)
    }

    /// Whose watermark [`Judge::watermark`] gives.
    #[inline]
    pub(in crate::lane) fn whose(self, before: i64, clock: &LaneClock) -> JudgedBy {
        let own = clock.behind(self.max_before.max(EventTime(before)));
        if own < self.lane { JudgedBy::Lane } else { JudgedBy::Partition }
    }
}
