//! A column of texts that rows share: each text is kept once, and rows have its code.

use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::UInt32Type;
use sluicegate_model::codes::{Coded, Coder, Met, Packed};

use super::arena::Arena;

/// Batches of fewer rows are never coded.
const ROWS_MIN: usize = 64;

/// Where rows had too many texts, up to so many batches are left out before one is coded again.
const PAUSE_MAX: u32 = 63;

/// What is kept of a column by code between batches.
#[derive(Default)]
pub(super) struct Coding {
    /// Its memory is used again: at most 16 bytes for each row of the largest batch.
    coder: Option<Coder>,
    /// How many batches are still left out, and how many were the last time.
    left_out: u32,
    pause: u32,
    /// Records of the last batch that was begun to be coded.
    rows: usize,
}

/// The rows of a batch so far.
pub(super) struct CodedTexts {
    coder: Coder,
    /// One for each code; that of null is empty.
    texts: Arena,
}

impl Coding {
    /// Begins a batch of so many rows. None: it is not coded.
    pub(super) fn begin(&mut self, rows: usize) -> Option<CodedTexts> {
        if rows < ROWS_MIN {
            return None;
        }
        // What many rows share, few may not.
        if self.left_out > 0 && rows <= 2 * self.rows {
            self.left_out -= 1;
            return None;
        }
        let mut coder = self.coder.take().unwrap_or_else(|| Coder::new(0));
        coder.begin(rows);
        self.rows = rows;
        Some(CodedTexts { coder, texts: Arena::new() })
    }

    /// The rows of a batch turned out to have too many texts: those of each.
    pub(super) fn give_up(&mut self, rows: CodedTexts) -> Arena {
        self.pause = (2 * self.pause + 1).min(PAUSE_MAX);
        self.left_out = self.pause;
        let mut plain = Arena::new();
        plain.reserve(self.rows);
        let codes = rows.coder.codes().iter();
        codes.for_each(|code| plain.push(rows.texts.text(*code as usize)));
        self.coder = Some(rows.coder);
        plain
    }

    /// All rows of a batch, as a dictionary.
    pub(super) fn finish(&mut self, rows: CodedTexts, nulls: Option<NullBuffer>) -> ArrayRef {
        let CodedTexts { mut coder, texts } = rows;
        let Coded { codes, .. } = coder.take();
        self.coder = Some(coder);
        self.pause /= 2;
        self.left_out = 0;
        let codes = UInt32Array::new(codes.into(), nulls);
        let dictionary = DictionaryArray::<UInt32Type>::try_new(codes, texts.finish(None));
        Arc::new(dictionary.expect("each code is the place of a text"))
    }
}

impl CodedTexts {
    /// How many rows there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.coder.len()
    }

    /// Appends a row with a text. False: there are too many texts, and it was not appended.
    pub(super) fn push(&mut self, text: &[u8]) -> bool {
        self.push_packed(Packed::text(text, 0, text.len()), text)
    }

    /// The same for the text that is the first `length` bytes of `chunk`, at most fifteen.
    #[inline(always)]
    pub(super) fn push_short(&mut self, chunk: &[u8; 16], length: usize) -> bool {
        self.push_packed(Packed::short_text(chunk, length), &chunk[..length])
    }

    #[inline(always)]
    fn push_packed(&mut self, packed: Packed, text: &[u8]) -> bool {
        let Self { coder, texts, .. } = self;
        let row = coder.len() as u32;
        match coder.push(packed, row, |code, _| texts.text(code as usize) == text) {
            Met::Again => true,
            Met::New => {
                texts.push(text);
                true
            }
            Met::TooMany => false,
        }
    }

    /// Appends a row without a text. False as above.
    pub(super) fn push_null(&mut self) -> bool {
        self.push_packed(Packed::NULL, &[])
    }

    /// Forgets the rows from `rows` on.
    pub(super) fn truncate(&mut self, rows: usize) {
        self.coder.truncate(rows);
        self.texts.truncate(self.coder.firsts().len());
    }
}
