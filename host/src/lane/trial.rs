//! Records on trial: what makes the host itself panic is narrowed down over the lives of a lane, and dead-lettered.
//!
//! A panic in a turn ends the life of the lane, and the next one reads the same records again. So:
//!
//! 1. Each turn notes what it has in hand. After a panic the note stands.
//! 2. If the next life panics over records of which some were in hand before, those are on trial: the life after that takes
//!    them one by one. All other records go on as ever.
//! 3. A record that panics alone, and was in hand at a panic before, is condemned: it is dead-lettered without being
//!    looked at, with kind [`HOST_PANIC`]. The dead letter and the position behind it are one commit, so later lives do not
//!    meet it any more.
//!
//! Nothing is condemned for a single panic, which may have had other reasons. What panics only in company passes
//! alone. A panic outside of a turn (a window fires, a commit is made) has no record to put on trial.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::source::{Partition, RecordBlock};

use super::intake::partitions::Partitions;

/// The kind of the dead letter of a record that made the host panic.
pub const HOST_PANIC: &str = "host_panic";

/// Records of a partition by their offsets, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    partition: Partition,
    first: i64,
    last: i64,
}

impl Run {
    fn of(block: &RecordBlock) -> Option<Self> {
        let (first, last) = (*block.offsets.first()?, *block.offsets.last()?);
        Some(Self { partition: block.partition.clone(), first, last })
    }

    fn common(&self, other: &Self) -> Option<Self> {
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        let is_common = self.partition == other.partition && first <= last;
        is_common.then(|| Self { partition: self.partition.clone(), first, last })
    }
}

/// A record that is dead-lettered, and what it made the host say.
#[derive(Clone, Debug)]
struct Condemned {
    partition: Partition,
    offset: i64,
    panic: String,
}

/// Shared by all lives of a lane and its supervisor.
#[derive(Clone, Debug, Default)]
pub struct Trial(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Of the turn that is being taken, or that panicked, and how many records they are.
    in_hand: Vec<Run>,
    records: usize,
    /// At the panic before.
    before: Vec<Run>,
    /// Taken one by one.
    suspects: Vec<Run>,
    condemned: Vec<Condemned>,
}

impl Trial {
    /// A turn begins.
    pub(super) fn begin(&self, blocks: &[RecordBlock]) {
        let mut state = self.state();
        state.in_hand = blocks.iter().filter_map(Run::of).collect();
        state.records = blocks.iter().map(RecordBlock::len).sum();
    }

    /// It ended well.
    pub(super) fn end(&self) {
        self.state().in_hand.clear();
    }

    /// The lane panicked. What follows from that, as a sentence; none if no record was in hand.
    pub fn panicked(&self, panic: &str) -> Option<String> {
        let mut state = self.state();
        let in_hand = std::mem::take(&mut state.in_hand);
        let common: Vec<Run> = in_hand
            .iter()
            .flat_map(|run| state.before.iter().filter_map(|before| run.common(before)))
            .collect();
        let run = in_hand.first()?.clone();
        let is_alone = state.records == 1;
        state.before = in_hand;
        if common.is_empty() {
            state.suspects.clear();
            return Some(
                "if that happens again with the same records, they are tried one by one".to_owned(),
            );
        }
        if !is_alone {
            state.suspects = common;
            return Some("the records that it had in hand are tried one by one".to_owned());
        }
        let Run { partition, first: offset, .. } = run;
        if state.find(&partition, offset).is_some() {
            // Leaving it out does not help.
            state.suspects.clear();
            return None;
        }
        let sentence = format!("the record at offset {offset} of {partition} is dead-lettered");
        state.condemned.push(Condemned { partition, offset, panic: panic.to_owned() });
        Some(sentence)
    }

    /// How many records the next turn may take of those that it could: one of those on trial, and none with others before
    /// them.
    pub(super) fn limit(&self, records: usize, partitions: &Partitions) -> usize {
        let mut state = self.state();
        if state.suspects.is_empty() && state.condemned.is_empty() {
            return records;
        }
        let next =
            |of: &Partition| partitions.position(of).map_or(i64::MIN, |it| it.next_offset.get());
        state.suspects.retain(|run| next(&run.partition) <= run.last);
        let suspects = state.suspects.iter().map(|run| (&run.partition, run.first));
        // Those that were passed are kept: until the commit behind them a life may read them again.
        let condemned = state.condemned.iter().map(|it| (&it.partition, it.offset));
        let condemned = condemned.filter(|(partition, offset)| next(partition) <= *offset);
        let until = |(partition, first): (&Partition, i64)| {
            let before = first.saturating_sub(next(partition)).max(1);
            usize::try_from(before).unwrap_or(usize::MAX)
        };
        suspects.chain(condemned).map(until).fold(records, usize::min)
    }

    /// Whether records are tried one by one, for people.
    pub(super) fn problem(&self) -> Option<String> {
        let state = self.state();
        let Run { partition, first, last } = state.suspects.first()?;
        Some(format!(
            "isolating a record that makes the lane panic: those at offsets {first} to {last} of {partition} are tried \
             one by one"
        ))
    }

    /// What the only record of a block made the host say, if it is condemned.
    pub(super) fn verdict(&self, block: &RecordBlock) -> Option<String> {
        let [offset] = block.offsets[..] else { return None };
        self.state().find(&block.partition, offset).map(|condemned| condemned.panic.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn find(&self, partition: &Partition, offset: i64) -> Option<&Condemned> {
        let is_it = |it: &&Condemned| it.partition == *partition && it.offset == offset;
        self.condemned.iter().find(is_it)
    }
}
