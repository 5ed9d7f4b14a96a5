//! What the answers of racing creates say of a store. Pure.

use bytes::Bytes;
use object_store::{Error, Result};

/// What a create was answered.
#[derive(Debug)]
pub(super) enum Answer {
    Created,
    Refused,
    /// Neither, so it may have taken effect.
    Unknown(Error),
}

/// One of the creates of a round.
#[derive(Debug)]
pub(super) struct Racer {
    /// What it wanted there.
    pub(super) body: Bytes,
    pub(super) answer: Answer,
    /// What it found there afterwards; none if nothing.
    pub(super) found: Result<Option<Bytes>>,
}

/// What a round says.
#[derive(Debug)]
pub(super) enum Round {
    /// One has won: the object holds this.
    Won(Bytes),
    /// None was told that it has won, and one has.
    Undecided,
    Flawed(Flaw),
    /// The store did not answer.
    Failed(Error),
}

/// What a store did that it must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// More than one create of one object succeeded.
    #[error(
        "{winners} of {racers} creates of one object at a time succeeded; it {}",
        if *ignores { "ignores `If-None-Match: *`" } else { "looks first and writes afterwards" }
    )]
    ManyWinners {
        /// How many.
        winners: usize,
        /// Of so many.
        racers: usize,
        /// A create of an object that was long there succeeded as well.
        ignores: bool,
    },
    /// Every create of a round was refused, in round after round.
    #[error("of {racers} creates of one object at a time none was told that it has succeeded")]
    NoWinner {
        /// How many there were in each.
        racers: usize,
    },
    /// A create succeeded although the object was there.
    #[error("it creates an object that is there already")]
    Overwrites,
    /// An object does not hold what its creator put there.
    #[error("an object that was created once does not hold what its creator was told")]
    Changes,
    /// What was created cannot be read.
    #[error("an object cannot be read after its creation was answered")]
    Unreadable,
    /// A listing does not show what was created.
    #[error("a listing does not show an object that was created before")]
    NotListed,
    /// A listing with an offset shows what is before it.
    #[error("a listing that begins behind a name (`start-after`) shows that name")]
    ListsFromTheStart,
    /// What was deleted can be read.
    #[error("an object can be read after its deletion was answered")]
    Undead,
    /// A name cannot be created again after a deletion.
    #[error("an object cannot be created after one of its name was deleted")]
    NotAgain,
}

impl Flaw {
    /// Whether no sound store can show it, however bad the network. Lost answers and conflicts that pass (`409`) look
    /// like the others, so those are no proof.
    pub fn is_proof(&self) -> bool {
        !matches!(self, Self::NoWinner { .. } | Self::NotAgain)
    }
}

/// Judges the racers of a round. None of them may be left out.
pub(super) fn judge(racers: Vec<Racer>) -> Round {
    let won = racers.iter().filter(|racer| matches!(racer.answer, Answer::Created));
    let (winners, winner) = (won.clone().count(), won.map(|racer| racer.body.clone()).next());
    if winners > 1 {
        return Round::Flawed(Flaw::ManyWinners { winners, racers: racers.len(), ignores: false });
    }
    let bodies: Vec<Bytes> = racers.iter().map(|racer| racer.body.clone()).collect();
    let (mut object, mut unanswered) = (winner.clone(), None);
    for Racer { answer, found, .. } in racers {
        let found = match found {
            Ok(found) => found,
            Err(error) => return Round::Failed(error),
        };
        match (found, answer) {
            (Some(found), _) if object.as_ref().is_some_and(|object| *object != found) => {
                return Round::Flawed(Flaw::Changes);
            }
            (Some(found), _) => object = Some(found),
            // Its put may be on its way.
            (None, Answer::Unknown(error)) => unanswered = Some(error),
            (None, Answer::Created) => return Round::Flawed(Flaw::Unreadable),
            // S3 refuses with 409 while another create is under way, and that one may fail.
            (None, Answer::Refused) => {}
        }
    }
    match (winner, unanswered, object) {
        (Some(winner), ..) => Round::Won(winner),
        (None, Some(error), None) => Round::Failed(error),
        (None, _, Some(object)) if !bodies.contains(&object) => Round::Flawed(Flaw::Changes),
        (None, ..) => Round::Undecided,
    }
}
