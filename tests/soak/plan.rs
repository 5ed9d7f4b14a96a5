//! Which faults come, and when: all of it drawn from the seed before the first one.

use std::fmt;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::harness::wire::Ill;

/// Time to live of a term of leadership in the soak.
pub const TTL: Duration = Duration::from_secs(3);

/// Who is hurt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// The host that leads at that moment.
    Leader,
    /// One that does not.
    Standby,
}

impl Whom {
    /// As the ledger says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leader => "the leader",
            Self::Standby => "a standby",
        }
    }
}

/// What the store does to requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toxic {
    /// It does what it is asked, and the answer is lost: of every so many requests one; 1: of each that creates.
    AnswersLost(u64),
    /// Answers come later.
    Delayed(Duration),
    /// Of every so many puts one lands later, after its connection has ended.
    Late(u64, Duration),
    /// Half of all conditional creates are refused with 409, and nothing is there.
    Conflicts,
    /// Three of four requests are refused with 503.
    SlowDown,
    /// It takes requests and never answers.
    Hung,
}

impl fmt::Display for Toxic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnswersLost(1) => write!(f, "every answer to a create is lost"),
            Self::AnswersLost(of) => write!(f, "one answer of {of} is lost"),
            Self::Delayed(by) => write!(f, "answers come {by:.1?} later"),
            Self::Late(of, by) => write!(f, "one put of {of} lands {by:.1?} later, unanswered"),
            Self::Conflicts => write!(f, "every second create meets 409"),
            Self::SlowDown => write!(f, "three requests of four meet 503"),
            Self::Hung => write!(f, "no request is answered"),
        }
    }
}

/// How a filter fails at some records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stumble {
    /// It traps.
    Traps,
    /// It never answers: the watchdog ends the call.
    Spins,
}

