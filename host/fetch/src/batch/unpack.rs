//! Unpacks the records of a batch. What comes out is bounded, whatever the packed bytes claim.

use std::io::Read;

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::header::Compression;
use crate::fault::Fault;
use crate::read::{Reader, length_of};

/// How the Java library for snappy begins its chunks.
const SNAPPY_CHUNKS: &[u8] = &[0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];

/// Room beyond what the last batch of its size needed: text packs about so well.
const USUAL_RATIO: usize = 4;

/// How many buffers are kept for later batches: one for each partition that is read at a time.
const SPARE_MAX: usize = 4;

/// Buffers larger than this are given back, for one large batch must not hold its memory for ever.
const SPARE_BYTES: usize = 4 << 20;

/// zstd at its highest level looks back so far (as a power of two), and every client of Kafka reads that: 128 MiB.
const ZSTD_WINDOW_MAX: u32 = 27;

/// A decoder that has looked back further than this (8 MiB) is given back: it keeps its window.
const ZSTD_WINDOW_KEPT: u32 = 23;

/// Decoders and buffers, used again from batch to batch. One serves all partitions of a thread.
pub struct Unpacker {
    limit: usize,
    zstd: Option<Decoder<'static>>,
    spare: Vec<Vec<u8>>,
}

impl Unpacker {
    /// Refuses batches that unpack to more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, zstd: None, spare: Vec::new() }
    }

    /// The records of a packed batch.
    pub(super) fn unpack(&mut self, by: Compression, packed: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut into = self.spare.pop().unwrap_or_default();
        let usual = packed.len().saturating_mul(USUAL_RATIO);
        into.reserve(usual.min(self.limit));
        let done = match by {
            Compression::None => {
                into.extend_from_slice(packed);
                Ok(())
            }
            Compression::Gzip => {
                self.stream("gzip", flate2::bufread::MultiGzDecoder::new(packed), &mut into)
            }
            Compression::Lz4 => {
                self.stream("lz4", lz4_flex::frame::FrameDecoder::new(packed), &mut into)
            }
            Compression::Snappy => self.snappy(packed, &mut into),
            Compression::Zstd => self.zstd(packed, &mut into),
        };
        match done {
            Ok(()) => Ok(into),
            Err(fault) => {
                self.give_back(into);
                Err(fault)
            }
        }
    }

    /// Takes back a buffer that was unpacked into.
    pub(super) fn give_back(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < SPARE_MAX && buffer.capacity() <= SPARE_BYTES {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    fn stream(
        &self,
        method: &'static str,
        from: impl Read,
        into: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let limit = u64::try_from(self.limit).unwrap_or(u64::MAX);
        // One byte more tells the limit from the end.
        let read = from.take(limit.saturating_add(1)).read_to_end(into);
        read.map_err(|error| packed(method, &error))?;
        if into.len() > self.limit {
            return Err(Fault::TooLarge(self.limit));
        }
        Ok(())
    }

    fn snappy(&self, packed: &[u8], into: &mut Vec<u8>) -> Result<(), Fault> {
        let Some(chunks) = packed.strip_prefix(SNAPPY_CHUNKS) else {
            return self.snappy_block(packed, into);
        };
        let mut reader = Reader::new(chunks);
        // Two versions, of which all have been compatible so far.
        reader.take(8)?;
        while reader.left() > 0 {
            let length = length_of("the length of a chunk", i64::from(reader.int32()?))?;
            self.snappy_block(reader.take(length)?, into)?;
        }
        Ok(())
    }

    fn snappy_block(&self, block: &[u8], into: &mut Vec<u8>) -> Result<(), Fault> {
        let refused = |error| packed("snappy", &error);
        let length = snap::raw::decompress_len(block).map_err(refused)?;
        let start = into.len();
        let end = start.checked_add(length).filter(|end| *end <= self.limit);
        into.resize(end.ok_or(Fault::TooLarge(self.limit))?, 0);
        let written = snap::raw::Decoder::new().decompress(block, &mut into[start..]);
        into.truncate(start + written.map_err(refused)?);
        Ok(())
    }

    fn zstd(&mut self, bytes: &[u8], into: &mut Vec<u8>) -> Result<(), Fault> {
        let refused = |error| packed("zstd", &error);
        let limit = self.limit;
        let mut decoder = match self.zstd.take() {
            Some(decoder) => decoder,
            None => {
                let mut decoder = Decoder::new().map_err(refused)?;
                let window = DParameter::WindowLogMax(ZSTD_WINDOW_MAX);
                decoder.set_parameter(window).map_err(refused)?;
                decoder
            }
        };
        decoder.reinit().map_err(refused)?;
        let mut input = InBuffer::around(bytes);
        loop {
            if into.len() > limit {
                return Err(Fault::TooLarge(limit));
            }
            if into.len() == into.capacity() {
                into.reserve(into.len().max(4096));
            }
            let (read, written) = (input.pos, into.len());
            let mut output = OutBuffer::around_pos(into, written);
            let missing = decoder.run(&mut input, &mut output).map_err(refused)?;
            let is_all_read = input.pos == bytes.len();
            if missing == 0 && is_all_read {
                break;
            }
            let stands = input.pos == read && into.len() == written;
            if stands || (is_all_read && into.len() < into.capacity()) {
                return Err(Fault::CutOff { wanted: missing, left: bytes.len() - input.pos });
            }
        }
        self.zstd = (zstd_window(bytes) <= ZSTD_WINDOW_KEPT).then_some(decoder);
        if into.len() > limit { Err(Fault::TooLarge(limit)) } else { Ok(()) }
    }
}

/// How far back the first frame looks, as a power of two: the byte behind the magic number and the flags, unless the frame is
/// as long as it is large.
fn zstd_window(frames: &[u8]) -> u32 {
    match frames {
        [_, _, _, _, flags, window, ..] if flags & 0x20 == 0 => 10 + u32::from(window >> 3),
        _ => 0,
    }
}

fn packed(method: &'static str, reason: &impl ToString) -> Fault {
    Fault::Packed { method, reason: reason.to_string() }
}
