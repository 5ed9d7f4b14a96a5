//! What is remembered of sessions that are gone: for each key where the one that began last has begun.
//!
//! Readers take a correction for all that lies in its bounds. So a row that is late by itself may not stretch an open session
//! of its key over a closed one, which is not part of it ([`super::sessions`]). A closed session ends before every open one does; the
//! open one covers it if it begins no later. So of all closed sessions of a key only the largest start counts.
//!
//! No session is longer than `max_length` and an open one ends behind the watermark, so a start counts no longer than `max_length`
//! behind that. Starts lie in generations by time, and a generation goes as a whole: there is no work per key.
//!
//! Remembering too long changes no verdict: what the watermark has left `max_length` behind no session can reach.

use std::collections::BTreeMap;
use std::ops::Bound;

use hashbrown::HashTable;

use sluicegate_model::time::{EventTime, Watermark};

use super::hash::TableHash;

/// Generations in which the starts of `max_length` lie: some hundredths of what is kept is kept too long.
const GENERATIONS: i64 = 32;

/// The keys of one worker.
#[derive(Debug, Default)]
pub(super) struct ClosedSessions {
    /// By the start, in parts of `max_length`.
    generations: BTreeMap<i64, Generation>,
    /// Sessions that began before this may have been closed without being remembered: the state was written by a version
    /// that did not.
    unknown_before: Option<EventTime>,
    /// Those that are not as a checkpoint has them: generation, and place there.
    unsaved: Vec<(i64, u32)>,
    /// What began before this is forgotten.
    forgotten: Option<EventTime>,
}

/// Keys with a session that began in a span of time.
#[derive(Debug, Default)]
struct Generation {
    index: HashTable<u32>,
    /// In the order in which they came, which does not depend on the hash.
    closed: Vec<Closed>,
    keys: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Closed {
    hash: TableHash,
    key_at: usize,
    key_len: u32,
    start: EventTime,
}

impl Generation {
    fn key(&self, closed: &Closed) -> &[u8] {
        &self.keys[closed.key_at..closed.key_at + closed.key_len as usize]
    }

    fn find(&self, hash: TableHash, key: &[u8]) -> Option<usize> {
        let same = |at: &u32| {
            let closed = &self.closed[*at as usize];
            closed.hash == hash && self.key(closed) == key
        };
        self.index.find(hash.get(), same).map(|at| *at as usize)
    }

    /// Its place.
    fn note(&mut self, hash: TableHash, key: &[u8], start: EventTime) -> u32 {
        if let Some(at) = self.find(hash, key) {
            self.closed[at].start = self.closed[at].start.max(start);
            return at as u32;
        }
        let at = u32::try_from(self.closed.len()).expect("state is bounded far below 2^32 keys");
        let key_len = u32::try_from(key.len()).expect("a key is bounded far below 4 GiB");
        self.closed.push(Closed { hash, key_at: self.keys.len(), key_len, start });
        self.keys.extend_from_slice(key);
        let closed = &self.closed;
        self.index.insert_unique(hash.get(), at, |at| closed[*at as usize].hash.get());
        at
    }
}

impl ClosedSessions {
    /// A session of a key that began at `start` takes no more rows. `max_length` in µs, more than 0.
    pub(super) fn note(&mut self, max_length: i64, hash: TableHash, key: &[u8], start: EventTime) {
        let number = start.0.div_euclid(span(max_length));
        let at = self.generations.entry(number).or_default().note(hash, key, start);
        self.unsaved.push((number, at));
    }

    /// A checkpoint has all of it.
    pub(super) fn set_saved(&mut self) {
        self.unsaved.clear();
    }

    /// About how many are not as the last checkpoint has them.
    pub(super) fn unsaved_len(&self) -> usize {
        self.unsaved.len()
    }

    /// Whether nothing is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.generations.is_empty()
    }

    /// What began before this is forgotten, also where a checkpoint has it.
    pub(super) fn forgotten(&self) -> Option<EventTime> {
        self.forgotten
    }

