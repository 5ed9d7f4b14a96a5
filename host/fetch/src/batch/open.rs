//! Opens the batches of an answer: checks them, unpacks them, finds out which of them a reader of committed data may see.

use std::ops::Range;

use bytes::Bytes;

use super::aborted::{Aborted, AbortedTransaction};
use super::header::{Compression, Header, Whole};
use super::records::Progress;
use super::unpack::Unpacker;
use crate::buffers::Buffer;
use crate::fault::Fault;
use crate::read::Reader;

/// The key of a mark that ends an aborted transaction, behind its version.
const ABORT: i16 = 0;

/// Batches are handed on together until they have so many bytes: it fits in the cache of the core that walks them.
const TOGETHER: usize = 256 << 10;

/// Goes through what an answer holds for a partition.
pub struct Opener {
    set: Bytes,
    /// Bytes of whole batches that were opened.
    at: usize,
    /// What lies before it was read before.
    next_offset: i64,
    /// The last offset of the batch before, read before or not.
    before: Option<i64>,
    aborted: Aborted,
    is_over: bool,
}

/// Batches of one partition, one behind the other.
#[derive(Debug)]
pub struct Opened {
    batches: Vec<(Header, Body)>,
    /// The answer.
    set: Bytes,
    unpacked: Bytes,
    bytes: usize,
    /// What is the matter with the next batch.
    fault: Option<Fault>,
}

/// Where the records of a batch lie.
#[derive(Clone, Debug)]
enum Body {
    /// It has none that may be seen.
    Nowhere,
    InAnswer(Range<usize>),
    Unpacked(Range<usize>),
}

impl Opened {
    /// Batch number `at`, with its records if it has any that may be seen. None behind the last.
    #[inline]
    pub(super) fn batch(&self, at: usize) -> Option<(&Header, Option<&[u8]>)> {
        let (header, body) = self.batches.get(at)?;
        let body = match body {
            Body::Nowhere => None,
            Body::InAnswer(place) => self.set.get(place.clone()),
            Body::Unpacked(place) => self.unpacked.get(place.clone()),
        };
        Some((header, body))
    }

    pub(super) fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// How many records it lends at most.
    pub(crate) fn records(&self) -> usize {
        let lent = self.batches.iter().filter(|(_, body)| !matches!(body, Body::Nowhere));
        lent.map(|(header, _)| header.count).sum()
    }

    /// Bytes of memory that it holds, its part of the answer among them.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Opener {
    /// `set` is what an answer holds for the partition, which was asked for from `next_offset` on, and `aborted` what it says
    /// of transactions.
    pub fn new(set: Bytes, next_offset: i64, aborted: &[AbortedTransaction]) -> Self {
        let aborted = Aborted::new(aborted);
        Self { set, at: 0, next_offset, before: None, aborted, is_over: false }
    }

    /// Whether everything was opened, or what cannot be opened was reached.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Opens the next batches.
    pub fn open(&mut self, unpacker: &mut Unpacker) -> Opened {
        let mut batches = Vec::new();
        let mut buffer = unpacker.buffer();
        let (mut plain, mut fault) = (0, None);
        while !self.is_over && plain + buffer.len() < TOGETHER {
            match self.open_next(unpacker, &mut buffer) {
                Ok(None) => self.is_over = true,
                Ok(Some((header, body))) => {
                    plain += if let Body::InAnswer(place) = &body { place.len() } else { 0 };
                    batches.push((header, body));
                }
                Err(found) => (self.is_over, fault) = (true, Some(found)),
            }
        }
        let (unpacked, held) = buffer.kept();
        let bytes = plain + held;
        // The answer is let go as early as can be.
        let set = if plain > 0 { self.set.clone() } else { Bytes::new() };
        Opened { batches, set, unpacked, bytes, fault }
    }

    /// Opens the next batch that was not read before. None if there is none.
    fn open_next(
        &mut self,
        unpacker: &mut Unpacker,
        buffer: &mut Buffer,
    ) -> Result<Option<(Header, Body)>, Fault> {
        // A cheap handle, so that batches may be borrowed while the opener moves.
        let set = self.set.clone();
        loop {
            let rest = set.get(self.at..).unwrap_or_default();
            let Some(whole) = Whole::read(rest)? else { return self.end_of(rest).map(|()| None) };
            let Whole { header, records, length } = whole;
            self.follow(&header)?;
            self.aborted.reach(&header);
            let was_read = header.last_offset < self.next_offset;
            let is_hidden =
                header.is_control || header.count == 0 || self.aborted.leaves_out(&header);
            let body = if was_read || is_hidden {
                self.pass_mark(&header, records, unpacker, buffer)?;
                Body::Nowhere
            } else if header.compression == Compression::None {
                Body::InAnswer(self.at + length - records.len()..self.at + length)
            } else {
                let start = buffer.len();
                unpacker.unpack(header.compression, records, buffer)?;
                Body::Unpacked(start..buffer.len())
            };
            self.at += length;
            if !was_read {
                return Ok(Some((header, body)));
            }
        }
    }

    /// A batch lies behind the one before, and behind one that was read before it does not leap over the position. No checksum covers
    /// the first offset of a batch, so the order is what can be checked.
    fn follow(&mut self, header: &Header) -> Result<(), Fault> {
        let (found, wanted) = (header.base_offset, self.next_offset);
        let Some(before) = self.before.replace(header.last_offset) else { return Ok(()) };
        let leaps = before < wanted && wanted < found;
        if found <= before || leaps { Err(Fault::Order { before, found }) } else { Ok(()) }
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
        buffer: &mut Buffer,
    ) -> Result<(), Fault> {
        if !header.is_control || header.count == 0 {
            return Ok(());
        }
        let start = buffer.len();
        unpacker.unpack(header.compression, records, buffer)?;
        let kind = kind_of_mark(header, buffer.as_ref().get(start..).unwrap_or_default());
        buffer.truncate(start);
        if kind? == ABORT && header.is_transactional {
            self.aborted.end(header.producer_id);
        }
        Ok(())
    }
}

/// What a mark says: the second number in the key of its only record.
fn kind_of_mark(header: &Header, body: &[u8]) -> Result<i16, Fault> {
    let record = Progress::begin().next(header, body, false)?;
    let mut key = Reader::new(record.and_then(|record| record.key).unwrap_or_default());
    key.int16()?;
    key.int16()
}
