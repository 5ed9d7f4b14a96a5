//! The state of an epoch in the store: pieces, each of which stands over those before it
//! (docs/design/state.md).

use serde::{Deserialize, Serialize};

use super::paths;
use super::record::Epoch;

/// What a record says of the state that goes with its positions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct StateRef {
    /// Open groups (window × key), or keys, in it.
    pub groups: u64,
    /// At least one, the oldest first. The first is no delta.
    pub pieces: Vec<Piece>,
}

/// One object of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// Path below the lane's folder.
    pub key: String,
    /// Bytes of the object, compressed.
    pub bytes: u64,
    /// Of the bytes as stored, hex.
    pub sha256: String,
    /// It holds what has changed since the pieces before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delta: bool,
}

impl StateRef {
    /// Bytes of all pieces, compressed.
    pub fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.bytes).sum()
    }

    /// Bytes of the pieces that are no deltas, compressed.
    pub fn base_bytes(&self) -> u64 {
        self.pieces.iter().filter(|piece| !piece.delta).map(|piece| piece.bytes).sum()
    }

    /// The pieces that were put for an epoch, and not for one before.
    pub fn put_for(&self, epoch: Epoch) -> impl Iterator<Item = &Piece> {
        let pieces = self.pieces.iter();
        pieces.filter(move |piece| paths::epoch_of_state(&piece.key) == Some(epoch))
    }

    /// Their paths.
    pub(super) fn keys_put_for(&self, epoch: Epoch) -> impl Iterator<Item = &String> {
        self.put_for(epoch).map(|piece| &piece.key)
    }

    /// How many deltas there are.
    pub fn deltas(&self) -> usize {
        self.pieces.iter().filter(|piece| piece.delta).count()
    }
}

/// The first piece stands as the whole state stood before there were several.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    key: String,
    bytes: u64,
    sha256: String,
    groups: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    then: Vec<Piece>,
}

impl From<StateRef> for Form {
    fn from(StateRef { groups, pieces }: StateRef) -> Self {
        let mut pieces = pieces.into_iter();
        let Piece { key, bytes, sha256, .. } = pieces.next().expect("a state has a piece");
        Self { key, bytes, sha256, groups, then: pieces.collect() }
    }
}

impl TryFrom<Form> for StateRef {
    type Error = String;

    fn try_from(Form { key, bytes, sha256, groups, then }: Form) -> Result<Self, String> {
        let first = Piece { key, bytes, sha256, delta: false };
        let pieces: Vec<Piece> = std::iter::once(first).chain(then).collect();
        let size = pieces.iter().try_fold(0_u64, |sum, piece| sum.checked_add(piece.bytes));
        match size {
            Some(_) => Ok(Self { groups, pieces }),
            None => Err("the pieces of a state have more bytes than can be".to_owned()),
        }
    }
}
