//! Which batches belong to transactions that were aborted: by the list that a broker sends with the records.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::header::Header;

/// A transaction that was aborted and reaches into the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Who wrote it. A producer has one open transaction at most.
    pub producer_id: i64,
    /// Its first record, which may lie before the answer.
    pub first_offset: i64,
}

/// The transactions of one answer, followed batch by batch.
#[derive(Debug, Default)]
pub(super) struct Aborted {
    /// Those that begin behind the last batch, the next one first.
    ahead: BinaryHeap<Reverse<(i64, i64)>>,
    /// Producers whose records are to be left out, until their mark comes.
    open: BTreeSet<i64>,
}

impl Aborted {
    pub(super) fn new(list: &[AbortedTransaction]) -> Self {
        let ahead = list.iter().map(|one| Reverse((one.first_offset, one.producer_id)));
        Self { ahead: ahead.collect(), open: BTreeSet::new() }
    }

    /// Goes on to a batch.
    pub(super) fn reach(&mut self, batch: &Header) {
        while let Some(Reverse((first_offset, producer))) = self.ahead.peek().copied()
            && first_offset <= batch.last_offset
        {
            self.ahead.pop();
            self.open.insert(producer);
        }
    }

    /// Whether the records of a batch that was reached are to be left out.
    pub(super) fn leaves_out(&self, batch: &Header) -> bool {
        batch.is_transactional && self.open.contains(&batch.producer_id)
    }

    /// The mark that ends an aborted transaction was read.
    pub(super) fn end(&mut self, producer: i64) {
        self.open.remove(&producer);
    }
}