    /// As [`ClosedSessions::each`], of the keys of which something is not as the last checkpoint has it.
    pub(super) fn each_unsaved(&self, mut each: impl FnMut(&[u8], EventTime)) {
        for (number, at) in &self.unsaved {
            let Some(generation) = self.generations.get(number) else { continue };
            let closed = &generation.closed[*at as usize];
            let key = generation.key(closed);
            let start = self.last_start(closed.hash, key);
            each(key, start.expect("it is remembered"));
        }
    }

    /// The largest start of the closed sessions of a key, as far as it counts.
    pub(super) fn last_start(&self, hash: TableHash, key: &[u8]) -> Option<EventTime> {
        let start = |generation: &Generation| {
            generation.find(hash, key).map(|at| generation.closed[at].start)
        };
        self.generations.values().rev().find_map(start)
    }

    /// Whether a session that begins at `start` and is open may cover a closed one of its key.
    pub(super) fn may_cover(&self, start: EventTime, hash: TableHash, key: &[u8]) -> bool {
        self.unknown_before.is_some_and(|before| start < before)
            || self.last_start(hash, key).is_some_and(|closed| start <= closed)
    }

    /// Of sessions that were closed and began before this nothing is known.
    pub(super) fn set_unknown_before(&mut self, before: Option<EventTime>) {
        self.unknown_before = before;
    }

    /// What [`ClosedSessions::set_unknown_before`] said, as far as it counts.
    pub(super) fn unknown_before(&self) -> Option<EventTime> {
        self.unknown_before
    }

    /// Forgets what no session can reach any more. `closed`: the watermark less the lateness.
    pub(super) fn forget(&mut self, max_length: i64, closed: Watermark) {
        let closed = match closed {
            Watermark::None => return,
            Watermark::At(time) => i128::from(time.0),
            Watermark::End => {
                return *self = Self { forgotten: Some(EventTime::MAX), ..Self::default() };
            }
        };
        let is_out_of_reach = |start: i128| start + i128::from(max_length) <= closed;
        let span = i128::from(span(max_length));
        let reached = (closed - i128::from(max_length)).div_euclid(span);
        let before = self.generations.len();
        while let Some(first) = self.generations.first_entry()
            && i128::from(*first.key()) < reached
        {
            first.remove();
        }
        if self.generations.len() < before {
            let generations = &self.generations;
            self.unsaved.retain(|(number, _)| generations.contains_key(number));
            self.unsaved.shrink_to_fit();
        }
        // Also where there was nothing to forget: other workers may have had something.
        let reached = reached.saturating_mul(span).clamp(i64::MIN.into(), i64::MAX.into());
        let reached = i64::try_from(reached).expect("it was clamped");
        self.forgotten = self.forgotten.max(Some(EventTime(reached)));
        self.unknown_before =
            self.unknown_before.filter(|before| !is_out_of_reach(before.0.into()));
    }

    /// Calls `each` with every key and the largest start of its closed sessions.
    pub(super) fn each(&self, mut each: impl FnMut(&[u8], EventTime)) {
        for (number, generation) in &self.generations {
            let later = || {
                let behind = (Bound::Excluded(number), Bound::Unbounded);
                self.generations.range(behind).map(|(_, later)| later)
            };
            for closed in &generation.closed {
                let key = generation.key(closed);
                if later().all(|later| later.find(closed.hash, key).is_none()) {
                    each(key, closed.start);
                }
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let held = |it: &Generation| {
            it.index.allocation_size() + it.keys.len() + it.closed.len() * size_of::<Closed>()
        };
        let unsaved = self.unsaved.capacity() * size_of::<(i64, u32)>();
        self.generations.values().map(held).sum::<usize>() + unsaved
    }
}

/// How long a generation is, µs.
fn span(max_length: i64) -> i64 {
    (max_length / GENERATIONS).max(1)
}
