//! Buffers that are filled, handed on and used again: fresh memory costs more than what is written into it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// How many buffers wait to be used again: those of a few answers, packed and unpacked.
const SPARE_MAX: usize = 8;

/// Buffers larger than this are given back, for one large answer must not hold its memory for ever.
const SPARE_BYTES: usize = 4 << 20;

/// Buffers grow by this at least.
const GROWTH: usize = 64 << 10;

/// Buffers that wait to be used again. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spare(Arc<Mutex<Vec<Vec<u8>>>>);

impl Spare {
    /// An empty one.
    pub(crate) fn buffer(&self) -> Buffer {
        Buffer { bytes: self.lock().pop().unwrap_or_default(), used: 0, spare: self.clone() }
    }

    /// Gives the memory back.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that were written, and room for more. It goes back where it came from.
#[derive(Debug)]
pub(crate) struct Buffer {
    /// Behind `used` is what was written by whoever had it before.
    bytes: Vec<u8>,
    used: usize,
    spare: Spare,
}

impl Buffer {
    /// Bytes that were written.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// What was written from `from` on, and room for `wanted` bytes, whose content means nothing.
    pub(crate) fn written_and_room(&mut self, from: usize, wanted: usize) -> (&[u8], &mut [u8]) {
        let end = self.used + wanted;
        if self.bytes.len() < end {
            // A little more than is needed: it is filled to about the same length again and again.
            self.bytes.resize((end + end / 4).next_multiple_of(GROWTH), 0);
        }
        let (written, room) = self.bytes.split_at_mut(self.used);
        (written.get(from..).unwrap_or_default(), &mut room[..wanted])
    }

    /// Room for `wanted` bytes, whose content means nothing.
    pub(crate) fn room(&mut self, wanted: usize) -> &mut [u8] {
        self.written_and_room(0, wanted).1
    }

    /// What was written, for as long as somebody needs it, and how much memory that holds. Little in a large buffer is copied.
    pub(crate) fn kept(self) -> (Bytes, usize) {
        let (used, held) = (self.used, self.bytes.len());
        match used {
            0 => (Bytes::new(), 0),
            _ if used < held / 4 => (Bytes::copy_from_slice(self.as_ref()), used),
            _ => (Bytes::from_owner(self), held),
        }
    }

    /// Bytes that can be written before it grows.
    pub(crate) fn free(&self) -> usize {
        self.bytes.len() - self.used
    }

    /// So much of the room was written.
    pub(crate) fn wrote(&mut self, bytes: usize) {
        self.used = (self.used + bytes).min(self.bytes.len());
    }

    /// Forgets what was written behind `length`.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.used = self.used.min(length);
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.used]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let is_wanted = !bytes.is_empty() && bytes.len() <= SPARE_BYTES;
        let mut spare = self.spare.lock();
        if is_wanted && spare.len() < SPARE_MAX {
            spare.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_wrote_is_not_seen() {
        let spare = Spare::default();
        let mut buffer = spare.buffer();
        buffer.room(3).copy_from_slice(b"abc");
        buffer.wrote(3);
        assert_eq!(buffer.as_ref(), b"abc");
        drop(buffer);
        let mut buffer = spare.buffer();
        assert!(buffer.as_ref().is_empty());
        assert!(buffer.free() >= GROWTH, "it is the same memory");
        buffer.room(2).copy_from_slice(b"de");
        buffer.wrote(2);
        let (written, room) = buffer.written_and_room(1, 4);
        assert_eq!((written, room.len()), (&b"e"[..], 4));
        buffer.truncate(1);
        assert_eq!(buffer.as_ref(), b"d");
    }

    #[test]
    fn little_in_a_large_buffer_is_copied() {
        let spare = Spare::default();
        for used in [1, GROWTH / 4 - 1, GROWTH / 4, GROWTH / 2] {
            let mut buffer = spare.buffer();
            buffer.room(used).fill(7);
            buffer.wrote(used);
            let (kept, held) = buffer.kept();
            assert_eq!(kept, vec![7; used]);
            let went_back = spare.lock().len() == 1;
            assert_eq!(went_back, used < GROWTH / 4, "{used}");
            assert_eq!(held, if went_back { used } else { GROWTH });
            spare.clear();
        }
    }

    #[test]
    fn spare_memory_is_bounded() {
        let spare = Spare::default();
        let buffers: Vec<_> = std::iter::repeat_with(|| spare.buffer()).take(20).collect();
        for mut buffer in buffers {
            buffer.room(1);
        }
        assert_eq!(spare.lock().len(), SPARE_MAX);
        spare.clear();
        spare.buffer().room(SPARE_BYTES + 1);
        assert_eq!(spare.lock().len(), 0);
    }
}
