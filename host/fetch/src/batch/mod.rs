//! The records that a broker sends for a partition: batches one behind the other, the last of them perhaps cut off.
//!
//! [`Walk`] goes through them and lends each record that a reader of committed data may see. It can stop behind any record
//! and go on later, so that a turn takes as many as it has room for. What it passes without a record (the marks of
//! transactions, records of aborted ones, offsets that compaction took) moves [`Walk::next_offset`] all the same.

mod header;
mod unpack;
mod records;
mod aborted;
#[cfg(test)]
pub(crate) mod tests;

use std::ops::ControlFlow;

use bytes::Bytes;

pub use aborted::AbortedTransaction;
pub use records::{Headers, Record};
pub use unpack::Unpacker;

use crate::fault::{Damage, Fault};
use crate::read::Reader;
use aborted::Aborted;
use header::{Compression, Header, Whole};
use records::Progress;

/// The key of a mark that ends an aborted transaction, behind its version.
const ABORT: i16 = 0;

/// The records of one partition in one answer.
pub struct Walk {
    set: Bytes,
    /// Bytes of whole batches that were read.
    at: usize,
    next_offset: i64,
    leader_epoch: Option<i32>,
    aborted: Aborted,
    wants_headers: bool,
    open: Option<Open>,
}

/// The batch that is being read.
struct Open {
    header: Header,
    /// None: they lie in the answer as they are.
    unpacked: Option<Vec<u8>>,
    /// Where they lie in the answer.
    packed: std::ops::Range<usize>,
    progress: Progress,
}

impl Open {
    fn body<'a>(&'a self, set: &'a [u8]) -> &'a [u8] {
        match &self.unpacked {
            Some(unpacked) => unpacked,
            None => set.get(self.packed.clone()).unwrap_or_default(),
        }
    }
}

/// Why a walk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// Who takes the records has had enough. Walking again goes on behind the last one.
    Enough,
    /// Everything in the answer was read.
    End,
}

impl Walk {
    /// Begins at `next_offset`: a batch may hold records before it, which are passed over. `set` is what an answer holds for
    /// the partition, and `aborted` what it says of transactions.
    pub fn new(set: Bytes, next_offset: i64, aborted: &[AbortedTransaction]) -> Self {
        let aborted = Aborted::new(aborted);
        Self {
            set,
            at: 0,
            next_offset,
            leader_epoch: None,
            aborted,
            wants_headers: false,
            open: None,
        }
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
        unpacker: &mut Unpacker,
        mut take: impl FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<Stand, Damage> {
        loop {
            if self.open.is_none() && !self.open_next(unpacker)? {
                return Ok(Stand::End);
            }
            if self.lend(&mut take)?.is_break() {
                return Ok(Stand::Enough);
            }
            self.close(unpacker);
        }
    }

    /// Opens the next batch with records that may be seen. False if there is none.
    fn open_next(&mut self, unpacker: &mut Unpacker) -> Result<bool, Damage> {
        loop {
            // A cheap handle, so that batches may be borrowed while the walk moves.
            let set = self.set.clone();
            let rest = set.get(self.at..).unwrap_or_default();
            let offset = self.next_offset;
            let damaged = |fault| Damage { offset, fault };
            let Some(whole) = Whole::read(rest).map_err(damaged)? else {
                return self.end_of(rest).map_err(damaged).map(|()| false);
            };
            let Whole { header, records, length } = whole;
            if header.last_offset < self.next_offset {
                // It was read before. Its transactions were, too, unless the answer begins with it.
                self.aborted.reach(&header);
                self.pass_mark(&header, records, unpacker).map_err(damaged)?;
                self.at += length;
                continue;
            }
            self.aborted.reach(&header);
            if header.is_control || header.count == 0 || self.aborted.leaves_out(&header) {
                self.pass_mark(&header, records, unpacker).map_err(damaged)?;
                self.at += length;
                self.pass(&header);
                continue;
            }
            let unpacked = match header.compression {
                Compression::None => None,
                by => Some(unpacker.unpack(by, records).map_err(damaged)?),
            };
            let packed = self.at + length - records.len()..self.at + length;
            self.open = Some(Open { header, unpacked, packed, progress: Progress::begin() });
            return Ok(true);
        }
    }

    /// Nothing but a batch that is cut off is left. It comes whole with the next answer, if this one had another before it.
    fn end_of(&self, rest: &[u8]) -> Result<(), Fault> {
        if self.at > 0 || rest.is_empty() {
            return Ok(());
        }
        // Brokers send the first batch whole, however large it is: asking again would give the same for ever.
        Err(Fault::CutOff { wanted: rest.len() + 1, left: rest.len() })
    }

    /// Takes note if a batch is the mark of an aborted transaction.
    fn pass_mark(
        &mut self,
        header: &Header,
        records: &[u8],
        unpacker: &mut Unpacker,
    ) -> Result<(), Fault> {
        if !header.is_control || header.count == 0 {
            return Ok(());
        }
        let body = unpacker.unpack(header.compression, records)?;
        let kind = kind_of_mark(header, &body);
        unpacker.give_back(body);
        if kind? == ABORT && header.is_transactional {
            self.aborted.end(header.producer_id);
        }
        Ok(())
    }

    /// A batch was read to its end.
    fn pass(&mut self, header: &Header) {
        self.next_offset = self.next_offset.max(header.last_offset + 1);
        self.leader_epoch = header.leader_epoch;
    }

    /// Lends the records of the open batch.
    #[inline]
    fn lend(
        &mut self,
        take: &mut impl FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Damage> {
        let Some(open) = &mut self.open else { return Ok(ControlFlow::Continue(())) };
        let mut progress = open.progress.clone();
        let (mut next_offset, mut flow) = (self.next_offset, ControlFlow::Continue(()));
        let body = open.body(&self.set);
        let fault = loop {
            match progress.next(&open.header, body, self.wants_headers) {
                Ok(Some(record)) if record.offset < next_offset => {}
                Ok(Some(record)) => {
                    next_offset = record.offset + 1;
                    flow = take(&record);
                    if flow.is_break() {
                        break None;
                    }
                }
                Ok(None) => break None,
                Err(fault) => break Some(fault),
            }
        };
        open.progress = progress;
        if next_offset > self.next_offset {
            self.leader_epoch = open.header.leader_epoch;
        }
        self.next_offset = next_offset;
        match fault {
            Some(fault) => Err(Damage { offset: next_offset, fault }),
            None => Ok(flow),
        }
    }

    /// Goes on behind the open batch, whose records have all been lent.
    fn close(&mut self, unpacker: &mut Unpacker) {
        let Some(open) = self.open.take() else { return };
        self.at = open.packed.end;
        self.pass(&open.header);
        if let Some(buffer) = open.unpacked {
            unpacker.give_back(buffer);
        }
    }
}

/// Where reading goes on behind the whole batches of `set`, and the leader epoch of the last. Only lengths and offsets are read:
/// who walks it finds out whether they are true.
pub(crate) fn behind(set: &[u8]) -> Option<(i64, i32)> {
    let (mut rest, mut last) = (set, None);
    while let Some((behind, epoch, length)) = header::behind_first(rest) {
        last = Some((behind, epoch));
        rest = rest.get(length..).unwrap_or_default();
    }
    last
}

/// What a mark says: the second number in the key of its only record.
fn kind_of_mark(header: &Header, body: &[u8]) -> Result<i16, Fault> {
    let record = Progress::begin().next(header, body, false)?;
    let mut key = Reader::new(record.and_then(|record| record.key).unwrap_or_default());
    key.int16()?;
    key.int16()
}
