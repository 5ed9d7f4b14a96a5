//! How hard a store is tried, by what keeps its objects.

use crate::Backing;

/// How hard a store is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Rounds; one if it is 0.
    pub rounds: u32,
    /// Creates of one object that race in a round.
    pub racers: usize,
}

impl Effort {
    /// A server that looks and then writes fails the first of these rounds.
    pub const OF_A_SERVER: Self = Self { rounds: 8, racers: 32 };

    /// Creates in a directory are links that the kernel makes, so only a strange mount can fail. Each takes a thread and two
    /// syncs.
    pub const OF_A_DIRECTORY: Self = Self { rounds: 1, racers: 8 };

    /// What a store is tried with before a lane is opened. None: memory needs no trial.
    pub fn usual(backing: &Backing) -> Option<Self> {
        match backing {
            Backing::Memory => None,
            Backing::Directory => Some(Self::OF_A_DIRECTORY),
            Backing::Server { .. } => Some(Self::OF_A_SERVER),
        }
    }
}
