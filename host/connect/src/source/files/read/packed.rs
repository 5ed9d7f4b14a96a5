//! A packed file, unpacked and cut into lines by one thread, which may take its time.

use std::io;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use object_store::{GetResult, GetResultPayload};

use super::local::{LocalFile, aside};
use super::{HEAD_BYTES, ReadError};
use crate::source::files::lines::{LineCutter, Lines};
use crate::source::files::list::store_words;
use crate::source::files::unpack::Unpacker;

/// The bytes of a packed file, as they are stored.
pub(super) enum Packed {
    Local(Option<LocalFile>),
    Stream(BoxStream<'static, object_store::Result<Bytes>>),
}

impl Packed {
    pub(super) fn open(result: GetResult) -> Result<Self, ReadError> {
        Ok(match result.payload {
            GetResultPayload::File(file, _) => {
                Self::Local(Some(LocalFile::open(file, 0, u64::MAX)?))
            }
            GetResultPayload::Stream(stream) => Self::Stream(stream),
        })
    }

    /// The next of them; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        match self {
            Self::Local(file) => {
                let Some(mut reading) = file.take() else { return Ok(None) };
                let (reading, bytes) = aside(move || {
                    let bytes = reading.next();
                    (reading, bytes)
                })
                .await?;
                *file = Some(reading);
                bytes.map(|bytes| Some(bytes).filter(|bytes| !bytes.is_empty()))
            }
            Self::Stream(stream) => {
                stream.try_next().await.map_err(|error| ReadError::Store(store_words(&error)))
            }
        }
    }
}

/// An unpacker with its input, which passes over what was read before.
pub(super) struct Unpacking {
    pub(super) unpacker: Unpacker,
    input: Bytes,
    used: usize,
    /// So many bytes of what it makes were read before.
    to_skip: u64,
    /// The beginning of what it made.
    head: Vec<u8>,
}

impl Unpacking {
    /// Passes over the first `skip` unpacked bytes.
    pub(super) fn new(unpacker: Unpacker, skip: u64) -> Self {
        Self { unpacker, input: Bytes::new(), used: 0, to_skip: skip, head: Vec::new() }
    }

    /// Goes on with more of the file; all of what was given before is unpacked.
    pub(super) fn give(&mut self, input: Bytes) {
        (self.input, self.used) = (input, 0);
    }

    /// How many bytes are still to be passed over.
    pub(super) fn to_skip(&self) -> u64 {
        self.to_skip
    }

    /// How the file begins, as far as it is unpacked, and as far as [`HEAD_BYTES`].
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Unpacks a chunk and cuts it into lines. Whether the input is used up.
    ///
    /// # Errors
    /// The bytes are not what the packing says.
    pub(super) fn cut(&mut self, cutter: &mut LineCutter) -> io::Result<(bool, Option<Lines>)> {
        let full = cutter.len() + cutter.room();
        let buffer = cutter.buffer();
        let before = buffer.len();
        while buffer.len() < full {
            let (made, used) = (buffer.len(), self.used);
            let input = self.input.slice(used..);
            self.used += self.unpacker.unpack(&input, buffer, full - made)?;
            if buffer.len() == made && self.used == used {
                break;
            }
        }
        let is_all = buffer.len() < full && self.used == self.input.len();
        let made = &buffer[before..];
        self.head.extend_from_slice(&made[..made.len().min(HEAD_BYTES - self.head.len())]);
        // As long as there is any of it, nothing else is in the buffer.
        let old = usize::try_from(self.to_skip).unwrap_or(usize::MAX).min(buffer.len());
        self.to_skip -= old as u64;
        buffer.drain(..old);
        Ok((is_all, cutter.cut()))
    }
}
