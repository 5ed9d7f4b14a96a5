//! Sessions that are due at a watermark, a bounded run at a time, in the order of window and key: as [`super::window_due`].

use std::cmp::Reverse;

use sluicegate_model::time::{EventTime, Watermark};

use super::due::{DueSession, DueSessions, FiringOrder, GroupPlace, NextRun, RunSize};
use super::firing::Firing;
use super::looks;
use super::session::{Session, SessionRule};
use super::sessions::{KeySessions, Sessions};

/// Of a key whose time has come: nothing that stands in the heap is its timer. No session ends so early, so a time is enough in
/// `KeySessions::armed`, of which there is one for every key.
const PASSED: EventTime = EventTime::MIN;

fn order(keys: &[KeySessions], due: DueSession) -> FiringOrder<'_> {
    let key = &keys[due.key as usize];
    FiringOrder::of(key.sessions[due.index as usize].bounds, &key.key)
}

impl Sessions {
    /// Whether a session may have something to do.
    pub fn has_due(&self, watermark: Watermark) -> bool {
        let first = self.timers.peek();
        !self.passed.is_empty()
            || first.is_some_and(|Reverse((time, _))| watermark.has_passed(*time))
    }

    /// The next sessions that the watermark has passed and that have changed since they fired.
    pub fn next_run(&mut self, watermark: Watermark, size: RunSize) -> NextRun {
        let all = self.make_ready(watermark, size);
        let Self { keys, due: DueSessions { ready, .. }, .. } = self;
        let bytes = |at: usize| {
            let DueSession { key, index } = ready[at];
            let key = &keys[key as usize];
            key.key.len() + key.sessions[index as usize].state.len()
        };
        NextRun::of(ready.len(), all, size, bytes, |at| GroupPlace::of(order(keys, ready[at])))
    }

    /// Whether no more are due than are ready. Gives up when it has sorted enough, or has enough for a run.
    fn make_ready(&mut self, watermark: Watermark, size: RunSize) -> bool {
        let all = self.collect_due(watermark, size.sorted);
        let Self { keys, due: DueSessions { ready, sorted }, .. } = self;
        sorted.end_cut(|due| order(keys, due));
        if !all {
            return false;
        }
        while ready.len() < size.groups
            && let Some(next) = sorted.take_next(|due| order(keys, due))
        {
            ready.push_back(next);
        }
        sorted.is_empty()
    }

    /// Takes the timers of some keys whose time has come. Whether those are all.
    fn collect_due(&mut self, watermark: Watermark, most: usize) -> bool {
        let passed = |time: EventTime| watermark.has_passed(time);
        let mut collected = 0;
        while let Some(Reverse((time, at))) = self.timers.peek().copied()
            && passed(time)
        {
            if collected >= most.max(1) {
                return false;
            }
            self.timers.pop();
            let key = &mut self.keys[at as usize];
            if key.armed != time {
                continue;
            }
            key.armed = PASSED;
            self.passed.push(at);
            collected += 1;
            // A session without rows is not pending any more.
            self.note_unsaved(at);
            let key = &mut self.keys[at as usize];
            let over = |(_, session): &(u32, &mut Session)| passed(session.bounds.end);
            for (index, session) in (0..).zip(&mut key.sessions).take_while(over) {
                session.pending &= session.has_rows;
                if session.pending {
                    self.due.sorted.push(DueSession { key: at, index });
                }
            }
        }
        true
    }

    /// Bytes that the order of what is due holds, beside the sessions.
    pub fn firing_bytes(&self) -> usize {
        let DueSessions { ready, sorted } = &self.due;
        ready.capacity() * size_of::<DueSession>()
            + sorted.bytes()
            + self.passed.capacity() * size_of::<u32>()
    }

    /// Fires the sessions that are due up to `last`.
    pub fn fire_run(&mut self, last: Option<&GroupPlace>) -> Firing {
        let mut firing = Firing::default();
        while let Some(due) = self.due.ready.front().copied() {
            if last.is_some_and(|last| last.is_before(order(&self.keys, due))) {
                break;
            }
            self.due.ready.pop_front();
            self.note_unsaved(due.key);
            let key = &mut self.keys[due.key as usize];
            let session = &mut key.sessions[due.index as usize];
            session.pending = false;
            firing.push(session.group(&key.key));
            session.revision = session.revision.saturating_add(1);
        }
        firing
    }

    /// Forgets the sessions that take no more rows. All that was due has fired. `lateness` in µs.
    pub fn close(&mut self, rule: SessionRule, watermark: Watermark, lateness: i64) {
        let passed = |time: EventTime| watermark.has_passed(time);
        for at in std::mem::take(&mut self.passed) {
            self.note_unsaved(at);
            let key = &mut self.keys[at as usize];
            let closed = |it: &Session| passed(it.bounds.end.plus(lateness));
            let gone = key.sessions.partition_point(closed);
            for session in key.sessions.drain(..gone) {
                if rule.corrected && watermark != Watermark::End {
                    let start = session.bounds.start;
                    self.closed.note(rule.max_length, key.hash, &key.key, start);
                }
                self.sessions -= 1;
                self.bytes -= super::sessions::allocated(session.state.len());
            }
            match next_due(&key.sessions, lateness) {
                Some(next) => {
                    key.armed = next;
                    self.timers.push(Reverse((next, at)));
                }
                None => self.remove(at),
            }
        }
        self.due = DueSessions::default();
        self.closed.forget(rule.max_length, watermark.minus(lateness));
        self.shrink();
    }
}

/// When the first of these sessions has something to do. None does before it ends, and they ascend by end.
fn next_due(sessions: &[Session], lateness: i64) -> Option<EventTime> {
    let mut next: Option<EventTime> = None;
    for session in sessions {
        if next.is_some_and(|next| next <= session.bounds.end) {
            break;
        }
        looks::count();
        let due = session.due(lateness);
        next = Some(next.map_or(due, |next| next.min(due)));
    }
    next
}
