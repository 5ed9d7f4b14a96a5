//! Rows and groups that a plugin did not take, with the reason.

use crate::varlen::Varlen;

/// A row that is to be dead-lettered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Row of the batch that the runner was given.
    pub row: u32,
    /// Who refused it, or what it did.
    pub kind: RefusalKind,
    /// What the plugin said, or what became of the call.
    pub reason: String,
}

/// A group that is to be dead-lettered with its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRefusal {
    /// Index into the states that the runner was given.
    pub group: u32,
    /// What became of the call with this group.
    pub kind: RefusalKind,
    /// What the plugin said, or what became of the call.
    pub reason: String,
}

/// Why a row or a group was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The plugin gave a reason for not taking the row.
    Rejected,
    /// The plugin trapped on it.
    Trap,
    /// The plugin took too long for it, twice.
    Deadline,
    /// The plugin's answer for it broke the contract.
    Answer,
    /// The plugin fails so often that the guilty are not looked for: it was refused with all that stood beside it.
    Breaker,
}

/// What merging made of two lists of accumulators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeOutcome {
    /// One per group; empty where the group was refused.
    pub states: Varlen,
    /// Ascending by group, each once.
    pub refusals: Vec<GroupRefusal>,
}
