//! A lane's part of the memory of its process, and how much of it goes to what it reads.

use super::mib;

/// A lane works with so much, bytes: less would make files of a few rows.
pub const PART_LEAST: u64 = 16 << 20;

/// At most so much is read ahead, whatever the limit: 64 MiB of records, and as much for what a Kafka client keeps with
/// each of them.
const AHEAD_MAX: u64 = 128 << 20;
/// What is read ahead has this part of a lane's part.
const AHEAD_PART: u64 = 16;
/// The records of a turn have this part at most.
const TURN_PART: u64 = 32;
/// What is made of them has this part at most …
const MADE_PART: u64 = 8;
/// … and so many times the turn: more comes of a record that becomes many, and such a turn is taken in pieces.
const MADE_TIMES: u64 = 16;

/// What a lane may read, and make of it in a turn, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) ahead: u64,
    pub(super) turn: u64,
    pub(super) made: u64,
}

/// Memory that is too little to work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLittle {
    /// For so many lanes.
    #[error(
        "{} MiB of memory for {lanes} pipelines are too little, each needs {} MiB: set `--memory {}MiB` or more, where the machine has \
         that, or run fewer",
        mib(*limit), mib(PART_LEAST), mib(lanes.saturating_mul(PART_LEAST))
    )]
    ForLanes {
        /// Bytes that all of them may hold.
        limit: u64,
        /// How many there are.
        lanes: u64,
    },
    /// For what the source reads ahead.
    #[error(
        "the source reads up to {} MiB ahead, more than half of the {} MiB of memory that this pipeline has: set `--memory {}MiB` or \
         more, or for Kafka less `queued.max.messages.kbytes`, which counts twice",
        mib(*ahead), mib(*part), mib(ahead.saturating_mul(2).saturating_mul(*lanes))
    )]
    ForAhead {
        /// Bytes.
        ahead: u64,
        /// Bytes that the lane may hold.
        part: u64,
        /// How many lanes share the memory.
        lanes: u64,
    },
}

impl Part {
    /// What is set aside for it.
    pub(super) fn input(&self) -> u64 {
        self.ahead + self.turn + self.made
    }
}

/// Whether so many lanes can work with so much.
pub(super) fn check(limit: u64, lanes: u64) -> Result<(), TooLittle> {
    if limit / lanes < PART_LEAST { Err(TooLittle::ForLanes { limit, lanes }) } else { Ok(()) }
}

/// The part of one of `lanes` lanes with turns of `turn` bytes, if they fit. `ahead`: what its source reads ahead, if that
/// does not go by the part.
pub(super) fn part_of(
    limit: u64,
    lanes: u64,
    ahead: Option<u64>,
    turn: u64,
) -> Result<Part, TooLittle> {
    let part = limit / lanes;
    let ahead = ahead.unwrap_or((part / AHEAD_PART).min(AHEAD_MAX));
    if ahead > part / 2 {
        return Err(TooLittle::ForAhead { ahead, part, lanes });
    }
    let turn = turn.min(part / TURN_PART);
    let made = turn.saturating_mul(MADE_TIMES).min(part / MADE_PART);
    Ok(Part { ahead, turn, made })
}
