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

/// An unpacker with its input, and how much of what it makes was read before.
pub(super) struct Unpacking {
    pub(super) unpacker: Unpacker,
    input: Bytes,
    used: usize,
    skipping: Skipping,
}

impl Unpacking {
    /// Passes over the first `skip` unpacked bytes.
    pub(super) fn new(unpacker: Unpacker, skip: u64) -> Self {
        let skipping = Skipping { left: skip, head: Vec::new() };
        Self { unpacker, input: Bytes::new(), used: 0, skipping }
    }

    /// Goes on with more of the file; all of what was given before is unpacked.
    pub(super) fn give(&mut self, input: Bytes) {
        (self.input, self.used) = (input, 0);
    }

    /// How many bytes are still to be passed over.
    pub(super) fn to_skip(&self) -> u64 {
        self.skipping.left
    }

    /// The beginning of what was passed over, as far as [`HEAD_BYTES`].
    pub(super) fn skipped_head(&self) -> &[u8] {
        &self.skipping.head
    }

    /// Unpacks a chunk and cuts it into lines. Whether the input is used up.
    ///
    /// # Errors
    /// The bytes are not what the packing says.
    pub(super) fn cut(&mut self, cutter: &mut LineCutter) -> io::Result<(bool, Option<Lines>)> {
        let full = cutter.len() + cutter.room();
        let buffer = cutter.buffer();
        while buffer.len() < full {
            let (made, used) = (buffer.len(), self.used);
            let input = self.input.slice(used..);
            self.used += self.unpacker.unpack(&input, buffer, full - made)?;
            if buffer.len() == made && self.used == used {
                break;
            }
        }
        let is_all = buffer.len() < full && self.used == self.input.len();
        self.skipping.pass(buffer);
        Ok((is_all, cutter.cut()))
    }
}

/// What was read before, on the way past it.
struct Skipping {
    left: u64,
    head: Vec<u8>,
}

impl Skipping {
    /// Takes out what is not new. As long as there is any, nothing else is in the buffer.
    fn pass(&mut self, buffer: &mut Vec<u8>) {
        let old = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let room = HEAD_BYTES.saturating_sub(self.head.len());
        self.head.extend_from_slice(&buffer[..old.min(room)]);
        self.left -= old as u64;
        buffer.drain(..old);
    }
}
