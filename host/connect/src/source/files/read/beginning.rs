//! By its first bytes a file is known again, whenever it is read on.

use super::{HEAD_BYTES, ReadError};
use crate::source::files::list::checksum_of;

/// How a file began when it was read, as far as [`HEAD_BYTES`].
pub(super) struct Beginning {
    /// What an earlier reader has handed on of it: how many bytes, and their checksum.
    before: Option<(usize, i32)>,
    /// What this one has seen.
    seen: Vec<u8>,
}

impl Beginning {
    /// Of a file of which `read` bytes were read before. `checksum` is theirs, as far as they belong to the beginning.
    pub(super) fn new(read: u64, checksum: Option<i32>) -> Self {
        Self { before: checksum.map(|checksum| (in_head(read), checksum)), seen: Vec::new() }
    }

    /// The file is read from its start, whatever was seen of it.
    pub(super) fn forget(&mut self) {
        self.seen.clear();
    }

    /// Keeps how the file begins. Whether that is more than was seen of it.
    pub(super) fn see(&mut self, head: &[u8]) -> bool {
        let is_more = head.len() > self.seen.len();
        if is_more {
            self.seen = head.to_vec();
        }
        is_more
    }

    /// Compares a file that goes on behind `read` bytes, and begins with `head` now: that which was read must begin so.
    /// What lies behind may have been written anew, and is to be seen again.
    ///
    /// # Errors
    /// [`ReadError::Lost`]: another file lies under its name.
    pub(super) fn compare(&mut self, head: &[u8], read: u64) -> Result<(), ReadError> {
        let is_as_before = self.before.is_none_or(|(length, checksum)| {
            head.get(..length).is_some_and(|head| checksum_of(head) == checksum)
        });
        let seen = &self.seen[..self.seen.len().min(in_head(read))];
        if is_as_before && head.starts_with(seen) {
            self.forget();
            return Ok(());
        }
        let reason = "it does not begin as it did when it was read: another file lies under its name; give new files new names";
        Err(ReadError::Lost(reason.to_owned()))
    }
}

/// How many of the first `read` bytes belong to the beginning.
pub(super) fn in_head(read: u64) -> usize {
    usize::try_from(read).unwrap_or(usize::MAX).min(HEAD_BYTES)
}
