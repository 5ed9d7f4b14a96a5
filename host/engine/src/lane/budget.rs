//! What a run of chunks may make: a record is multiplied by the rows that a map makes of it, those by the columns that
//! they inherit, refused rows by their reasons. A guest's answer is bounded, what the host makes of it must be as well.
//!
//! A run that would make more is taken again with less, before anything is refused: plugins are pure, so it comes to
//! the same. Only a single record that makes too much all by itself is refused.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that the chunks of a run may make together, whoever works on them.
#[derive(Debug)]
pub(super) struct Budget {
    bytes_max: usize,
    spent: AtomicUsize,
    /// The run is one record: what does not fit is refused.
    single: bool,
}

impl Budget {
    pub(super) fn new(bytes_max: usize, single: bool) -> Self {
        Self { bytes_max, spent: AtomicUsize::new(0), single }
    }

    /// Takes bytes. False: there are not so many left, now and for the others of the run.
    pub(super) fn take(&self, bytes: usize) -> bool {
        self.spent.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= self.bytes_max
    }

    /// Whether the run is over already.
    pub(super) fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Relaxed) > self.bytes_max
    }

    /// Whether a record is refused that does not fit.
    pub(super) fn refuses(&self) -> bool {
        self.single
    }

    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max
    }
}
