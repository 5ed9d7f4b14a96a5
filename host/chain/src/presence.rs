//! Whether somebody runs a lane, as far as can be seen from outside.
//!
//! A leader repeats the sign of its term ([`super::lead`]), whatever its commits wait for. Of versions before terms an owner with
//! news commits, and one without beats ([`super::beat`]); of versions before beats only the chain tells, within two checkpoint
//! intervals if there is news. Silence is no proof: the owner may not reach the store. What follows from that is caught by the
//! owner itself, which looks for its head before each commit (`commit`).

use std::time::Duration;

use futures::future::try_join;

use super::beat::{BEAT_EVERY, Signs, look};
use super::lead::follow::Seen;
use super::lead::store::LeadStore;
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

/// What one look has found.
#[derive(Clone, Default)]
struct Found {
    signs: Signs,
    /// The newest term; none if nobody has ever led.
    lead: Option<Seen>,
}

impl Found {
    async fn look(
        storage: &LaneStorage,
        leads: &LeadStore,
        known: Option<&Seen>,
    ) -> Result<Self, ChainError> {
        let known = known.map(|seen| &seen.claim);
        let (signs, lead) = try_join(look(storage), leads.look(known)).await?;
        Ok(Self { signs, lead })
    }

    /// Whether whoever was here has said that it has ended, or nobody ever was.
    fn is_over(&self) -> bool {
        let beat = self.signs.beat.as_ref();
        match &self.lead {
            Some(seen) => {
                seen.is_released() && beat.is_none_or(|beat| beat.released || beat.is_led)
            }
            None => self.signs == Signs::default() || self.signs.is_released(),
        }
    }

    /// What shows that somebody has done something since an earlier look.
    fn since(&self, before: &Self) -> Option<Presence> {
        if let (Some(epoch), true) = (self.signs.head, self.signs.head != before.signs.head) {
            return Some(Presence::Moved(epoch));
        }
        if let (Some(seen), true) = (&self.lead, self.lead != before.lead)
            && !seen.is_released()
        {
            return Some(Presence::Beats(seen.claim.instance.clone()));
        }
        let beat = self.signs.beat.as_ref().filter(|beat| !beat.released);
        let beat = beat.filter(|_| self.signs.beat != before.signs.beat)?;
        Some(Presence::Beats(beat.writer.instance.clone()))
    }
}

/// Looks for a sign that a lane runs, for up to `patience`. None if there is none, at once if its owner has said that it has
/// ended, or it never had one.
///
/// # Errors
///
/// [`ChainError::Store`].
pub async fn presence(
    storage: &LaneStorage,
    patience: Duration,
) -> Result<Option<Presence>, ChainError> {
    let leads = LeadStore::new(storage);
    let before = Found::look(storage, &leads, None).await?;
    let wait = async {
        let mut now = before.clone();
        loop {
            if now.is_over() {
                return Ok(None);
            }
            if let Some(presence) = now.since(&before) {
                return Ok(Some(presence));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
            now = Found::look(storage, &leads, now.lead.as_ref()).await?;
        }
    };
    tokio::time::timeout(patience, wait).await.unwrap_or(Ok(None))
}
