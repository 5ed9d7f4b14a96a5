//! What has come and waits to be read, in the order of arrival.

use std::collections::VecDeque;

use super::{Arrival, Fetched, Trouble, Waiting};

/// Of one fetcher.
#[derive(Default)]
pub(super) struct Queue {
    arrivals: VecDeque<(Arrival, Waiting)>,
    /// All of them.
    waiting: Waiting,
    /// One of them is a trouble, or was since there were none.
    has_trouble: bool,
    /// Who reads sleeps until so much waits.
    pub(super) awaited: Option<Waiting>,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.arrivals.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.arrivals.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.waiting.bytes
    }

    pub(super) fn push(&mut self, partition: i32, fetched: Result<Fetched, Trouble>) {
        self.has_trouble |= fetched.is_err();
        let size = fetched.as_ref().map_or(Waiting::default(), Fetched::size);
        self.waiting.records += size.records;
        self.waiting.bytes += size.bytes;
        self.arrivals.push_back((Arrival { partition, fetched }, size));
    }

    pub(super) fn pop(&mut self) -> Option<Arrival> {
        let (arrival, size) = self.arrivals.pop_front()?;
        self.waiting.let_go(size);
        self.has_trouble &= !self.arrivals.is_empty();
        Some(arrival)
    }

    /// Throws away what has come of a partition.
    pub(super) fn forget(&mut self, partition: i32) {
        let waiting = &mut self.waiting;
        self.arrivals.retain(|(arrival, size)| {
            let stays = arrival.partition != partition;
            if !stays {
                waiting.let_go(*size);
            }
            stays
        });
    }

    /// Whether there is what somebody sleeps for, or a trouble, or so many bytes that nothing more `is_asked` for.
    pub(super) fn has_enough(&self, is_asked: bool) -> bool {
        let Some(enough) = self.awaited.filter(|_| !self.is_empty()) else { return false };
        let Waiting { records, bytes } = self.waiting;
        records >= enough.records || bytes >= enough.bytes || self.has_trouble || !is_asked
    }
}

impl Waiting {
    fn let_go(&mut self, size: Self) {
        self.records -= size.records;
        self.bytes -= size.bytes;
    }
}
