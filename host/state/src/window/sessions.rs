//! Sessions: for each key the windows that its rows make, `[first, last + gap)`; two that touch are
//! one (docs/design/time.md#rule-5).
//!
//! ```text
//!  gap 10        0    10   20   30   40   50
//!  rows          ●   ●          ●  ●
//!  sessions      ├─────────┤    ├──────┤
//!  row at 20               ●             it touches both:
//!                ├─────────────────────┤ one session
//! ```
//!
//! A row is judged by the session that it makes or joins: it is late if the merged session is closed for it. What is
//! closed is decided by the watermark that judges the row, never by whether the session has fired: a closed session that
//! waits for another partition takes no row of this one any more. So the sessions of a key whose rows come from one
//! partition do not depend on batches, turns or the number of cores. (A key in several partitions may have a late row
//! rescued or not, depending on which partition was read first; rows that are on time by themselves are never lost.)
//!
//! **No two sessions of a key have the same bounds**, closed ones included, so (window, key) names a group. After a row,
//! its session ends after the row's watermark and every closed session does not; a session that is open for the row
//! either does not touch it or is left apart because both together would be longer than `max_length`, and then their
//! bounds differ. Sessions change in no other way.
//!
//! **With corrections no session covers a closed one of its key** ([`SessionRule::corrected`]): a session covers another
//! only if it begins no later, a row on time begins later than what is closed for it, and one that is late by itself is
//! refused if the session that it joins would cover a closed one. So readers can tell what a correction takes the place of by
//! its bounds. Closed sessions are remembered for that ([`super::closed`]), and count whether they have fired or not.
//!
//! A session never gets longer than `max_length`: a row that would make it longer begins another one, even if the two
//! overlap. So a key that never falls silent has results, and its sessions bounded state.
//!
//! A row that the aggregate refuses leaves no trace in the accumulator; that it prolonged its session stays, as it moved
//! the clock as well.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashTable;

use sluicegate_model::time::EventTime;
use sluicegate_model::window::WindowBounds;

use super::closed::ClosedSessions;
use super::due::DueSessions;
use super::firing::Firing;
use super::hash::{INDEX_ENTRY, TableHash, used_bytes};
use super::looks;
use super::session::{LateForSession, Session, SessionRow, SessionRule, join};
use super::session_call::SessionCall;

/// The sessions of the keys that one worker owns.
#[derive(Debug, Default)]
pub struct Sessions {
    index: HashTable<u32>,
    pub(super) keys: Vec<KeySessions>,
    /// Places in `keys` that are not used.
    free: Vec<u32>,
    /// When the sessions of a key may have something to do, and the key. An entry that is not the key's `armed` counts
    /// for nothing: a session that grows is not looked up here.
    pub(super) timers: BinaryHeap<Reverse<(EventTime, u32)>>,
    /// Keys whose time has come, until all that is due of them has fired.
    pub(super) passed: Vec<u32>,
    /// Sessions that fire next.
    pub(super) due: DueSessions,
    /// Keys with sessions that changed, for whoever looks at open windows; each once.
    pub(super) changed: Vec<u32>,
    /// Keys whose sessions are not as a checkpoint has them, each once; places that are free among them.
    pub(super) unsaved: Vec<u32>,
    /// Keys that a checkpoint may have and that have no session any more.
    pub(super) gone: Vec<Box<[u8]>>,
    /// Keys with sessions that are gone and still count. Empty without corrections.
    pub(super) closed: ClosedSessions,
    pub(super) sessions: usize,
    /// Bytes of the keys, sessions and accumulators that have an allocation of their own.
    pub(super) bytes: usize,
}