impl Stumble {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::Traps, Self::Spins];
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9`; started again after a while.
    Kill(Whom, Duration),
    /// SIGTERM; started again after a while.
    Stop(Whom, Duration),
    /// SIGSTOP for three times the ttl, then SIGCONT.
    Sleep(Whom),
    /// It may open no file and no connection for a while.
    Starve(Whom, Duration),
    /// The broker is killed and started again.
    Broker,
    /// The store is killed and started again after a while.
    Store(Duration),
    /// The store does this to the leader (`true`) or to all for a while.
    Toxic(Toxic, bool, Duration),
    /// The wire to the broker is so for a while: the leader's (`true`), or everybody's.
    Wire(Ill, bool, Duration),
    /// A filter is activated that fails at some records, and after a while the honest one again.
    Stumbles(Stumble, Duration),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(whom, away) => write!(f, "kill -9 {}, away {away:.1?}", whom.name()),
            Self::Stop(whom, away) => write!(f, "SIGTERM to {}, away {away:.1?}", whom.name()),
            Self::Sleep(whom) => write!(f, "SIGSTOP of {} for {:.1?}", whom.name(), 3 * TTL),
            Self::Starve(whom, lasts) => {
                write!(f, "no file descriptor is left to {} for {lasts:.1?}", whom.name())
            }
            Self::Broker => write!(f, "kill -9 Kafka and start it again"),
            Self::Store(away) => write!(f, "kill -9 the store, away {away:.1?}"),
            Self::Toxic(toxic, leader, lasts) => {
                let whom = if *leader { "to the leader" } else { "to all" };
                write!(f, "store, {whom}, {lasts:.1?}: {toxic}")
            }
            Self::Wire(ill, leader, lasts) => {
                let whose = if *leader { "the leader's" } else { "everybody's" };
                write!(f, "{whose} wire to Kafka, {lasts:.1?}: {ill}")
            }
            Self::Stumbles(Stumble::Traps, lasts) => {
                write!(f, "a filter that traps at some records, {lasts:.1?}")
            }
            Self::Stumbles(Stumble::Spins, lasts) => {
                write!(f, "a filter that never answers for some records, {lasts:.1?}")
            }
        }
    }
}

/// Kinds of faults, as often as they come in a round.
const ROUND: [Kind; 23] = [
    Kind::Kill,
    Kind::Kill,
    Kind::Kill,
    Kind::Stop,
    Kind::Stop,
    Kind::Sleep,
    Kind::Sleep,
    Kind::Starve,
    Kind::Broker,
    Kind::Store,
    Kind::CreatesUnanswered,
    Kind::AnswersLost,
    Kind::Delayed,
    Kind::Late,
    Kind::Conflicts,
    Kind::SlowDown,
    Kind::Hung,
    Kind::WireCut,
    Kind::WireSlow,
    Kind::WireSilent,
    Kind::WireRefused,
    Kind::Traps,
    Kind::Spins,
];

#[derive(Clone, Copy, Debug)]
enum Kind {
    Kill,
    Stop,
    Sleep,
    Starve,
    Broker,
    Store,
    CreatesUnanswered,
    AnswersLost,
    Delayed,
    Late,
    Conflicts,
    SlowDown,
    Hung,
    WireCut,
    WireSlow,
    WireSilent,
    WireRefused,
    Traps,
    Spins,
}

/// An endless run of faults, each with how long nothing new comes before it. The same seed gives the same ones. They come in
/// rounds, so that a short soak has most kinds too.
pub struct Plan {
    dice: Pcg64Mcg,
    round: Vec<Kind>,
}

impl Plan {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self { dice: Pcg64Mcg::seed_from_u64(seed ^ 0x50a4), round: Vec::new() }
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.dice.random_range(from..to))
    }

    fn fault(&mut self) -> Fault {
        if self.round.is_empty() {
            self.round = ROUND.to_vec();
        }
        let kind = self.round.swap_remove(self.dice.random_range(0..self.round.len()));
        let whom = if self.dice.random_range(0..4) == 0 { Whom::Standby } else { Whom::Leader };
        let (away, leader) = (self.millis(200, 3_000), self.dice.random_range(0..2) == 0);
        let lasts = self.millis(1_000, 8_000);
        let toxic = |toxic| Fault::Toxic(toxic, leader, lasts);
        let wire = |ill| Fault::Wire(ill, leader, lasts);
        match kind {
            Kind::Kill => Fault::Kill(whom, away),
            Kind::Stop => Fault::Stop(whom, away),
            Kind::Sleep => Fault::Sleep(whom),
            Kind::Starve => Fault::Starve(whom, lasts),
            Kind::Broker => Fault::Broker,
            Kind::Store => Fault::Store(2 * away),
            Kind::CreatesUnanswered => toxic(Toxic::AnswersLost(1)),
            Kind::AnswersLost => toxic(Toxic::AnswersLost(4)),
            Kind::Delayed => toxic(Toxic::Delayed(away)),
            Kind::Late => toxic(Toxic::Late(3, away)),
            Kind::Conflicts => toxic(Toxic::Conflicts),
            Kind::SlowDown => toxic(Toxic::SlowDown),
            Kind::Hung => toxic(Toxic::Hung),
            Kind::WireCut => wire(Ill::Cut),
            Kind::WireSlow => wire(Ill::Slow(away / 4)),
            Kind::WireSilent => wire(Ill::Silent),
            Kind::WireRefused => wire(Ill::Refused),
            Kind::Traps => Fault::Stumbles(Stumble::Traps, lasts),
            // What a worker spends on calls that fail is bounded: beyond that innocent records are refused as well.
            Kind::Spins => Fault::Stumbles(Stumble::Spins, lasts / 2),
        }
    }
}

impl Iterator for Plan {
    type Item = (Duration, Fault);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.millis(500, 6_000), self.fault()))
    }
}

#[test]
fn a_seed_draws_its_faults_again_and_in_a_round_every_kind() {
    let drawn = |seed| Plan::new(seed).take(300).collect::<Vec<_>>();
    assert_eq!(drawn(7), drawn(7));
    assert_ne!(drawn(7), drawn(8));
    let kind = |fault: &Fault| match fault {
        Fault::Toxic(toxic, ..) => format!("{:?}", std::mem::discriminant(toxic)) + " of the store",
        Fault::Wire(ill, ..) => format!("{:?}", std::mem::discriminant(ill)) + " of the wire",
        Fault::Stumbles(how, _) => format!("{how:?}"),
        other => format!("{:?}", std::mem::discriminant(other)),
    };
    let kinds: std::collections::BTreeSet<_> =
        drawn(7).iter().take(ROUND.len()).map(|(_, fault)| kind(fault)).collect();
    assert_eq!(kinds.len(), 18, "{kinds:?}");
}
