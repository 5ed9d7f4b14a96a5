//! What a live stream sends.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::error::Failure;

/// An event of a live stream. `event` is its name; its data is one line of JSON.
#[derive(ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum LiveEvent {
    /// Groups that changed, which are not committed yet.
    Results(LiveResults),
    /// The client was too slow for some.
    Missed(MissedResults),
    /// Why the host ends the stream. Asking again is of no use before that is mended.
    Ended(Failure),
}

/// Groups that changed since the last event, evaluated and not yet committed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes a type of another crate, and is never made")]
pub struct LiveResults {
    /// The pipeline's name.
    pipeline: String,
    /// The epoch that these rows would be part of.
    uncommitted_epoch: u64,
    /// Names: the key, the outputs of the plugin, `window_start` and `window_end`.
    columns: Vec<String>,
    /// How many of them, from the first, are the key: rows with the same key and window are one group.
    key_columns: usize,
    /// At most 500; the rows of a group stand together and replace those sent before.
    rows: Vec<Vec<Value>>,
    /// Rows beyond that.
    rows_left_out: u64,
}

/// Events that were not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MissedResults {
    /// Events that this listener was too slow for.
    pub events: u64,
}
