//! Records on trial: what makes the host itself panic is narrowed down over the lives of a lane, and dead-lettered.
//!
//! A panic in a turn ends the life of the lane, and the next one reads the same records again. So:
//!
//! 1. Each turn notes what it has in hand. After a panic the note stands.
//! 2. If the next life panics over records of which some were in hand before, those are on trial: the life after that takes
//!    them one by one. All other records go on as ever.
//! 3. A record that panics alone, and was in hand at a panic before, is condemned: it is dead-lettered without being
//!    looked at, with kind `host_panic`. The dead letter and the position behind it are one commit, so later lives do not
//!    meet it any more.
//!
//! Nothing is condemned for a single panic, which may have had other reasons. What panics only in company passes
//! alone. Turns are cut at the records on trial, whatever their offsets count: records, or the bytes of a file.
//!
//! Groups that fire are tried alike: those that were in hand at a panic fire one by one in the next life, and one that
//! panics alone then is dead-lettered with its accumulator. (Sliding windows are merged as a whole: they have no group
//! to try.) Of a panic anywhere else the status says what the lane was doing, and what can be done.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluicegate_connect::source::RecordBlock;
use sluicegate_model::position::Partition;
use sluicegate_state::window::GroupPlace;

use super::rows::Chunk;

/// Records of a partition by their offsets, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    partition: Partition,
    first: i64,
    last: i64,
}

