//! What an epoch puts below the lane's folder: pieces of its state, and its outbox.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::ChainWriter;
use crate::ChainError;
use crate::blobs::packed;
use crate::frozen::{FrozenOutbox, FrozenState};
use crate::merged::MergedBase;
use crate::paths;
use crate::record::{Epoch, OutboxRef, Piece, StateRef};
use sluicegate_store::once::Immutable;

/// Pieces of a state that are compressed and on their way at a time.
const PIECES_AT_ONCE: usize = 4;

/// What was stored of something.
struct Blob {
    bytes: u64,
    sha256: String,
}

impl ChainWriter {
    /// Puts the pieces of a state. Of a delta they stand behind those of the head, or behind a merged base that takes the place of
    /// the first of these.
    pub(super) async fn put_state(
        &self,
        epoch: Epoch,
        state: FrozenState,
    ) -> Result<StateRef, ChainError> {
        let FrozenState { header, groups, is_delta, merged, .. } = &state;
        let before = self.chain.state.as_ref().filter(|_| *is_delta);
        let merged = before.and_then(|before| Some((merged.as_ref()?, before)));
        let merged = merged.and_then(|(merged, before)| Some((merged, merged.later(before)?)));
        let (mut pieces, later) = match merged {
            Some((merged, later)) => (self.put_merged(epoch, merged).await?, later),
            None => (Vec::new(), before.map_or(&[][..], |before| &before.pieces)),
        };
        let first = u32::try_from(pieces.len()).expect("pieces are few");
        let puts = (first..).zip(state.cut()).map(async |(index, sections)| {
            let bytes = packed(header, sections.iter().map(Vec::as_slice));
            self.put_piece(epoch, index, bytes, *is_delta).await
        });
        let put = futures::stream::iter(puts).buffered(PIECES_AT_ONCE);
        let put: Vec<Piece> = put.try_collect().await?;
        pieces.extend_from_slice(later);
        pieces.extend(put);
        Ok(StateRef { groups: *groups, pieces })
    }

    async fn put_merged(
        &self,
        epoch: Epoch,
        merged: &MergedBase,
    ) -> Result<Vec<Piece>, ChainError> {
        let puts = (0..).zip(merged.packed());
        let puts = puts.map(|(index, bytes)| self.put_piece(epoch, index, bytes.clone(), false));
        futures::stream::iter(puts).buffered(PIECES_AT_ONCE).try_collect().await
    }

    async fn put_piece(
        &self,
        epoch: Epoch,
        index: u32,
        bytes: Bytes,
        delta: bool,
    ) -> Result<Piece, ChainError> {
        let key = paths::state(epoch, self.chain.term, &self.chain.writer.nonce, index);
        let Blob { bytes, sha256 } = self.put_blob("state", epoch, &key, bytes).await?;
        Ok(Piece { key, bytes, sha256, delta })
    }

    /// Puts the messages of an epoch.
    pub(super) async fn put_outbox(
        &self,
        epoch: Epoch,
        outbox: FrozenOutbox,
    ) -> Result<OutboxRef, ChainError> {
        let key = paths::outbox(epoch, self.chain.term, &self.chain.writer.nonce);
        let bytes = packed(&outbox.text, std::iter::empty());
        let Blob { bytes, sha256 } = self.put_blob("outbox", epoch, &key, bytes).await?;
        Ok(OutboxRef { epoch, key, bytes, sha256, messages: outbox.messages })
    }

    /// Puts what lies below the lane's folder.
    async fn put_blob(
        &self,
        kind: &str,
        epoch: Epoch,
        key: &str,
        bytes: Bytes,
    ) -> Result<Blob, ChainError> {
        let object = Immutable::new(bytes);
        let what = format!("put the {kind} of epoch {epoch}");
        self.put(&what, &self.store.folder, self.store.path(key), &object).await?;
        Ok(Blob { sha256: object.sha256().to_owned(), bytes: object.len() })
    }
}
