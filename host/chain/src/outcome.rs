//! What becomes of an epoch that was handed to the committer.

use std::sync::Arc;

use super::ChainError;
use super::record::{ChainRecord, Epoch};

/// What became of a submitted epoch.
#[derive(Debug)]
pub enum CommitOutcome {
    /// Durable; here is its record.
    Committed(Arc<ChainRecord>),
    /// Another writer has the slot: drop everything since the head, open the lane again or stand by.
    Lost(LostSlot),
    /// It will never be durable. Opening the lane again helps if [`ChainError::may_pass`] says so.
    Failed(ChainError),
}

/// The slot that another writer took.
#[derive(Debug)]
pub struct LostSlot {
    /// The epoch that we wanted to commit.
    pub epoch: Epoch,
    /// What lies there, if it can be read.
    pub record: Option<Box<ChainRecord>>,
}
