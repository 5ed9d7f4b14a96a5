//! The state of the newest record, fetched before it is needed: by an instance that stands by.

use bytes::Bytes;

use super::ChainError;
use super::record::{ChainRecord, Piece};
use super::store::LaneStore;

/// A larger state is fetched when it is needed: whoever stands by may do so for years beside other work.
const AHEAD_BYTES_MAX: u64 = 64 << 20;

/// What was fetched, compressed as it is stored.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    pieces: Vec<(Piece, Bytes)>,
}

impl Ahead {
    /// Fetches the pieces of the state that a record names, as far as they are not there already, unless all together are too
    /// large.
    pub(super) async fn fetch(
        &mut self,
        store: &LaneStore,
        record: &ChainRecord,
    ) -> Result<(), ChainError> {
        let wanted = record.state.as_ref().filter(|state| state.bytes() <= AHEAD_BYTES_MAX);
        let wanted = wanted.map_or(&[][..], |state| &state.pieces);
        // Not both at once.
        self.pieces.retain(|(fetched, _)| wanted.contains(fetched));
        for piece in wanted {
            if self.bytes(piece).is_none() {
                let bytes = store.get(&piece.key).await.map_err(|error| store.unread(&error))?;
                self.pieces.extend(bytes.map(|bytes| (piece.clone(), bytes)));
            }
        }
        Ok(())
    }

    /// The bytes of a piece, if they were fetched.
    pub(super) fn bytes(&self, piece: &Piece) -> Option<&Bytes> {
        self.pieces.iter().find(|(fetched, _)| fetched == piece).map(|(_, bytes)| bytes)
    }
}
