//! What leads from one value of a record to the next, as its sender writes it.

use super::shape::KEY_BYTES_MAX;
use super::wide::Wide;

/// What leads to a value is not remembered if white space makes it longer than this, so that a hostile record cannot make a
/// decoder keep megabytes.
const LEAD_BYTES_MAX: usize = KEY_BYTES_MAX + 32;

/// A comma, a key and a colon, with the sender's own white space. Before the first value of an object the brace that opens it
/// stands in the place of the comma. Senders write the same bytes each time, so sixteen of them are compared at once.
pub(super) struct Lead {
    first: Part,
    /// What does not fit into the first.
    rest: Vec<u8>,
}

/// At most sixteen bytes of a lead.
#[derive(Clone, Copy)]
pub(super) struct Part {
    head: [u8; 16],
    /// Ones where the head has bytes.
    mask: [u8; 16],
    /// In bytes.
    length: usize,
}

impl Part {
    /// So many bytes are looked at, however many it has.
    pub(super) const LOOKED_AT: usize = 16;

    /// What no bytes begin with: the head has what the mask takes away.
    const NONE: Self = Self { head: [1; 16], mask: [0; 16], length: 0 };

    /// The first sixteen of these bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let length = bytes.len().min(16);
        let mut part = Self { head: [0; 16], mask: [0; 16], length };
        part.head[..length].copy_from_slice(&bytes[..length]);
        part.mask[..length].fill(0xff);
        part
    }

    /// Where the bytes behind it begin, if those from `at` on begin with it. None also where fewer than sixteen are left to look
    /// at.
    #[inline(always)]
    pub(super) fn behind(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let is_it = Wide::at(bytes, at)?.agrees(&self.head, &self.mask);
        is_it.then_some(at + self.length)
    }
}

impl Lead {
    /// What no bytes begin with.
    pub(super) const NONE: Self = Self { first: Part::NONE, rest: Vec::new() };

    /// It is these bytes from now on, if they are not too many to be kept.
    pub(super) fn learn(&mut self, lead: &[u8]) {
        if lead.is_empty() || lead.len() > LEAD_BYTES_MAX {
            return self.forget();
        }
        self.first = Part::of(lead);
        self.rest.clear();
        self.rest.extend_from_slice(&lead[self.first.length..]);
    }

    /// No bytes begin with it from now on.
    pub(super) fn forget(&mut self) {
        self.first = Part::NONE;
        self.rest.clear();
    }

    /// How many bytes it has, if those from `at` on begin with it. None also where fewer than sixteen are left to look at.
    #[inline(always)]
    pub(super) fn begins(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let behind = self.first.behind(bytes, at)?;
        let is_whole = self.rest.is_empty() || bytes[behind..].starts_with(&self.rest);
        is_whole.then_some(self.first.length + self.rest.len())
    }
}
