//! How long a leader may believe that it leads. Pure.
//!
//! Validity counts from the *beginning* of the last request that succeeded: a follower cannot have seen it earlier. A sign
//! that is answered when validity has lapsed revives nothing: a follower may have looked before it arrived.
//!
//! All times are those of the leader's own clock, which counts the time that the machine was suspended.

use std::time::Duration;

use super::Timing;

/// The leadership of one term, from winning it to its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hold {
    valid_for: Duration,
    beat: Duration,
    /// When the last request began that said so.
    from: Duration,
    /// Signs that were sent.
    count: u64,
    ending: Ending,
}

/// Whether a leader is about to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Ending {
    No,
    /// Others do not know yet.
    Untold,
    Told,
}

/// What became of a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kept {
    /// The leader leads on.
    Extended,
    /// Too late: this term is over for its leader, whatever lies in the store.
    Lapsed,
}

impl Hold {
    /// A term was won by a claim whose first attempt began then.
    pub fn begin(timing: &Timing, claim_began: Duration) -> Self {
        let (valid_for, beat, ending) = (timing.valid_for(), timing.beat, Ending::No);
        Self { valid_for, beat, from: claim_began, count: 0, ending }
    }

    /// When the leader stops to believe that it leads.
    pub fn until(&self) -> Duration {
        self.from + self.valid_for
    }

    /// Whether it may go on.
    pub fn is_valid(&self, now: Duration) -> bool {
        now < self.until()
    }

    /// It was asked to end: a sign is due at once that says so, and each sign from now on does.
    pub fn end(&mut self) {
        if self.ending == Ending::No {
            self.ending = Ending::Untold;
        }
    }

    /// Whether it was asked to end.
    pub fn is_ending(&self) -> bool {
        self.ending != Ending::No
    }

    /// When the next sign is due.
    pub fn next_beat(&self) -> Duration {
        match self.ending {
            Ending::Untold => Duration::ZERO,
            Ending::No | Ending::Told => self.from + self.beat,
        }
    }

    /// The number of the next sign, which is about to be sent.
    pub fn count(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// The store has taken a sign.
    pub fn taken(&mut self, began: Duration, ended: Duration) -> Kept {
        if !self.is_valid(ended) {
            return Kept::Lapsed;
        }
        self.from = self.from.max(began);
        if self.ending == Ending::Untold {
            self.ending = Ending::Told;
        }
        Kept::Extended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn validity_counts_from_the_beginning_of_what_was_taken_in_time() {
        let mut hold = Hold::begin(&Timing::default(), SECOND * 100);
        assert!(hold.is_valid(SECOND * 112) && !hold.is_valid(SECOND * 113));
        assert_eq!(hold.next_beat(), SECOND * 105);
        assert_eq!(hold.taken(SECOND * 105, SECOND * 109), Kept::Extended);
        assert_eq!(hold.until(), SECOND * 118);
        assert_eq!((hold.count(), hold.count()), (1, 2));
    }

    #[test]
    fn a_leader_that_is_to_end_says_so_at_once_and_once() {
        let mut hold = Hold::begin(&Timing::default(), SECOND * 100);
        assert!(!hold.is_ending());
        hold.end();
        assert!(hold.is_ending() && hold.next_beat() < SECOND * 101);
        assert_eq!(hold.until(), SECOND * 113, "it may believe no longer for that");
        hold.taken(SECOND * 101, SECOND * 101);
        hold.end();
        assert!(hold.is_ending());
        assert_eq!(hold.next_beat(), SECOND * 106);
    }

    #[test]
    fn a_sign_that_is_answered_too_late_revives_nothing() {
        let mut hold = Hold::begin(&Timing::default(), SECOND * 100);
        assert_eq!(hold.taken(SECOND * 105, SECOND * 113), Kept::Lapsed);
        assert_eq!(hold.until(), SECOND * 113);
    }
}
