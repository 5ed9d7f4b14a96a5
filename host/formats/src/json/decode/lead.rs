//! What leads from one value of a record to the next, as its sender writes it.

use super::shape::KEY_BYTES_MAX;
use super::wide::Wide;

/// What leads to a value is not remembered if white space makes it longer than this, so that a hostile record cannot make a
/// decoder keep megabytes.
const LEAD_BYTES_MAX: usize = KEY_BYTES_MAX + 32;

/// A comma, a key and a colon, with the sender's own white space. Before the first value of an object the brace that opens it
/// stands in the place of the comma. Senders write the same bytes each time, so sixteen of them are compared at once.
pub(super) struct Lead {
    head: [u8; 16],
    /// Ones where the head has bytes.
    mask: [u8; 16],
    /// In bytes.
    length: usize,
    /// What does not fit into the head.
    rest: Vec<u8>,
}

impl Lead {
    /// What no bytes begin with: the head has what the mask takes away.
    pub(super) const NONE: Self =
        Self { head: [1; 16], mask: [0; 16], length: 0, rest: Vec::new() };

    /// It is these bytes from now on, if they are not too many to be kept.
    pub(super) fn learn(&mut self, lead: &[u8]) {
        if lead.is_empty() || lead.len() > LEAD_BYTES_MAX {
            return self.forget();
        }
        let (first, rest) = lead.split_at(lead.len().min(16));
        (self.head, self.mask) = ([0; 16], [0; 16]);
        self.head[..first.len()].copy_from_slice(first);
        self.mask[..first.len()].fill(0xff);
        self.length = lead.len();
        self.rest.clear();
        self.rest.extend_from_slice(rest);
    }

    /// No bytes begin with it from now on.
    pub(super) fn forget(&mut self) {
        (self.head, self.mask, self.length) = (Self::NONE.head, Self::NONE.mask, 0);
        self.rest.clear();
    }

    /// How many bytes it has, if those from `at` on begin with it. None also where fewer than sixteen are left to look at.
    #[inline(always)]
    pub(super) fn begins(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let is_whole = Wide::at(bytes, at)?.agrees(&self.head, &self.mask)
            && (self.rest.is_empty() || bytes[at + 16..].starts_with(&self.rest));
        is_whole.then_some(self.length)
    }
}
