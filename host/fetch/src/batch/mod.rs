//! The records that a broker sends for a partition: batches one behind the other, the last of them perhaps cut off.
//!
//! An [`Opener`] goes through them, checks each and unpacks it: that needs nobody who reads. A [`Walk`] over what was opened
//! lends each record that a reader of committed data may see. It can stop behind any record and go on later, so that a turn
//! takes as many as it has room for. What it passes without a record (the marks of transactions, records of aborted ones,
//! offsets that compaction took) moves [`Walk::next_offset`] all the same.

mod header;
mod fit;
mod unpack;
mod records;
mod aborted;
mod open;
#[cfg(test)]
pub(crate) mod tests;

use std::ops::ControlFlow;

pub use aborted::AbortedTransaction;
pub(crate) use fit::{Fit, fit};
pub(crate) use header::Head;
pub use open::{Opened, Opener};
pub use records::{Headers, Record};
pub use unpack::Unpacker;

use crate::fault::{Damage, Fault};
use header::Header;
use records::Progress;

/// The records of batches that were opened.
#[derive(Debug)]
pub struct Walk {
    opened: Opened,
    /// The batch that is read next.
    at: usize,
    progress: Progress,
    next_offset: i64,
    leader_epoch: Option<i32>,
    wants_headers: bool,
}

/// Why a walk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// Who takes the records has had enough. Walking again goes on behind the last one.
    Enough,
    /// Everything that was opened was read.
    End,
}

impl Walk {
    /// Begins at `next_offset`: a batch may hold records before it, which are passed over.
    pub fn new(opened: Opened, next_offset: i64) -> Self {
        let (progress, wants_headers) = (Progress::begin(), false);
        Self { opened, at: 0, progress, next_offset, leader_epoch: None, wants_headers }
    }

    /// Reads the headers of the records too. Otherwise nobody looks whether there are any.
    #[must_use]
    pub fn with_headers(mut self, wants_headers: bool) -> Self {
        self.wants_headers = wants_headers;
        self
    }

    /// Where reading goes on: behind the last record that was lent, and behind what follows it and is none. After a
    /// [`Damage`] what was not read lies behind it.
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Of the last batch that was read to its end or lent records; none before the first, or if the broker does not tell.
    pub fn leader_epoch(&self) -> Option<i32> {
        self.leader_epoch
    }

    /// Lends record by record until `take` breaks off or all is read. A record that it breaks off with counts as taken.
    ///
    /// # Errors
    ///
    /// [`Damage`] if a batch cannot be read. What was lent before stays right. Walking again ends in the same place.
    pub fn walk(
        &mut self,
        mut take: impl FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<Stand, Damage> {
        while let Some((header, body)) = self.opened.batch(self.at) {
            let lent = match body {
                Some(body) if self.is_begun() || header.last_offset >= self.next_offset => {
                    let mut place = Place { progress: &mut self.progress, next: self.next_offset };
                    let lent = place.lend(header, body, self.wants_headers, &mut take);
                    let next = place.next;
                    if next > self.next_offset {
                        (self.next_offset, self.leader_epoch) = (next, header.leader_epoch);
                    }
                    lent
                }
                _ => Ok(ControlFlow::Continue(())),
            };
            match lent {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Ok(Stand::Enough),
                Err(fault) => return Err(Damage { offset: self.next_offset, fault }),
            }
            if header.last_offset >= self.next_offset {
                (self.next_offset, self.leader_epoch) =
                    (header.last_offset + 1, header.leader_epoch);
            }
            self.at += 1;
            self.progress = Progress::begin();
        }
        self.end()
    }

    /// Whether records of the batch were lent. If none were, the whole of it may have been read before.
    fn is_begun(&self) -> bool {
        self.progress.read > 0
    }

    /// Everything was walked.
    fn end(&self) -> Result<Stand, Damage> {
        match self.opened.fault() {
            None => Ok(Stand::End),
            Some(fault) => Err(Damage { offset: self.next_offset, fault: fault.clone() }),
        }
    }
}

/// How far the records of a batch were lent.
struct Place<'a> {
    progress: &'a mut Progress,
    /// Those before it were read before.
    next: i64,
}

impl Place<'_> {
    /// Lends the records that are left. After a fault it stands before it.
    #[inline]
    fn lend(
        &mut self,
        header: &Header,
        body: &[u8],
        wants_headers: bool,
        take: &mut impl FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Fault> {
        // Copies, which can stay in registers.
        let (mut progress, mut next) = (self.progress.clone(), self.next);
        let lent = loop {
            match progress.next(header, body, wants_headers) {
                Ok(Some(record)) if record.offset < next => {}
                Ok(Some(record)) => {
                    next = record.offset + 1;
                    if take(&record).is_break() {
                        break Ok(ControlFlow::Break(()));
                    }
                }
                Ok(None) => break Ok(ControlFlow::Continue(())),
                Err(fault) => break Err(fault),
            }
        };
        (*self.progress, self.next) = (progress, next);
        lent
    }
}
