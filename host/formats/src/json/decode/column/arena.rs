//! Texts one behind the other, as Arrow has them.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

/// The texts of a column, UTF-8.
pub(super) struct Arena {
    /// Where each begins, and the end of the last.
    offsets: Vec<i32>,
    /// More than the texts while one is being appended.
    pub(super) bytes: Vec<u8>,
}

impl Arena {
    /// Without texts.
    pub(super) fn new() -> Self {
        Self { offsets: vec![0], bytes: Vec::new() }
    }

    /// Room for that many more texts.
    pub(super) fn reserve(&mut self, texts: usize) {
        self.offsets.reserve(texts + 1);
        // A guess that saves the first few steps of growing.
        self.bytes.reserve(texts * 8);
    }

    /// How many there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Where the last ends.
    pub(super) fn end(&self) -> usize {
        let end = *self.offsets.last().expect("there is one offset more than texts");
        usize::try_from(end).expect("offsets are not negative")
    }

    /// The text of this number.
    pub(super) fn text(&self, index: usize) -> &[u8] {
        &self.bytes[self.offsets[index] as usize..self.offsets[index + 1] as usize]
    }

    /// Appends a text.
    pub(super) fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.end_text();
    }

    /// Appends the text that is the first `length` bytes of `chunk`, at most all.
    #[inline(always)]
    pub(super) fn push_short(&mut self, chunk: &[u8; 16], length: usize) {
        let end = self.bytes.len() + length;
        // Copying as many bytes each time is cheaper than asking how many.
        self.bytes.extend_from_slice(chunk);
        self.bytes.truncate(end);
        self.end_text();
    }

    /// What was appended to the bytes is a text.
    #[inline(always)]
    pub(super) fn end_text(&mut self) {
        let end = i32::try_from(self.bytes.len()).expect("turns are far below 2 GiB");
        self.offsets.push(end);
    }

    /// Forgets the texts from `texts` on, and what was appended behind them.
    pub(super) fn truncate(&mut self, texts: usize) {
        self.offsets.truncate(texts + 1);
        self.bytes.truncate(self.end());
    }

    pub(super) fn finish(self, nulls: Option<NullBuffer>) -> ArrayRef {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Arc::new(StringArray::new(offsets, Buffer::from_vec(self.bytes), nulls))
    }
}
