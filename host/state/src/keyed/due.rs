//! What is due at a watermark: the queue of a table.

use std::cmp::Reverse;

use sluicegate_model::time::EventTime;
use sluicegate_model::timers::Timer;

use super::table::KeyedTable;

impl KeyedTable {
    /// Whether anything may be due at the watermark.
    pub fn has_due(&self, watermark: EventTime) -> bool {
        self.queue.peek().is_some_and(|Reverse((time, _))| *time <= watermark)
    }

    /// The keys whose first timer is due at the watermark, in no order. Those whose life is over are forgotten.
    /// Each must be given back to [`KeyedTable::settle`].
    pub fn due(&mut self, watermark: EventTime) -> Vec<u32> {
        let mut due = Vec::new();
        while let Some(Reverse((time, id))) = self.queue.peek().copied()
            && time <= watermark
        {
            self.queue.pop();
            let entry = &mut self.entries[id as usize];
            if entry.scheduled != Some(time) {
                continue;
            }
            entry.scheduled = None;
            match entry.due(self.ttl) {
                Some(at) if at > watermark => self.schedule(id),
                Some(_) if entry.timers.is_empty() => self.forget(id),
                Some(_) => due.push(id),
                None => {}
            }
        }
        due
    }

    /// The keys whose first timer is due next, in no order: those up to the answered time, which is not behind the watermark, some
    /// `wanted` keys if there are so many. None are due any more if there is no time. Each must be given back to
    /// [`KeyedTable::settle`].
    pub fn due_slice(
        &mut self,
        watermark: EventTime,
        wanted: usize,
    ) -> (Vec<u32>, Option<EventTime>) {
        let (mut due, mut end) = (Vec::new(), None);
        while let Some(Reverse((time, _))) = self.queue.peek().copied()
            && time <= watermark
            && (due.len() < wanted || Some(time) == end)
        {
            due.extend(self.due(time));
            end = (!due.is_empty()).then_some(time);
        }
        (due, end)
    }

    /// Begins a firing: no key has fired yet. No call may begin before it ends.
    pub fn begin_firing(&mut self) {
        self.next_stamp();
    }

    /// How often a key has fired since [`KeyedTable::begin_firing`], this time counted.
    pub fn count_firing(&mut self, id: u32) -> u32 {
        let entry = &mut self.entries[id as usize];
        if entry.stamp != self.stamp {
            (entry.stamp, entry.local) = (self.stamp, 0);
        }
        entry.local = entry.local.saturating_add(1);
        entry.local
    }

    /// The timer of a key that fires next, if it is due at the watermark.
    pub fn first_due(&self, id: u32, watermark: EventTime) -> Option<Timer> {
        let first = self.entries[id as usize].timers.first();
        first.copied().filter(|timer| timer.time <= watermark)
    }
}
