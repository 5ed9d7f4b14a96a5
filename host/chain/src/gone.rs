//! What became of a chain whose newest record is gone, and what that means for who starts the pipeline next.

use std::fmt;

use super::body::SlotBody;
use super::record::Epoch;
use super::store::LaneStore;
use super::{ChainError, mark};

/// Why the newest record of a chain is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Somebody has forgotten it on purpose, and nobody has begun another yet.
    Reset,
    /// Another chain has begun in its place.
    Replaced,
    /// It has no record any more, and nobody said that it may be begun again.
    Deleted,
    /// It ends with this epoch now.
    Cut(Epoch),
}

impl Gone {
    /// What to do, in agreement with what the next opening will do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Reset => "the next start begins from scratch, and so does a host that stands by",
            Self::Replaced => "the next start goes on with that one, or stands by",
            Self::Deleted | Self::Cut(_) => {
                "put it back from a copy before you start the pipeline again; or forget it with `sluicegate reset`, and the \
                 next start begins from scratch"
            }
        }
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset => f.write_str("was reset while the pipeline ran"),
            Self::Replaced => {
                f.write_str("was reset while the pipeline ran, and another has begun")
            }
            Self::Deleted => f.write_str("was deleted while the pipeline ran"),
            Self::Cut(newest) => write!(f, "was cut down to epoch {newest} while the pipeline ran"),
        }
    }
}

/// What became of the chain with this id. Its newest record is gone.
pub(super) async fn judge(store: &LaneStore, chain: &str) -> Result<Gone, ChainError> {
    let genesis = store.record(Epoch::GENESIS).await?;
    let newest = store.head().await?;
    let is_anothers = |body: &SlotBody| body.record.chain_id() != chain;
    if genesis.iter().chain(&newest).any(is_anothers) {
        return Ok(Gone::Replaced);
    }
    Ok(match newest.map(|body| body.record) {
        // Half of a reset may be done.
        _ if mark::find(store).await?.is_some() => Gone::Reset,
        Some(record) => Gone::Cut(record.epoch),
        None => Gone::Deleted,
    })
}
