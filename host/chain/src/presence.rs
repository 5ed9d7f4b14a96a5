//! Whether somebody runs a lane, as far as can be seen from outside.
//!
//! An owner with news commits, and one without beats ([`super::beat`]); of versions before beats only the chain tells, within
//! two checkpoint intervals if there is news. Silence is no proof: the owner may not reach the store. What follows from
//! that is caught by the owner itself, which looks for its head before each commit (`commit`).

use std::time::Duration;

use super::beat::{BEAT_EVERY, look};
use super::record::Epoch;
use super::{ChainError, LaneStorage};

/// Whoever looks waits at least this long: two beats, and a request or two.
pub const PATIENCE_MIN: Duration = Duration::from_secs(BEAT_EVERY.as_secs() * 2 + 2);

const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A sign of who runs a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// An instance beats: host name and process.
    Beats(String),
    /// The newest epoch is another than it was.
    Moved(Epoch),
}

/// Looks for a sign that a lane runs, for up to `patience`. None if there is none, at once if its owner has said that it has
/// ended.
///
/// # Errors
///
/// [`ChainError::Store`].
pub async fn presence(
    storage: &LaneStorage,
    patience: Duration,
) -> Result<Option<Presence>, ChainError> {
    let before = look(storage).await?;
    let wait = async {
        let mut now = before.clone();
        loop {
            if now.is_released() {
                return Ok(None);
            }
            if let (Some(epoch), true) = (now.head, now.head != before.head) {
                return Ok(Some(Presence::Moved(epoch)));
            }
            if let (Some(beat), true) = (&now.beat, now.beat != before.beat) {
                return Ok(Some(Presence::Beats(beat.writer.instance.clone())));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
            now = look(storage).await?;
        }
    };
    tokio::time::timeout(patience, wait).await.unwrap_or(Ok(None))
}
