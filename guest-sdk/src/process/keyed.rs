//! What a process plugin sees of a key.

use super::Process;
use super::timers::{self, Change, Timer};
use crate::moment::Timestamp;
use crate::{Emit, OutputRow};

/// A key, while one of its rows is processed or one of its timers fires.
pub struct Keyed<'k, P: Process> {
    /// What the plugin remembers of the key.
    pub state: &'k mut P::State,
    pub(super) time: Timestamp,
    /// Of the row or the timer; `i64::MIN` for none.
    pub(super) watermark: i64,
    /// Of the row; a timer is not late.
    pub(super) is_late: bool,
    /// The first time that a timer may be set for; none after the end of time.
    pub(super) earliest: Option<Timestamp>,
    pub(super) timers: &'k mut Vec<Timer>,
    pub(super) changes: &'k mut Vec<Change>,
    pub(super) out: &'k mut Emit<P::Output>,
}

impl<P: Process> Keyed<'_, P> {
    /// The event time of the row, or the time for which the timer was set.
    #[inline]
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// How far event time has come at this place in the order of the key's rows and timers; none: no time has passed.
    ///
    /// Of a row it is the largest event time that its partition had shown before it, less the disorder that the pipeline
    /// allows: what the rows of a window are judged by. When a timer fires it is the time for which that was set: the
    /// watermark has come so far, and how much further is not the key's to know, as it depends on how rows are cut into
    /// calls. Nothing else does, so a replay asks and is told the same: `docs/process.md` has the exact promise.
    #[inline]
    pub fn watermark(&self) -> Option<Timestamp> {
        (self.watermark != i64::MIN).then_some(Timestamp(self.watermark))
    }

    /// Whether the row is late: its event time lies at or behind the [`watermark`](Keyed::watermark). A timer that it sets
    /// for its time is due at once. It is processed all the same, unless the plugin minds. False when a timer fires.
    #[inline]
    pub fn is_late(&self) -> bool {
        self.is_late
    }

    /// Adds a row to the output. Its event time is [`Keyed::time`]; the host adds the columns of the key.
    ///
    /// Traps if a decimal does not fit its column exactly.
    #[inline]
    pub fn emit(&mut self, row: <P::Output as OutputRow>::At<'_>) {
        self.out.push(row);
    }

    /// Sets a timer. `id` says what for; the same time and id twice are one timer.
    ///
    /// While a row is processed any time will do: a timer whose time has passed fires before the next row of the key.
    /// A timer sets only later ones: where it asks for its own time or less, one µs after it is taken.
    #[inline]
    pub fn set_timer(&mut self, at: Timestamp, id: u32) {
        let Some(earliest) = self.earliest else { return };
        let timer = Timer { at: at.max(earliest), id };
        if timers::set(self.timers, timer) {
            self.changes.push(Change::Set(timer));
        }
    }

    /// Sets the only timer of this id: those that there are are deleted.
    pub fn move_timer(&mut self, at: Timestamp, id: u32) {
        self.delete_timers(id);
        self.set_timer(at, id);
    }

    /// Deletes all timers of this id.
    pub fn delete_timers(&mut self, id: u32) {
        let changes = &mut *self.changes;
        self.timers.retain(|timer| {
            if timer.id == id {
                changes.push(Change::Deleted(*timer));
            }
            timer.id != id
        });
    }

    /// The timers that are set, ascending.
    pub fn timers(&self) -> &[Timer] {
        self.timers
    }

    /// Forgets the key: its state becomes that of a new key, its timers are deleted.
    pub fn forget(&mut self) {
        *self.state = P::State::default();
        self.changes.extend(self.timers.drain(..).map(Change::Deleted));
    }
}
