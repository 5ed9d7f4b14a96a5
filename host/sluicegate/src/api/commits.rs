//! What became durable when.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An epoch that became durable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Commit {
    /// The number of the epoch, from 0 on without a gap.
    pub epoch: u64,
    /// When the lane heard that it is durable, RFC 3339.
    pub at: String,
    /// How long it took, from freezing the epoch to then.
    pub seconds: f64,
    /// Size of its data files.
    pub bytes: u64,
    /// How many there are, those of late rows and dead letters included.
    pub files: u64,
    /// Rows in these files.
    pub rows: u64,
    /// Messages for topics, which are sent from then on.
    pub messages: u64,
    /// State stored with it, compressed.
    pub state_bytes: u64,
    /// Stages in which a module took another's place with it.
    pub activates: Vec<String>,
}