/// The sessions of one key.
#[derive(Debug)]
pub(super) struct KeySessions {
    pub(super) hash: TableHash,
    pub(super) key: Box<[u8]>,
    /// Ascending by end; none if the place is free.
    pub(super) sessions: Vec<Session>,
    /// The earliest timer. No session has something to do before.
    pub(super) armed: EventTime,
    pub(super) changed: bool,
    /// It is in the list of those that are not as a checkpoint has them.
    pub(super) unsaved: bool,
    /// A checkpoint may have it.
    pub(super) saved: bool,
    /// Some begin before others that end before them.
    nested: bool,
}

impl KeySessions {
    /// Takes note of a session that has changed.
    fn note_nested(&mut self, index: usize) {
        let start = |index: usize| self.sessions.get(index).map(|session| session.bounds.start);
        let own = start(index);
        let is_before_the_last = index > 0 && own < start(index - 1);
        let is_behind_the_next = start(index + 1).is_some_and(|next| own > Some(next));
        self.nested |= is_before_the_last || is_behind_the_next;
    }
}

/// What an allocation of `bytes` costs.
pub(super) fn allocated(bytes: usize) -> usize {
    bytes.next_multiple_of(16)
}

impl Sessions {
    /// Adds a row to the call: to the session that it makes, joins or completes. An error has changed nothing.
    pub fn assign(
        &mut self,
        rule: SessionRule,
        row: SessionRow<'_>,
        call: &mut SessionCall,
    ) -> Result<(), LateForSession> {
        let SessionRow { time, closed_until, hash, key } = row;
        let own = WindowBounds { start: time, end: time.plus(rule.gap) };
        let Some(at) = self.find(hash, key) else {
            if own.end <= closed_until {
                return Err(LateForSession { own, covers: false });
            }
            let at = self.insert(hash, key);
            self.begin(at, own, call);
            return Ok(());
        };
        let sessions = &self.keys[at as usize].sessions;
        // Sessions that are closed for the row stand in front.
        let open = sessions.partition_point(|session| session.bounds.end <= closed_until);
        let nested = self.keys[at as usize].nested;
        let (bounds, joined) = join(rule, own, &sessions[open..], nested);
        if own.end <= closed_until {
            // The last began last, unless some lie in others.
            let closed = &sessions[if nested { 0 } else { open.saturating_sub(1) }..open];
            let is_covered = |closed: &Session| bounds.start <= closed.bounds.start;
            let covers =
                || closed.iter().any(is_covered) || self.closed.may_cover(bounds.start, hash, key);
            if joined.is_empty() || rule.corrected && covers() {
                return Err(LateForSession { own, covers: !joined.is_empty() });
            }
        }
        match joined.as_slice() {
            [] => self.begin(at, own, call),
            [one] => self.prolong(at, open + one, bounds, call),
            many => self.complete(at, open, many, bounds, call),
        }
        Ok(())
    }

    /// The row begins a session.
    fn begin(&mut self, at: u32, bounds: WindowBounds, call: &mut SessionCall) {
        let mut session = Session::new(bounds);
        call.add_row(at, &mut session);
        self.put(at, session);
    }

    /// The row joins a session.
    fn prolong(&mut self, at: u32, index: usize, bounds: WindowBounds, call: &mut SessionCall) {
        self.note_unsaved(at);
        let Self { keys, changed, .. } = self;
        let key = &mut keys[at as usize];
        let session = &mut key.sessions[index];
        session.pending |= session.bounds != bounds;
        session.bounds = bounds;
        call.add_row(at, session);
        let mut index = index;
        while let Some(next) = key.sessions.get(index + 1)
            && next.bounds.end < bounds.end
        {
            key.sessions.swap(index, index + 1);
            index += 1;
        }
        key.note_nested(index);
        note_changed(changed, key, at);
    }

