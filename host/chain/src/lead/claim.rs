//! The two objects of a term: the claim that won it, and the sign of its leader's life.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use sluicegate_model::time::EventTime;

/// A term of leadership, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeadTerm(pub u64);

impl LeadTerm {
    /// The first one.
    pub const FIRST: Self = Self(1);

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for LeadTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who leads a term: the object that is created once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Claim {
    /// Its term, as in the object's name.
    pub term: LeadTerm,
    /// Host and process, for people.
    pub instance: String,
    /// Random: two claims are never equal.
    pub nonce: String,
    /// How long this leader may be silent, in milliseconds. Its followers go by this and not by what they have themselves.
    pub ttl_ms: u64,
    /// Where its HTTP can be reached by others, if somebody has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Which process it is, for others on the same machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessMark>,
    /// Which pipeline file it runs. None: an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileMark>,
    /// The leader's wall clock when it claimed, for people only.
    pub at: EventTime,
}

impl Claim {
    /// How long this leader may be silent.
    pub fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl_ms)
    }
}

/// A pipeline file so that others see whether theirs says the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileMark {
    /// The version of the program: others may make other marks of the same file.
    pub version: String,
    /// Its sections, each with what tells it from another.
    pub sections: BTreeMap<String, String>,
}

/// A process so that others on its machine can see whether it is gone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessMark {
    /// The kernel's id of this boot.
    pub boot: String,
    /// The namespace in which the number means something.
    pub pid_namespace: String,
    /// Its number there.
    pub pid: u32,
    /// When it began, in ticks since the boot: a number may be used again.
    pub began: u64,
}

/// That the leader of a term lives, or has ended: the object that it overwrites.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sign {
    /// Of the claim that won the term.
    pub nonce: String,
    /// Counts the signs of a term.
    pub count: u64,
    /// It leads no more, and nobody has to wait for it.
    pub released: bool,
    /// It was asked to end and commits for the last time: whoever stands by looks more often. Nothing else follows from it.
    #[serde(default)]
    pub ending: bool,
    /// Whether an epoch was committed in this term. None: an earlier version, which does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_committed: Option<bool>,
    /// The lane is open, and has read nothing in this term: there is nothing to commit.
    #[serde(default)]
    pub idle: bool,
}

impl Sign {
    /// The sign with this number of who has won a term, which says that it lives and nothing else.
    pub fn of_life(claim: &Claim, count: u64) -> Self {
        Self {
            nonce: claim.nonce.clone(),
            count,
            released: false,
            ending: false,
            has_committed: None,
            idle: false,
        }
    }

    /// Whether it says what one before it has said, and that its leader lives on.
    pub fn repeats(&self, before: &Self) -> bool {
        Self { count: before.count, ..self.clone() } == *before
    }
}
