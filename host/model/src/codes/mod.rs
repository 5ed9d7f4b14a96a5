//! Codes of values that many rows share: each value has a number, in the order in which they come.
//!
//! ```text
//!  berlin  oslo  berlin  rome        codes 0 1 0 2      first rows 0 1 3
//! ```
//!
//! Codes belong to the rows of one batch. They are never stored, so no memory grows with the values of a stream, and no result
//! depends on how its rows were cut into batches.

mod packed;
mod pair_hash;
mod seed;
#[cfg(test)]
mod tests;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::take;

pub use packed::Packed;
use pair_hash::PairHash;
pub use seed::table_seed;

/// With fewer rows to a value than this, a code costs more than it spares.
pub const ROWS_PER_VALUE_MIN: usize = 4;

/// Gives rows the codes of their values, as long as the values are few.
#[derive(Clone, Debug)]
pub struct Coder {
    /// Codes from 1 on, at a place that follows from the value's hash or behind it; 0 for none. At most half of them are used.
    slots: Vec<u32>,
    values: Vec<Packed>,
    hash: PairHash,
    codes: Vec<u32>,
    firsts: Vec<u32>,
    most: usize,
}

/// What a row's value turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// One that has a code.
    Again,
    /// One that no row before had. It has the next code.
    New,
    /// One too many: the row has no code, and it is not worth going on.
    TooMany,
}

/// The values of rows, whether the column has them or codes for them.
pub fn values(column: &ArrayRef) -> ArrayRef {
    match column.as_any_dictionary_opt() {
        Some(dictionary) => take(dictionary.values(), dictionary.keys(), None)
            .expect("codes are the places of values"),
        None => ArrayRef::clone(column),
    }
}

/// Codes of rows.
#[derive(Clone, Debug)]
pub struct Coded {
    /// Of each row.
    pub codes: Vec<u32>,
    /// For each code a row that has it: of those that were coded here the first.
    pub firsts: Vec<u32>,
}

impl Coder {
    /// For so many rows.
    pub fn new(rows: usize) -> Self {
        let mut coder = Self {
            slots: Vec::new(),
            values: Vec::new(),
            hash: PairHash::new(),
            codes: Vec::new(),
            firsts: Vec::new(),
            most: 0,
        };
        coder.begin(rows);
        coder
    }

    /// Forgets all rows, and makes room for so many. Memory is used again.
    pub fn begin(&mut self, rows: usize) {
        self.most = rows / ROWS_PER_VALUE_MIN;
        let slots = (2 * (self.most + 1)).next_power_of_two();
        self.slots.clear();
        self.slots.resize(slots, 0);
        self.values.clear();
        self.codes.clear();
        self.codes.reserve(rows);
        self.firsts.clear();
    }

    /// Gives the value of the next row its code. `row` is the number that the caller has for it. `same` is asked of a code whose
    /// value is packed alike and not whole.
    #[inline(always)]
    pub fn push(&mut self, packed: Packed, row: u32, same: impl Fn(u32, &[u32]) -> bool) -> Met {
        let mask = self.slots.len() - 1;
        let mut slot = self.hash.of(packed.halves()) as usize & mask;
        loop {
            match self.slots[slot] {
                0 => return self.push_new(packed, row, slot),
                next => {
                    let code = next - 1;
                    if self.values[code as usize] == packed
                        && (packed.is_whole() || same(code, &self.firsts))
                    {
                        self.codes.push(code);
                        return Met::Again;
                    }
                }
            }
            slot = (slot + 1) & mask;
        }
    }

    #[inline(never)]
    fn push_new(&mut self, packed: Packed, row: u32, slot: usize) -> Met {
        let count = self.values.len();
        // If nearly each row until there brings a value, most of the others will.
        let early = self.most / 2;
        let are_many = count == early && self.codes.len() < early + early / 8;
        if count == self.most || early > 0 && are_many {
            return Met::TooMany;
        }
        self.values.push(packed);
        self.firsts.push(row);
        self.codes.push(count as u32);
        self.slots[slot] = count as u32 + 1;
        Met::New
    }

    /// Rows so far.
    #[inline]
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is no row yet.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// Of each row so far.
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// For each code the row that had it first.
    pub fn firsts(&self) -> &[u32] {
        &self.firsts
    }

    /// Forgets the rows from the `rows`th on, and the values that only they have. Rows must have been called by their number.
    pub fn truncate(&mut self, rows: usize) {
        self.codes.truncate(rows);
        while self.firsts.last().is_some_and(|first| *first as usize >= rows) {
            self.forget_last();
        }
    }

    /// No value came later, so none was put behind it for the sake of its place.
    fn forget_last(&mut self) {
        let (Some(packed), Some(_)) = (self.values.pop(), self.firsts.pop()) else { return };
        let mask = self.slots.len() - 1;
        let mut slot = self.hash.of(packed.halves()) as usize & mask;
        let its = self.values.len() as u32 + 1;
        while self.slots[slot] != its {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = 0;
    }

    /// The codes of all rows. [`Coder::begin`] must be called before the next one comes.
    pub fn take(&mut self) -> Coded {
        Coded { codes: std::mem::take(&mut self.codes), firsts: std::mem::take(&mut self.firsts) }
    }
}
