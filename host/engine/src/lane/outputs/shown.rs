//! What the task of a table's log shows to the lane, and to the compaction of its files.

use sluicegate_chain::record::Epoch;

/// How far a log is.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// The newest epoch that it has.
    pub(super) through: Option<Epoch>,
    /// Its newest version.
    pub(super) version: Option<u64>,
    /// Why it does not go on.
    pub(super) problem: Option<String>,
    /// Why it never will: the lane is to end.
    pub(super) refused: Option<String>,
}
