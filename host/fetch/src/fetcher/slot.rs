//! A partition that is fetched: from whom, from where on, and what an answer means for it.

use bytes::Bytes;

use super::Trouble;
use crate::batch::{Fit, Head, Opener, fit};
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
    /// A batch that was not believed when it came.
    pub(super) doubted: Option<Head>,
    /// Answers with records in a row that led no further.
    pub(super) in_vain: u32,
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
    pub(super) fn go_on(
        &mut self,
        broker: i32,
        asked: &Wanted,
        part: Part,
    ) -> Result<Option<Work>, Trouble> {
        let ends = (part.high_watermark, part.last_stable);
        if part.records.is_empty() && self.ends == Some(ends) {
            return Ok(None);
        }
        self.ends = Some(ends);
        let Part { records, aborted, high_watermark, last_stable, .. } = part;
        let set =
            if records.is_empty() { records } else { self.believed(records, high_watermark)? };
        self.at_work = Some(broker);
        let opener = Opener::new(set, asked.offset, &aborted);
        let (partition, round) = (asked.partition, self.round);
        Ok(Some(Work { partition, round, opener, high_watermark, last_stable }))
    }

    /// What is to be opened of the records that came. What is asked for next lies behind it.
    fn believed(&mut self, records: Bytes, high_watermark: i64) -> Result<Bytes, Trouble> {
        let Fit { set, last, doubted } = fit(records, self.next, self.doubted, high_watermark);
        self.doubted = doubted;
        match last {
            Some(last) if last.next() > self.next => {
                (self.next, self.fetched_epoch) = (last.next(), last.leader_epoch);
                self.in_vain = 0;
                return Ok(set);
            }
            // What came cannot be read, and would come again.
            None if doubted.is_none() => self.stands = true,
            _ => self.in_vain += 1,
        }
        let offset = self.next;
        match doubted.or(last) {
            Some(Head { last, .. }) if self.in_vain >= IN_VAIN_MAX => {
                self.stands = true;
                Err(Trouble::InVain { offset, last })
            }
            _ => Ok(set),
        }
    }
}

/// A wire may garble an answer, and a replica may be behind. Each of so many would be the same for whoever asks.
const IN_VAIN_MAX: u32 = 5;

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
