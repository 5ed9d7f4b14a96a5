//! The records of one batch, unpacked: each is lent, none is copied.

use super::header::Header;
use crate::fault::Fault;
use crate::read::{Reader, length_of};

/// One record, borrowed from the answer or from what was unpacked.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its place in the partition.
    pub offset: i64,
    /// Milliseconds since 1970; below zero if it carries none.
    pub timestamp: i64,
    /// The broker's clock set the timestamp, and not the sender's.
    pub is_append_time: bool,
    /// Of the leader that took it; none if the broker does not tell.
    pub leader_epoch: Option<i32>,
    /// None is not empty.
    pub key: Option<&'a [u8]>,
    /// None for a tombstone.
    pub value: Option<&'a [u8]>,
    /// None of them if they were not asked for.
    pub headers: Headers<'a>,
}

/// The headers of a record in their order.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    count: usize,
    bytes: &'a [u8],
}

impl<'a> Headers<'a> {
    const NONE: Self = Self { count: 0, bytes: &[] };

    /// Each as its name, of which nobody checks that it is text, and its value, if it has one.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        let mut reader = Reader::new(self.bytes);
        // They were read to their end before they were handed out.
        (0..self.count).map_while(move |_| header(&mut reader).ok())
    }

    fn read(mut reader: Reader<'a>) -> Result<Self, Fault> {
        let what = "the count of headers";
        let count = length_of(what, reader.varint()?)?;
        let mut rest = reader;
        let bytes = reader.take(reader.left())?;
        for _ in 0..count {
            header(&mut rest)?;
        }
        match rest.left() {
            0 => Ok(Self { count, bytes }),
            left => Err(Fault::Remains(left)),
        }
    }
}

fn header<'a>(reader: &mut Reader<'a>) -> Result<(&'a [u8], Option<&'a [u8]>), Fault> {
    let what = "the length of a header's name";
    let length = length_of(what, reader.varint()?)?;
    let name = reader.take(length)?;
    Ok((name, reader.sized("the length of a header's value")?))
}

/// How far a batch was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// Bytes of its records.
    pub(super) at: usize,
    /// Records.
    pub(super) read: usize,
    /// The offset of the last one, as a distance from the first of the batch; −1 before the first.
    last_delta: i64,
}

impl Progress {
    pub(super) fn begin() -> Self {
        Self { at: 0, read: 0, last_delta: -1 }
    }

    /// The next record of `body`. None behind the last. After a fault it stands where it stood.
    #[inline]
    pub(super) fn next<'a>(
        &mut self,
        header: &Header,
        body: &'a [u8],
        wants_headers: bool,
    ) -> Result<Option<Record<'a>>, Fault> {
        let rest = body.get(self.at..).unwrap_or_default();
        if self.read == header.count {
            return if rest.is_empty() { Ok(None) } else { Err(Fault::Remains(rest.len())) };
        }
        let mut reader = Reader::new(rest);
        let length = length_of("the length of a record", reader.varint()?)?;
        let mut record = Reader::new(reader.take(length)?);
        record.byte()?;
        let time_delta = record.varlong()?;
        let delta = record.varint()?;
        if delta <= self.last_delta || delta > header.last_offset - header.base_offset {
            let before = header.base_offset.saturating_add(self.last_delta);
            let found = header.base_offset.saturating_add(delta);
            return Err(Fault::Order { before, found });
        }
        let key = record.sized("the length of a key")?;
        let value = record.sized("the length of a value")?;
        let headers = if wants_headers { Headers::read(record)? } else { Headers::NONE };
        *self = Self { at: body.len() - reader.left(), read: self.read + 1, last_delta: delta };
        let timestamp = if header.is_append_time {
            header.max_timestamp
        } else {
            header.base_timestamp.saturating_add(time_delta)
        };
        Ok(Some(Record {
            offset: header.base_offset + delta,
            timestamp,
            is_append_time: header.is_append_time,
            leader_epoch: header.leader_epoch,
            key,
            value,
            headers,
        }))
    }
}
