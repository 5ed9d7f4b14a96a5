//! A partition that is fetched: from whom, from where on, and what an answer means for it.

use super::Trouble;
use crate::batch::{Opener, behind};
use crate::wire::fetch::{Part, Wanted};

/// A partition that is fetched.
#[derive(Debug)]
pub(super) struct Slot {
    /// What is asked for next.
    pub(super) next: i64,
    /// Of the record before it; −1 if that is not known.
    pub(super) fetched_epoch: i32,
    pub(super) leader: Option<i32>,
    /// The broker that is asked instead, because the leader says that it is nearer, and how often it has answered.
    pub(super) replica: Option<(i32, u32)>,
    /// The newest that anybody told; −1 for none.
    pub(super) epoch: i32,
    /// Nothing comes before it is added anew.
    pub(super) stands: bool,
    /// Of the rounds, that in which it was added or removed last: what was fetched before is not wanted.
    pub(super) round: u64,
    /// The broker whose thread has not handed on yet all that it brought: no other is asked meanwhile, or what comes later
    /// would be read first.
    pub(super) at_work: Option<i32>,
    /// High watermark and last stable offset that were told last.
    pub(super) ends: Option<(i64, i64)>,
}

/// What came of a partition and is to be opened.
pub(super) struct Work {
    pub(super) partition: i32,
    pub(super) round: u64,
    pub(super) opener: Opener,
    pub(super) high_watermark: i64,
    pub(super) last_stable: i64,
}

impl Slot {
    /// The broker that is asked.
    pub(super) fn source(&self) -> Option<i32> {
        self.replica.map_or(self.leader, |(replica, _)| Some(replica))
    }

    /// Whether a replica's answer means that the leader is to be asked: it is in trouble, or the leader may know a better one.
    pub(super) fn turns_away(&mut self, part: &Part) -> bool {
        let Some((_, answers)) = &mut self.replica else { return false };
        *answers += 1;
        part.error != 0 || part.diverging.is_some() || *answers > REPLICA_ANSWERS
    }

    /// Records have come, or the ends have moved. None if neither.
    pub(super) fn go_on(&mut self, broker: i32, asked: &Wanted, part: Part) -> Option<Work> {
        let ends = (part.high_watermark, part.last_stable);
        if part.records.is_empty() && self.ends == Some(ends) {
            return None;
        }
        self.ends = Some(ends);
        if let Some((behind, epoch)) = behind(&part.records) {
            if behind > self.next {
                self.next = behind;
                self.fetched_epoch = epoch;
            }
        } else if !part.records.is_empty() {
            // What came cannot be read, and would come again.
            self.stands = true;
        }
        self.at_work = Some(broker);
        let Part { records, aborted, high_watermark, last_stable, .. } = part;
        let opener = Opener::new(records, asked.offset, &aborted);
        let (partition, round) = (asked.partition, self.round);
        Some(Work { partition, round, opener, high_watermark, last_stable })
    }
}

/// The leader is asked for the nearest replica again after so many answers: some minutes where nothing comes.
const REPLICA_ANSWERS: u32 = 1_000;

const OFFSET_OUT_OF_RANGE: i16 = 1;

/// No leader, another one, an epoch that one of us does not know yet, a disk that is lost: with a new leader it is over.
pub(super) const PASSES_BY_ITSELF: [i16; 7] = [5, 6, 9, 56, 74, 75, 78];

pub(super) fn trouble_in(asked: &Wanted, part: &Part) -> Option<Trouble> {
    let offset = asked.offset;
    match (part.error, part.diverging) {
        (0, Some(diverging)) => {
            Some(Trouble::Truncated { offset, agrees_to: diverging.end_offset })
        }
        (0, None) => None,
        (OFFSET_OUT_OF_RANGE, _) => Some(Trouble::OutOfRange { offset }),
        (code, _) => Some(Trouble::Refused(code)),
    }
}