    /// The row closes the gaps between several sessions: one comes of them.
    fn complete(
        &mut self,
        at: u32,
        open: usize,
        joined: &[usize],
        bounds: WindowBounds,
        call: &mut SessionCall,
    ) {
        let mut indexes: Vec<usize> = joined.iter().map(|index| open + index).collect();
        indexes.sort_unstable_by(|a, b| b.cmp(a));
        let sessions = &mut self.keys[at as usize].sessions;
        let mut parts: Vec<Session> = indexes.iter().map(|index| sessions.remove(*index)).collect();
        self.sessions -= parts.len();
        // Earlier rows left.
        parts.sort_by_key(|session| session.bounds.start);
        let mut whole = Session::new(bounds);
        whole.revision = parts.iter().map(|part| part.revision).max().unwrap_or(0);
        whole.node = call.merge(at, &mut parts);
        call.add_row(at, &mut whole);
        self.put(at, whole);
    }

    /// Adds a session to a key.
    pub(super) fn put(&mut self, at: u32, session: Session) {
        self.note_unsaved(at);
        let Self { keys, changed, .. } = self;
        let key = &mut keys[at as usize];
        let end = session.bounds.end;
        let is_next = key.sessions.first().is_none_or(|_| end < key.armed);
        let index = key.sessions.partition_point(|other| other.bounds.end < end);
        self.bytes -= allocated(key.sessions.capacity() * size_of::<Session>());
        if key.sessions.capacity() == key.sessions.len() {
            // Most keys have one.
            key.sessions.reserve_exact(1 + key.sessions.len() / 2);
        }
        key.sessions.insert(index, session);
        self.bytes += allocated(key.sessions.capacity() * size_of::<Session>());
        self.sessions += 1;
        key.note_nested(index);
        note_changed(changed, key, at);
        if is_next {
            key.armed = end;
            self.timers.push(Reverse((end, at)));
        }
    }

    /// Puts back the accumulators after the call, and forgets it.
    pub fn settle(&mut self, call: &mut SessionCall) {
        for (number, node) in (0..).zip(call.drain()) {
            self.bytes -= node.bytes_before;
            self.note_unsaved(node.key);
            if node.is_merged {
                continue;
            }
            let sessions = &mut self.keys[node.key as usize].sessions;
            let first = sessions.partition_point(|session| session.bounds.end < node.end);
            let is_it = |session: &&mut Session| {
                looks::count();
                session.node == number
            };
            let session = sessions[first..].iter_mut().find(is_it);
            let session = session.expect("sessions change in calls only, and each node has one");
            self.bytes += allocated(node.state.len());
            session.pending |= node.has_changed;
            session.state = node.state.into_boxed_slice();
            session.has_rows = node.rows > 0;
            session.node = Session::UNTOUCHED;
            let (pending, end) = (session.pending, session.bounds.end);
            let key = &mut self.keys[node.key as usize];
            // A correction is due at once.
            if pending && end < key.armed {
                key.armed = end;
                self.timers.push(Reverse((end, node.key)));
            }
        }
    }

    /// Some of the sessions that changed since the last call and have not fired since: those of at most `max` keys. The rest
    /// stay.
    pub fn take_changed(&mut self, max: usize) -> Firing {
        let rest = self.changed.split_off(max.min(self.changed.len()));
        let taken = std::mem::replace(&mut self.changed, rest);
        let mut firing = Firing::default();
        for at in taken {
            let key = &mut self.keys[at as usize];
            key.changed = false;
            // The session that takes rows now.
            let last = key.sessions.last();
            if let Some(session) = last.filter(|session| session.has_rows && session.pending) {
                firing.push(session.group(&key.key));
            }
        }
        firing
    }

    /// Keys that changed since [`Sessions::take_changed`].
    pub fn changed_len(&self) -> usize {
        self.changed.len()
    }

    /// The key at a place.
    pub fn key(&self, at: u32) -> &[u8] {
        &self.keys[at as usize].key
    }

    pub(super) fn find(&self, hash: TableHash, key: &[u8]) -> Option<u32> {
        let same = |at: &u32| {
            let found = &self.keys[*at as usize];
            found.hash == hash && *found.key == *key
        };
        self.index.find(hash.get(), same).copied()
    }

