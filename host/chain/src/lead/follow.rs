//! What a follower does next, by what it has seen. Pure: observations and the time go in, advice comes out.
//!
//! All times are those of the follower's own clock, which counts the time that the machine was suspended.

use std::time::Duration;

use super::Timing;
use super::claim::{Claim, LeadTerm, Sign};

/// The newest term as a look has found it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Who leads.
    pub claim: Claim,
    /// The last sign of the term; none if there is none yet.
    pub sign: Option<Sign>,
}

impl Seen {
    /// Whether its leader has said that it leads no more.
    pub fn is_released(&self) -> bool {
        self.sign.as_ref().is_some_and(|sign| sign.released)
    }

    /// Whether its leader has said that it is about to.
    pub fn is_ending(&self) -> bool {
        self.sign.as_ref().is_some_and(|sign| sign.ending && !sign.released)
    }
}

/// A look that the store has answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Look {
    /// None if nobody has ever led.
    pub seen: Option<Seen>,
    /// When it began: what it found was there then or later.
    pub began: Duration,
    /// When its answer was there: what it found was there then or earlier.
    pub ended: Duration,
    /// The leader's process ran on this machine and is gone.
    pub is_gone: bool,
}

/// Why nobody leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vacancy {
    /// Nobody ever has.
    New,
    /// The leader has ended and said so.
    Released,
    /// The leader's process is gone from this machine.
    Gone,
    /// The leader has shown no sign for so long.
    Silent(Duration),
}

/// What a follower does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Advice {
    /// Try to win this term.
    Claim(LeadTerm, Vacancy),
    /// Look again. Before this time the leader is not taken for dead, if it shows no other sign.
    StandBy(Duration),
}

/// What was seen of a leader, and since when it has not changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Watched {
    seen: Seen,
    since: Duration,
}

/// Somebody who does not lead.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Follower {
    margin: Duration,
    /// Waited for beyond the rest, so that of several followers one comes first.
    delay: Duration,
    watched: Option<Watched>,
}

impl Follower {
    /// Has seen nothing yet. `seed` tells followers apart: they differ by up to a margin.
    pub fn new(timing: &Timing, seed: u64) -> Self {
        let part = u32::try_from(seed % 1_024).unwrap_or_default();
        Self { margin: timing.margin, delay: timing.margin * part / 1_024, watched: None }
    }

    /// What follows from a look.
    pub fn look(&mut self, look: Look) -> Advice {
        let Look { seen, began, ended, is_gone } = look;
        let Some(seen) = seen else {
            self.watched = None;
            return Advice::Claim(LeadTerm::FIRST, Vacancy::New);
        };
        let next = seen.claim.term.next();
        if seen.is_released() {
            return Advice::Claim(next, Vacancy::Released);
        }
        if is_gone {
            return Advice::Claim(next, Vacancy::Gone);
        }
        let patience = seen.claim.ttl() + self.margin + self.delay;
        let since = match &self.watched {
            Some(watched) if watched.seen == seen => watched.since,
            _ => ended,
        };
        self.watched = Some(Watched { seen, since });
        // By the beginning of this look: a sign that came while it was under way may not be in it.
        let silent = began.saturating_sub(since);
        match silent >= patience {
            true => Advice::Claim(next, Vacancy::Silent(silent)),
            false => Advice::StandBy(since + patience),
        }
    }

    /// The store did not answer a look: nobody knows what happened meanwhile, and the leader could not show itself either.
    pub fn saw_nothing(&mut self) {
        self.watched = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_model::time::EventTime;

    const SECOND: Duration = Duration::from_secs(1);

    fn seen(count: u64, released: bool) -> Option<Seen> {
        let claim = Claim {
            term: LeadTerm(4),
            instance: "a/1".to_owned(),
            nonce: "n".to_owned(),
            ttl_ms: 15_000,
            url: None,
            process: None,
            file: None,
            at: EventTime(0),
        };
        let sign = Sign { released, ..Sign::of_life(&claim, count) };
        Some(Seen { claim, sign: (count > 0).then_some(sign) })
    }

    fn look(follower: &mut Follower, seen: Option<Seen>, at: u32) -> Advice {
        let (began, ended) = (SECOND * at, SECOND * at);
        follower.look(Look { seen, began, ended, is_gone: false })
    }

    #[test]
    fn a_leader_is_taken_for_dead_when_it_was_silent_for_its_ttl_and_the_margin() {
        let mut follower = Follower::new(&Timing::default(), 0);
        assert_eq!(look(&mut follower, seen(1, false), 100), Advice::StandBy(SECOND * 117));
        assert_eq!(look(&mut follower, seen(2, false), 110), Advice::StandBy(SECOND * 127));
        assert_eq!(look(&mut follower, seen(2, false), 126), Advice::StandBy(SECOND * 127));
        let silent = Advice::Claim(LeadTerm(5), Vacancy::Silent(SECOND * 17));
        assert_eq!(look(&mut follower, seen(2, false), 127), silent);
    }

    #[test]
    fn a_leader_that_has_released_or_whose_process_is_gone_is_not_waited_for() {
        let mut follower = Follower::new(&Timing::default(), 0);
        let released = Advice::Claim(LeadTerm(5), Vacancy::Released);
        assert_eq!(look(&mut follower, seen(1, true), 1), released);
        let (began, ended) = (SECOND, SECOND);
        let gone = Look { seen: seen(1, false), began, ended, is_gone: true };
        assert_eq!(follower.look(gone), Advice::Claim(LeadTerm(5), Vacancy::Gone));
        assert_eq!(look(&mut follower, None, 1), Advice::Claim(LeadTerm::FIRST, Vacancy::New));
    }

    #[test]
    fn after_a_look_without_answer_the_wait_begins_again() {
        let mut follower = Follower::new(&Timing::default(), 0);
        look(&mut follower, seen(1, false), 0);
        follower.saw_nothing();
        assert_eq!(look(&mut follower, seen(1, false), 60), Advice::StandBy(SECOND * 77));
    }

    #[test]
    fn followers_differ_by_less_than_a_margin() {
        let timing = Timing::default();
        let until = |seed| look(&mut Follower::new(&timing, seed), seen(1, false), 0);
        for seed in 0..2_000 {
            let Advice::StandBy(until) = until(seed) else { panic!("it claims") };
            assert!((SECOND * 17..SECOND * 19).contains(&until), "{until:?}");
        }
        assert_ne!(until(1), until(400));
    }
}