impl Run {
    fn of(block: &RecordBlock, records: Range<usize>) -> Option<Self> {
        let offsets = &block.offsets[records];
        let (first, last) = (*offsets.first()?, *offsets.last()?);
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

/// Groups that fire together.
#[derive(Clone, Debug)]
struct Groups {
    /// None: all that are due.
    last: Option<GroupPlace>,
    /// It is one, the last.
    alone: bool,
}

/// Shared by all lives of a lane and its supervisor.
#[derive(Clone, Debug, Default)]
pub struct Trial(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What the lane does when it has nothing in hand: a clause that says when.
    doing: &'static str,
    /// Of the turn that is being taken, or that panicked, and how many records they are.
    in_hand: Vec<Run>,
    records: usize,
    /// At the panic before.
    before: Vec<Run>,
    /// Taken one by one.
    suspects: Vec<Run>,
    condemned: Vec<Condemned>,
    /// The same of groups.
    groups_in_hand: Option<Groups>,
    groups_on_trial: Option<Groups>,
    groups_condemned: Vec<(GroupPlace, String)>,
    /// Whether the last panic was a step nearer to the cause.
    narrows: bool,
}

impl Trial {
    /// Something begins in which a panic is no record's fault, as a clause: «while …».
    pub(super) fn begin_other(&self, doing: &'static str) {
        let mut state = self.state();
        state.doing = doing;
        state.in_hand.clear();
        state.groups_in_hand = None;
    }

    /// How many of the chunks the next turn may take, at least one if there are any: those before the first record on
    /// trial, or that record, alone. Cuts the chunks there.
    pub(super) fn cut(&self, blocks: &[RecordBlock], chunks: &mut VecDeque<Chunk>) -> usize {
        let state = self.state();
        for index in 0..chunks.len() {
            let Chunk { block, partition, records } = chunks[index].clone();
            let Some(record) = state.first_on_trial(&blocks[block], records.clone()) else {
                continue;
            };
            if index > 0 && record == records.start {
                return index;
            }
            let end = record.max(records.start + 1);
            if end < records.end {
                chunks[index].records.end = end;
                chunks.insert(index + 1, Chunk { block, partition, records: end..records.end });
            }
            return index + 1;
        }
        chunks.len()
    }

    /// A turn begins.
    pub(super) fn begin<'c>(
        &self,
        blocks: &[RecordBlock],
        chunks: impl Iterator<Item = &'c Chunk> + Clone,
    ) {
        let mut state = self.state();
        let run = |chunk: &Chunk| Run::of(&blocks[chunk.block], chunk.records.clone());
        state.in_hand = chunks.clone().filter_map(run).collect();
        state.records = chunks.map(|chunk| chunk.records.len()).sum();
    }

    /// It ended well.
    pub(super) fn end(&self) {
        let mut state = self.state();
        let passed = std::mem::take(&mut state.in_hand);
        let has_passed = |it: &Run| {
            passed.iter().any(|run| run.partition == it.partition && run.last >= it.last)
        };
        state.suspects.retain(|run| !has_passed(run));
    }

    /// The lane panicked. What follows from that, as a sentence.
    pub fn panicked(&self, panic: &str) -> String {
        let mut state = self.state();
        state.narrows = true;
        if let Some(groups) = state.groups_in_hand.take() {
            return state.groups_panicked(groups, panic);
        }
        match std::mem::take(&mut state.in_hand) {
            in_hand if in_hand.is_empty() => state.nothing_to_try(),
            in_hand => state.records_panicked(in_hand, panic),
        }
    }

    /// Whether after the last panic the next life comes nearer to the cause, by what is known here.
    pub fn narrows(&self) -> bool {
        self.state().narrows
    }

    /// Whether records or groups are tried one by one, for people.
    pub(super) fn problem(&self) -> Option<String> {
        let state = self.state();
        if state.groups_on_trial.is_some() {
            let sentence = "isolating a group that makes the lane panic when it fires: groups are tried one by one";
            return Some(sentence.to_owned());
        }
        let Run { partition, first, last } = state.suspects.first()?;
        Some(format!(
            "isolating a record that makes the lane panic: those at offsets {first} to {last} of {partition} are tried \
             one by one"
        ))
    }

    /// What the only record of a chunk made the host say, if it is condemned.
    pub(super) fn verdict(&self, block: &RecordBlock, records: &Range<usize>) -> Option<String> {
        let [offset] = block.offsets[records.clone()] else { return None };
        self.state().find(&block.partition, offset).map(|condemned| condemned.panic.clone())
    }

    /// Whether groups fire one by one.
    pub(super) fn tries_groups(&self) -> bool {
        self.state().groups_on_trial.is_some()
    }

    /// Groups fire, up to the last, or all; or that one alone. What it made the host say, if it is condemned.
    pub(super) fn begin_groups(&self, last: Option<&GroupPlace>, alone: bool) -> Option<String> {
        let mut state = self.state();
        state.groups_in_hand = Some(Groups { last: last.cloned(), alone });
        let mut condemned = state.groups_condemned.iter().filter(|_| alone);
        condemned.find(|(group, _)| Some(group) == last).map(|(_, panic)| panic.clone())
    }

    /// They have fired.
    pub(super) fn end_groups(&self) {
        let mut state = self.state();
        let Some(Groups { last: Some(fired), .. }) = state.groups_in_hand.take() else { return };
        let passed = |tried: &mut Groups| tried.last.as_ref().is_some_and(|last| fired >= *last);
        state.groups_on_trial.take_if(passed);
    }

    /// All that was due has fired.
    pub(super) fn end_firing(&self) {
        self.state().groups_on_trial = None;
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

    /// The first of these records that is on trial or condemned. Those condemned are kept: until the commit behind them
    /// a life may read them again.
    fn first_on_trial(&self, block: &RecordBlock, records: Range<usize>) -> Option<usize> {
        let offsets = &block.offsets[records.clone()];
        let suspects = self.suspects.iter().map(|run| (&run.partition, run.first, run.last));
        let condemned = self.condemned.iter().map(|it| (&it.partition, it.offset, it.offset));
        let on_trial = suspects.chain(condemned).filter(|(of, ..)| **of == block.partition);
        let first = on_trial.filter_map(|(_, first, last)| {
            let at = offsets.partition_point(|offset| *offset < first);
            offsets.get(at).is_some_and(|offset| *offset <= last).then_some(at)
        });
        first.min().map(|at| records.start + at)
    }

    fn records_panicked(&mut self, in_hand: Vec<Run>, panic: &str) -> String {
        let common: Vec<Run> = in_hand
            .iter()
            .flat_map(|run| self.before.iter().filter_map(|before| run.common(before)))
            .collect();
        let run = in_hand[0].clone();
        let is_alone = self.records == 1;
        // It was in hand before, with others: for that it is on trial.
        let is_suspect = is_alone && self.suspects.iter().any(|it| it.common(&run).is_some());
        self.before = in_hand;
        if common.is_empty() && !is_suspect {
            self.suspects.clear();
            self.narrows = false;
            return "if that happens again with the same records, they are tried one by one"
                .to_owned();
        }
        if !is_alone {
            self.suspects = common;
            return "the records that it had in hand are tried one by one".to_owned();
        }
        let Run { partition, first: offset, .. } = run;
        if self.find(&partition, offset).is_some() {
            self.suspects.clear();
            self.narrows = false;
            return format!(
                "that the record at offset {offset} of {partition} is left out does not help: move behind it with \
                 `sluicegate positions`, and tell us"
            );
        }
        let sentence = format!("the record at offset {offset} of {partition} is dead-lettered");
        self.condemned.push(Condemned { partition, offset, panic: panic.to_owned() });
        sentence
    }

    fn groups_panicked(&mut self, groups: Groups, panic: &str) -> String {
        let Groups { last: Some(group), alone: true } = &groups else {
            self.groups_on_trial = Some(groups);
            return "the groups that fired together are tried one by one".to_owned();
        };
        if self.groups_condemned.iter().any(|(condemned, _)| condemned == group) {
            self.groups_on_trial = None;
            return self.nothing_to_try();
        }
        self.groups_condemned.push((group.clone(), panic.to_owned()));
        "the group that fired alone is dead-lettered with its accumulator".to_owned()
    }

    fn nothing_to_try(&mut self) -> String {
        self.narrows = false;
        let doing = if self.doing.is_empty() { "between two turns" } else { self.doing };
        format!(
            "it happened {doing}, so there is no record or group to leave out: if it happens again, activate another \
             module, or raise or lower `limits`, and tell us; the data are safe as of the last commit"
        )
    }
}
