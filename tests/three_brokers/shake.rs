//! Which broker is hurt, how and when: all of it drawn from a seed.

use std::fmt;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rustix::process::Signal;
use xtask::services::kafka::{BROKERS, Cluster};

use crate::harness::wait_until;
use crate::harness::wire::{Ill, Wire};

/// What becomes of one broker for a while.
#[derive(Clone, Copy, Debug)]
pub enum Blow {
    /// `kill -9`; started again after a while.
    Kill,
    /// SIGTERM, so that it gives its leaderships away; started again.
    Leave,
    /// SIGSTOP, then SIGCONT: it believes that it leads, and leads no more.
    Freeze,
    /// The wires to it are so.
    Wires(Ill),
}

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => write!(f, "kill -9"),
            Self::Leave => write!(f, "SIGTERM"),
            Self::Freeze => write!(f, "SIGSTOP"),
            Self::Wires(ill) => write!(f, "wires: {ill}"),
        }
    }
}

const ROUND: [Blow; 7] = [
    Blow::Kill,
    Blow::Wires(Ill::Cut),
    Blow::Freeze,
    Blow::Wires(Ill::Refused),
    Blow::Leave,
    Blow::Wires(Ill::Slow(Duration::from_millis(100))),
    Blow::Wires(Ill::Silent),
];

/// An endless run of blows, in rounds, so that the short form has most of them.
pub struct Shake {
    dice: Pcg64Mcg,
    turn: usize,
    pub blows: usize,
}

impl Shake {
    pub fn new(seed: u64) -> Self {
        Self { dice: Pcg64Mcg::seed_from_u64(seed ^ 0x3b40), turn: 0, blows: 0 }
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.dice.random_range(from..to))
    }

    /// One blow, from its beginning until the broker is there again.
    pub fn strike(&mut self, cluster: &mut Cluster, wires: &[[Wire; BROKERS]]) {
        let (blow, whom) = (ROUND[self.turn % ROUND.len()], self.dice.random_range(0..BROKERS));
        let (lasts, rest) = (self.millis(500, 3_000), self.millis(200, 1_500));
        self.turn += 1;
        self.blows += 1;
        println!("broker {}, {lasts:.1?}: {blow}", whom + 1);
        let broker = &mut cluster.brokers[whom];
        match blow {
            Blow::Kill => broker.kill(),
            Blow::Leave => drop(broker.daemon().stop(Duration::from_secs(30)).unwrap()),
            Blow::Freeze => broker.daemon().signal_all(Signal::STOP).unwrap(),
            Blow::Wires(ill) => wires.iter().for_each(|wires| wires[whom].be(ill)),
        }
        wait_until(lasts, || None::<()>);
        match blow {
            Blow::Kill | Blow::Leave => broker.restart().unwrap(),
            Blow::Freeze => broker.daemon().signal_all(Signal::CONT).unwrap(),
            Blow::Wires(_) => wires.iter().for_each(|wires| wires[whom].be(Ill::Well)),
        }
        wait_until(rest, || None::<()>);
    }
}
