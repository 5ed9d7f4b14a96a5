//! Reading pieces of a state that are stored, one at a time.

use super::ChainError;
use super::ahead::Ahead;
use super::open::load_piece;
use super::pieces::Piece;
use super::store::LaneStore;

/// The pieces of the states of a lane, where they are stored.
#[derive(Clone, Debug)]
pub struct StoredPieces {
    store: LaneStore,
}

impl StoredPieces {
    pub(super) fn new(store: LaneStore) -> Self {
        Self { store }
    }

    /// What a piece holds, decompressed.
    ///
    /// # Errors
    ///
    /// The store fails, or the piece is not what its record says.
    pub async fn load(&self, piece: &Piece) -> Result<Vec<u8>, ChainError> {
        load_piece(&self.store, "piece of a state", piece, &Ahead::default()).await
    }
}
