//! The head of a record batch, version 2: what it holds, how it is packed, and whether its bytes are those that were written.

use crate::fault::Fault;
use crate::read::{Reader, length_of};

/// Offset and length: they are not counted in the length.
const BEFORE_LENGTH: usize = 12;

/// The head without [`BEFORE_LENGTH`].
const HEAD: usize = 49;

/// What the checksum does not cover: itself, and what the broker fills in.
const BEFORE_CHECKED: usize = 9;

/// How the records of a batch are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    /// As they are.
    None,
    /// Members of gzip, one behind the other.
    Gzip,
    /// One raw block, or the chunks of the Java library.
    Snappy,
    /// A frame.
    Lz4,
    /// Frames.
    Zstd,
}

/// What a batch says of itself.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) base_offset: i64,
    /// Of the last record that was written, whether or not compaction left it. Not below `base_offset`.
    pub(super) last_offset: i64,
    /// None if the broker does not tell.
    pub(super) leader_epoch: Option<i32>,
    pub(super) compression: Compression,
    /// The broker set the time of all records: `max_timestamp`.
    pub(super) is_append_time: bool,
    pub(super) is_transactional: bool,
    /// Its records are marks for readers.
    pub(super) is_control: bool,
    pub(super) base_timestamp: i64,
    pub(super) max_timestamp: i64,
    pub(super) producer_id: i64,
    pub(super) count: usize,
}

/// A whole batch.
pub(super) struct Whole<'a> {
    pub(super) header: Header,
    /// Packed.
    pub(super) records: &'a [u8],
    /// With its head.
    pub(super) length: usize,
}

impl<'a> Whole<'a> {
    /// The first batch of `set`, checked. None: it is cut off, as the last batch of an answer may be.
    pub(super) fn read(set: &'a [u8]) -> Result<Option<Self>, Fault> {
        let mut reader = Reader::new(set);
        if reader.left() < BEFORE_LENGTH {
            return Ok(None);
        }
        let base_offset = reader.int64()?;
        let length = length_of("the length of the batch", i64::from(reader.int32()?))?;
        // Old messages are shorter: the version comes before what is known of this one.
        if let Some(version) = set.get(BEFORE_LENGTH + 4)
            && *version != 2
        {
            return Err(Fault::Format(version.cast_signed()));
        }
        if length < HEAD {
            let value = i64::try_from(length).unwrap_or(i64::MAX);
            return Err(Fault::Impossible { what: "the length of the batch", value });
        }
        let Ok(body) = reader.take(length) else { return Ok(None) };
        let header = Header::read(base_offset, body)?;
        Ok(Some(Self { header, records: &body[HEAD..], length: BEFORE_LENGTH + length }))
    }
}

/// Where a batch says that it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) first: i64,
    /// Below the largest number there is.
    pub(crate) last: i64,
    /// −1 if the broker does not tell.
    pub(crate) leader_epoch: i32,
}

impl Head {
    /// The offset behind it.
    pub(crate) fn next(self) -> i64 {
        self.last + 1
    }
}

/// The first batch and its length. None if it is cut off, or nothing of version 2: who opens it finds out what it is.
pub(super) fn head_of_first(set: &[u8]) -> Option<(Head, usize)> {
    let mut reader = Reader::new(set);
    let first = reader.int64().ok()?;
    let length = usize::try_from(reader.int32().ok()?).ok()?;
    let mut body = Reader::new(reader.take(length).ok()?);
    let leader_epoch = body.int32().ok()?;
    let version = body.byte().ok()?;
    let (_checksum, _attributes) = (body.int32().ok()?, body.int16().ok()?);
    let last = first.checked_add(i64::from(body.int32().ok()?)).filter(|last| *last < i64::MAX)?;
    (version == 2).then_some((Head { first, last, leader_epoch }, BEFORE_LENGTH + length))
}

impl Header {
    /// `body` is what the length counts, not below [`HEAD`].
    fn read(base_offset: i64, body: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(body);
        let leader_epoch = reader.int32()?;
        let _version = reader.byte()?;
        let told = reader.int32()?.cast_unsigned();
        let found = crc32c::crc32c(&body[BEFORE_CHECKED..]);
        if told != found {
            return Err(Fault::Checksum { told, found });
        }
        let attributes = reader.int16()?;
        let last_delta = i64::from(reader.int32()?);
        let base_timestamp = reader.int64()?;
        let max_timestamp = reader.int64()?;
        let producer_id = reader.int64()?;
        let _producer_epoch = reader.int16()?;
        let _sequence = reader.int32()?;
        let count = length_of("the count of records", i64::from(reader.int32()?))?;
        let last_offset = base_offset.checked_add(last_delta).filter(|last| *last < i64::MAX);
        let Some(last_offset) = last_offset.filter(|_| last_delta >= 0 && base_offset >= 0) else {
            let found = base_offset.saturating_add(last_delta);
            return Err(Fault::Order { before: base_offset, found });
        };
        Ok(Self {
            base_offset,
            last_offset,
            leader_epoch: (leader_epoch >= 0).then_some(leader_epoch),
            compression: Compression::of(attributes)?,
            is_append_time: attributes & 8 != 0,
            is_transactional: attributes & 16 != 0,
            is_control: attributes & 32 != 0,
            base_timestamp,
            max_timestamp,
            producer_id,
            count,
        })
    }
}

impl Compression {
    fn of(attributes: i16) -> Result<Self, Fault> {
        match attributes & 7 {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            4 => Ok(Self::Zstd),
            unknown => Err(Fault::Compression(u8::try_from(unknown).unwrap_or(u8::MAX))),
        }
    }
}
