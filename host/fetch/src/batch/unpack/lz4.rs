//! Frames of lz4, walked here: their blocks are unpacked where they stay, without the copies of a stream.

use twox_hash::XxHash32;

use super::packed;
use crate::buffers::Buffer;
use crate::fault::Fault;
use crate::read::Reader;

const MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();

/// The bits of a frame's first byte.
const VERSION: u8 = 0b1100_0000;
const VERSION_1: u8 = 0b0100_0000;
const IS_INDEPENDENT: u8 = 0b0010_0000;
const HAS_BLOCK_CHECKSUMS: u8 = 0b0001_0000;
const HAS_SIZE: u8 = 0b0000_1000;
const HAS_CHECKSUM: u8 = 0b0000_0100;
const HAS_DICTIONARY: u8 = 0b0000_0001;

/// The bit of a block's length that says that the block is not packed.
const IS_PLAIN: u32 = 1 << 31;

/// How far back a block may refer to.
const WINDOW: usize = 64 << 10;

/// Unpacks frames, one behind the other.
pub(super) fn unpack(bytes: &[u8], limit: usize, into: &mut Buffer) -> Result<(), Fault> {
    let mut reader = Reader::new(bytes);
    let first = into.len();
    loop {
        Frame::read(&mut reader)?.unpack(&mut reader, limit, first, into)?;
        if reader.left() == 0 {
            return Ok(());
        }
    }
}

/// What the head of a frame says.
struct Frame {
    is_independent: bool,
    has_block_checksums: bool,
    has_checksum: bool,
    size: Option<u64>,
    /// Of a block, packed or not.
    largest: usize,
}

impl Frame {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        if reader.array()? != MAGIC {
            return Err(refused("its first bytes are not those of a frame"));
        }
        let head = *reader;
        let [flags, sizes] = reader.array()?;
        if flags & VERSION != VERSION_1 {
            return Err(refused("its version is unknown"));
        }
        if flags & HAS_DICTIONARY != 0 {
            return Err(refused("it needs a dictionary, which Kafka has none of"));
        }
        let has = |flag| flags & flag != 0;
        let size = has(HAS_SIZE).then(|| reader.array().map(u64::from_le_bytes)).transpose()?;
        let largest = match sizes >> 4 & 7 {
            exponent @ 4..=7 => 1 << (8 + 2 * exponent),
            _ => return Err(refused("the size of its blocks is unknown")),
        };
        let length = head.left() - reader.left();
        let checksum = XxHash32::oneshot(0, Reader::take(&mut head.clone(), length)?) >> 8;
        if reader.byte()? != (checksum & 0xff) as u8 {
            return Err(refused("the checksum of its head is wrong"));
        }
        Ok(Self {
            is_independent: has(IS_INDEPENDENT),
            has_block_checksums: has(HAS_BLOCK_CHECKSUMS),
            has_checksum: has(HAS_CHECKSUM),
            size,
            largest,
        })
    }

    /// `first` is where the batch begins in `into`, which may grow by `limit` bytes from there.
    fn unpack(
        &self,
        reader: &mut Reader<'_>,
        limit: usize,
        first: usize,
        into: &mut Buffer,
    ) -> Result<(), Fault> {
        let start = into.len();
        loop {
            let head = u32::from_le_bytes(reader.array()?);
            if head == 0 {
                break;
            }
            let length = (head & !IS_PLAIN) as usize;
            if length > self.largest {
                return Err(refused("a block is larger than its frame allows"));
            }
            let block = reader.take(length)?;
            if self.has_block_checksums {
                check(reader, block, "a block")?;
            }
            if head & IS_PLAIN != 0 {
                into.room(length).copy_from_slice(block);
                into.wrote(length);
            } else {
                self.unpack_block(block, start, into)?;
            }
            if into.len() - first > limit {
                return Err(Fault::TooLarge(limit));
            }
        }
        let content = into.as_ref().get(start..).unwrap_or_default();
        if self.size.is_some_and(|size| size != content.len() as u64) {
            return Err(refused("it has another length than its head says"));
        }
        if self.has_checksum { check(reader, content, "it") } else { Ok(()) }
    }

    /// `start` is where the frame begins in `into`: a block may refer to those before it.
    fn unpack_block(&self, block: &[u8], start: usize, into: &mut Buffer) -> Result<(), Fault> {
        let from = if self.is_independent {
            into.len()
        } else {
            start.max(into.len().saturating_sub(WINDOW))
        };
        let (before, room) = into.written_and_room(from, self.largest);
        let written = if before.is_empty() {
            lz4_flex::block::decompress_into(block, room)
        } else {
            lz4_flex::block::decompress_into_with_dict(block, room, before)
        };
        into.wrote(written.map_err(refused)?);
        Ok(())
    }
}

fn check(reader: &mut Reader<'_>, content: &[u8], what: &str) -> Result<(), Fault> {
    if reader.array().map(u32::from_le_bytes)? == XxHash32::oneshot(0, content) {
        Ok(())
    } else {
        Err(refused(format!("{what} has a wrong checksum")))
    }
}

fn refused(reason: impl ToString) -> Fault {
    packed("lz4", &reason)
}