    #[cold]
    pub(super) fn insert(&mut self, hash: TableHash, key: &[u8]) -> u32 {
        self.bytes += allocated(key.len());
        let fresh = KeySessions {
            hash,
            key: key.into(),
            sessions: Vec::new(),
            armed: EventTime::MAX,
            changed: false,
            unsaved: false,
            saved: false,
            nested: false,
        };
        let at = match self.free.pop() {
            Some(at) => {
                // A free place may still be listed as changed.
                let KeySessions { changed, unsaved, .. } = self.keys[at as usize];
                self.keys[at as usize] = KeySessions { changed, unsaved, ..fresh };
                at
            }
            None => {
                self.keys.push(fresh);
                u32::try_from(self.keys.len() - 1).expect("state is bounded far below 2^32 keys")
            }
        };
        let keys = &self.keys;
        self.index.insert_unique(hash.get(), at, |at| keys[*at as usize].hash.get());
        at
    }

    /// Forgets a key without sessions.
    pub(super) fn remove(&mut self, at: u32) {
        let key = &mut self.keys[at as usize];
        self.bytes -= allocated(key.key.len());
        self.bytes -= allocated(key.sessions.capacity() * size_of::<Session>());
        let name = std::mem::take(&mut key.key);
        self.gone.extend(std::mem::take(&mut key.saved).then_some(name));
        (key.sessions, key.armed) = (Vec::new(), EventTime::MAX);
        if let Ok(entry) = self.index.find_entry(key.hash.get(), |other| *other == at) {
            entry.remove();
        }
        self.free.push(at);
    }

    /// Returns memory when three quarters of the places for keys are free, or of those for timers.
    pub(super) fn shrink(&mut self) {
        if self.timers.capacity() >= 4_096 && self.timers.len() < self.timers.capacity() / 4 {
            self.timers.shrink_to(2 * self.timers.len());
        }
        if self.keys.len() < 4_096 || self.free.len() < self.keys.len() / 4 * 3 {
            return;
        }
        let keys = std::mem::take(&mut self.keys);
        let (closed, gone) = (std::mem::take(&mut self.closed), std::mem::take(&mut self.gone));
        let (sessions, bytes) = (self.sessions, self.bytes);
        *self = Self { sessions, bytes, closed, gone, ..Self::default() };
        let mut keys: Vec<_> = keys.into_iter().filter(|key| !key.sessions.is_empty()).collect();
        keys.shrink_to_fit();
        self.index.reserve(keys.len(), |_| unreachable!("it is empty"));
        for (at, key) in (0..).zip(&mut keys) {
            self.index.insert_unique(key.hash.get(), at, |_| unreachable!("reserved below"));
            self.timers.push(Reverse((key.armed, at)));
            if key.changed {
                self.changed.push(at);
            }
            if key.unsaved {
                self.unsaved.push(at);
            }
        }
        self.keys = keys;
    }

    /// Sessions that are open, over all keys.
    pub fn len(&self) -> usize {
        self.sessions
    }

    /// True if no key has an open session.
    pub fn is_empty(&self) -> bool {
        self.sessions == 0
    }

    /// Bytes used for them. What is left of a peak is not counted: it is given back.
    pub fn bytes(&self) -> usize {
        let (key, timer) = (size_of::<KeySessions>(), size_of::<(EventTime, u32)>());
        self.bytes
            + used_bytes(self.keys.capacity() * key, self.index.len(), key)
            + used_bytes(self.index.allocation_size(), self.index.len(), INDEX_ENTRY)
            + used_bytes(self.timers.capacity() * timer, self.timers.len(), timer)
            + (self.changed.len() + self.unsaved.len()) * size_of::<u32>()
            + self.closed.bytes()
    }
}

fn note_changed(changed: &mut Vec<u32>, key: &mut KeySessions, at: u32) {
    if !key.changed {
        key.changed = true;
        changed.push(at);
    }
}
