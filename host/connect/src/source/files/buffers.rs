//! The buffers that lines are handed on in, used again: to touch memory for the first time costs as much as to read into
//! it.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::read::CHUNK_BYTES;
use super::set::TRACKS_OPEN_MAX;
use sluicegate_model::varlen::Varlen;

/// Chunks read ahead of the lane: with [`CHUNK_BYTES`] about 8 MiB.
pub(super) const CHUNKS_AHEAD: usize = 8;

/// What is read ahead of who polls, in bytes: what waits, and what each open file has in hand.
pub const AHEAD_BYTES: u64 = ((CHUNKS_AHEAD + TRACKS_OPEN_MAX) * CHUNK_BYTES) as u64;

/// A line of events is about so long. Where lines are shorter, their ends need more room, once.
const LINE_BYTES_GUESSED: usize = 64;

/// Buffers that nobody needs at the moment. Clones are the same ones.
///
/// One is made only where none is spare, so there are never more of them than a turn and what is read ahead hold
/// together, which are both counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Varlen>>>);

impl Buffers {
    /// One without values, with room for a chunk.
    pub(super) fn take(&self) -> Varlen {
        let spare = self.spare().pop();
        let new = || Varlen::with_capacity(CHUNK_BYTES / LINE_BYTES_GUESSED, CHUNK_BYTES);
        spare.unwrap_or_else(new)
    }

    /// Takes one back. What has less room than a chunk, or has grown by a long line or by many short ones, is let go.
    pub(super) fn give(&self, mut buffer: Varlen) {
        let ends = buffer.offsets.capacity() * size_of::<u32>();
        let room = buffer.bytes.capacity();
        let mut spare = self.spare();
        if room >= CHUNK_BYTES && room + ends <= 2 * CHUNK_BYTES && spare.len() < CHUNKS_AHEAD {
            buffer.clear();
            spare.push(buffer);
        }
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Varlen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Buffers that are handed on, with those that come back.
#[derive(Debug, Default)]
pub(super) struct Lent {
    buffers: Buffers,
    /// Of the last poll. Whoever polls lets go of them before the next.
    lent: Vec<Arc<Varlen>>,
}

impl Lent {
    /// For those who read.
    pub(super) fn buffers(&self) -> Buffers {
        self.buffers.clone()
    }

    /// Is handed on.
    pub(super) fn add(&mut self, buffer: &Arc<Varlen>) {
        self.lent.push(Arc::clone(buffer));
    }

    /// Takes back what nobody else holds, and forgets the others.
    pub(super) fn take_back(&mut self) {
        let back = self.lent.drain(..).filter_map(Arc::into_inner);
        back.for_each(|buffer| self.buffers.give(buffer));
    }

    /// Nobody reads at the moment, and spare buffers are of no use.
    pub(super) fn let_go(&self) {
        drop(mem::take(&mut *self.buffers.spare()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_once_nobody_holds_it() {
        let mut lent = Lent::default();
        let mut one = lent.buffers().take();
        one.push(b"a line");
        let (place, one) = (one.bytes.as_ptr(), Arc::new(one));
        lent.add(&one);
        drop(one);
        lent.take_back();
        let again = lent.buffers().take();
        assert_eq!((again.bytes.as_ptr(), again.len(), again.bytes.len()), (place, 0, 0));
        let held = Arc::new(again);
        lent.add(&held);
        lent.take_back();
        assert_ne!(lent.buffers().take().bytes.as_ptr(), place, "somebody reads it");
        assert_eq!(Arc::strong_count(&held), 1, "it is no longer looked after");
    }

    #[test]
    fn no_more_are_kept_than_are_read_ahead_and_none_that_has_grown() {
        let lent = Lent::default();
        let buffers = lent.buffers();
        let all: Vec<_> = (0..CHUNKS_AHEAD + 2).map(|_| buffers.take()).collect();
        all.into_iter().for_each(|buffer| buffers.give(buffer));
        assert_eq!(buffers.spare().len(), CHUNKS_AHEAD);
        lent.let_go();
        buffers.give(Varlen::with_capacity(1, CHUNK_BYTES / 2));
        buffers.give(Varlen::with_capacity(1, 3 * CHUNK_BYTES));
        buffers.give(Varlen::with_capacity(CHUNK_BYTES, CHUNK_BYTES));
        assert_eq!(buffers.spare().len(), 0);
    }
}
