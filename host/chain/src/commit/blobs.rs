//! What an epoch puts compressed below the lane's folder: pieces of its state, and its outbox.

use std::io::Write;

use futures::{StreamExt, TryStreamExt};

use super::ChainWriter;
use crate::ChainError;
use crate::frozen::{FrozenOutbox, FrozenState};
use crate::paths;
use crate::record::{Epoch, OutboxRef, Piece, StateRef};
use sluicegate_store::once::Immutable;

/// Pieces of a state that are compressed and on their way at a time.
const PIECES_AT_ONCE: usize = 4;

/// Speed over size: what one epoch leaves is read at most once.
const ZSTD_LEVEL: i32 = 1;

/// What was stored of something.
struct Blob {
    bytes: u64,
    sha256: String,
}

/// The parts, one behind the other, without a copy of all of them.
fn compressed<'p>(plain: impl Iterator<Item = &'p [u8]>) -> std::io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
    for part in plain {
        encoder.write_all(part)?;
    }
    encoder.finish()
}

impl ChainWriter {
    /// Puts the pieces of a state. Of a delta they stand behind those of the head.
    pub(super) async fn put_state(
        &self,
        epoch: Epoch,
        state: FrozenState,
    ) -> Result<StateRef, ChainError> {
        let FrozenState { header, groups, is_delta, .. } = &state;
        let puts = (0..).zip(state.cut()).map(async |(index, sections)| {
            let key = paths::state(epoch, self.chain.term, &self.chain.writer.nonce, index);
            let plain = std::iter::once(header).chain(sections).map(Vec::as_slice);
            let Blob { bytes, sha256 } = self.put_blob("state", epoch, &key, plain).await?;
            Ok::<_, ChainError>(Piece { key, bytes, sha256, delta: *is_delta })
        });
        let put = futures::stream::iter(puts).buffered(PIECES_AT_ONCE);
        let put: Vec<Piece> = put.try_collect().await?;
        let before = self.chain.state.iter().flat_map(|state| &state.pieces);
        let before = before.filter(|_| *is_delta).cloned();
        Ok(StateRef { groups: *groups, pieces: before.chain(put).collect() })
    }

    /// Puts the messages of an epoch.
    pub(super) async fn put_outbox(
        &self,
        epoch: Epoch,
        outbox: FrozenOutbox,
    ) -> Result<OutboxRef, ChainError> {
        let key = paths::outbox(epoch, self.chain.term, &self.chain.writer.nonce);
        let plain = std::iter::once(&*outbox.text);
        let Blob { bytes, sha256 } = self.put_blob("outbox", epoch, &key, plain).await?;
        Ok(OutboxRef { epoch, key, bytes, sha256, messages: outbox.messages })
    }

    /// Compresses and puts what lies below the lane's folder.
    async fn put_blob(
        &self,
        kind: &str,
        epoch: Epoch,
        key: &str,
        plain: impl Iterator<Item = &[u8]>,
    ) -> Result<Blob, ChainError> {
        let object = Immutable::new(compressed(plain).expect("memory can be written to").into());
        let what = format!("put the {kind} of epoch {epoch}");
        self.put(&what, &self.store.folder, self.store.folder.path(key), &object).await?;
        Ok(Blob { sha256: object.sha256().to_owned(), bytes: object.len() })
    }
}
