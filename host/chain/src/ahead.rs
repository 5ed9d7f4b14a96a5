//! The state of the newest record, fetched before it is needed: by an instance that stands by.

use bytes::Bytes;

use super::ChainError;
use super::record::{ChainRecord, StateRef};
use super::store::LaneStore;

/// A larger state is fetched when it is needed: whoever stands by may do so for years beside other work.
const AHEAD_BYTES_MAX: u64 = 64 << 20;

/// What was fetched, compressed as it is stored.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    state: Option<(StateRef, Bytes)>,
}

impl Ahead {
    /// Fetches the state that a record names, unless it is there already or too large.
    pub(super) async fn fetch(
        &mut self,
        store: &LaneStore,
        record: &ChainRecord,
    ) -> Result<(), ChainError> {
        let wanted = record.state.as_ref().filter(|state| state.bytes <= AHEAD_BYTES_MAX);
        let Some(state) = wanted else {
            self.state = None;
            return Ok(());
        };
        if self.bytes(state).is_none() {
            // Not both at once.
            self.state = None;
            let bytes = store.get(&state.key).await.map_err(|error| store.unread(&error))?;
            self.state = bytes.map(|bytes| (state.clone(), bytes));
        }
        Ok(())
    }

    /// The bytes of a state, if they were fetched.
    pub(super) fn bytes(&self, state: &StateRef) -> Option<&Bytes> {
        self.state.as_ref().filter(|(fetched, _)| fetched == state).map(|(_, bytes)| bytes)
    }
}
