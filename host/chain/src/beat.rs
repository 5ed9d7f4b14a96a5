//! The beat of a lane's owner: that it lives, where no epoch says so.
//!
//! An owner with news commits, and its chain moves. One without news writes no epoch
//! (docs/design/decisions.md#d19), and its chain stands like that of a dead one. So it repeats a
//! small object, and says in it when it has ended. Whoever waits to take over
//! compares what it sees with what it saw before, by its own clock; nobody compares clocks.
//!
//! Since there are terms ([`super::lead`]) this is how owners of earlier versions show themselves, every [`BEAT_EVERY`], and how
//! they are shown that somebody lives, every [`LED_BEAT_EVERY`].
//!
//! Beats decide nothing: safety is the chain's alone. The object is overwritten by whoever believes to own the lane, and
//! whose it is does not matter: a lane that somebody else owns finds that out before its next beat.

use std::time::Duration;

use bytes::Bytes;
use futures::future::try_join;
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};

use super::paths;
use super::record::{Epoch, Writer};
use super::store::LaneStore;
use super::{ChainError, LaneStorage};
use sluicegate_store::fleeting::put_fleeting;
use sluicegate_store::once::in_time;

/// How often an owner of a version before terms that has no news says that it lives: a request every time, so not often, and a
/// few times within the patience of whoever waits.
pub const BEAT_EVERY: Duration = Duration::from_secs(5);

/// The same of one that leads a term, whose sign tells more. One may be missed within the 15 s that earlier versions wait.
pub const LED_BEAT_EVERY: Duration = Duration::from_secs(7);

/// The object `beat`: an owner overwrites it while it lives, so that others wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Which opening of the lane lives.
    pub writer: Writer,
    /// Counts the beats of this writer.
    pub count: u64,
    /// It has ended, everything that it had is committed, and nothing of it is under way any more.
    pub released: bool,
    /// It leads a term, whose sign tells more than this beat ([`super::lead`]). Versions before terms do not say so.
    #[serde(default)]
    pub is_led: bool,
}

/// What shows whether an owner lives: while it does, one of the two changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// The newest epoch; none if there is no chain.
    pub head: Option<Epoch>,
    /// None if the owner has not begun to beat, or is older than beats.
    pub beat: Option<Beat>,
}

impl Signs {
    /// Whether the owner has ended and said so.
    pub fn is_released(&self) -> bool {
        self.beat.as_ref().is_some_and(|beat| beat.released)
    }
}

/// Looks for signs of life. Reads only.
///
/// # Errors
///
/// The store did not answer.
pub async fn look(storage: &LaneStorage) -> Result<Signs, ChainError> {
    let store = LaneStore::find(storage).await?;
    let failed = |error| ChainError::store("read the chain", &store.folder, &error);
    let (head, beat) = try_join(store.latest(), store.beat()).await.map_err(failed)?;
    Ok(Signs { head, beat })
}

impl LaneStore {
    /// The last beat; none if there is none that can be read.
    pub(super) async fn beat(&self) -> object_store::Result<Option<Beat>> {
        let bytes = self.get(paths::BEAT).await?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Says that a writer of a single record has ended: an instance that lost its slot to it goes on at once. Lost, it
    /// goes on after its patience.
    pub(super) async fn release(&self, writer: &Writer) {
        let beat = Beat { writer: writer.clone(), count: 0, released: true, is_led: true };
        if let Err(error) = self.put_beat(&beat).await {
            tracing::debug!(%error, "a beat did not get through");
        }
    }

    /// Replaces the beat. Lost, it is only late. One that says no more than that the owner lives is fleeting.
    pub(super) async fn put_beat(&self, beat: &Beat) -> object_store::Result<()> {
        let bytes = Bytes::from(serde_json::to_vec(beat).expect("a beat is plain JSON"));
        let path = self.folder.path(paths::BEAT);
        in_time(async {
            match beat.released {
                true => self.folder.store.put(&path, bytes.into()).await.map(drop),
                false => put_fleeting(&self.folder, &path, bytes).await,
            }
        })
        .await
    }
}
