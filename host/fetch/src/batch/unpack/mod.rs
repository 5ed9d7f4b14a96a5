//! Unpacks the records of a batch. What comes out is bounded, whatever the packed bytes claim.

mod lz4;

use std::io::Read;

use zstd::bulk::Decompressor;
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe::get_frame_content_size;

use super::header::Compression;
use crate::buffers::{Buffer, Spare};
use crate::fault::Fault;
use crate::read::{Reader, length_of};

/// How the Java library for snappy begins its chunks.
const SNAPPY_CHUNKS: &[u8] = &[0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];

/// Room beyond what is packed: text packs about so well. One that packs better takes a second way.
const USUAL_RATIO: usize = 8;

/// Streams are unpacked so much at a time.
const STEP: usize = 32 << 10;

/// zstd at its highest level looks back so far (as a power of two), and every client of Kafka reads that: 128 MiB.
const ZSTD_WINDOW_MAX: u32 = 27;

/// A decoder that has looked back further than this (8 MiB) is given back: it keeps its window.
const ZSTD_WINDOW_KEPT: u32 = 23;

/// Decoders, used again from batch to batch. One serves all partitions of a thread.
pub struct Unpacker {
    limit: usize,
    spare: Spare,
    at_once: Option<Decompressor<'static>>,
    zstd: Option<Decoder<'static>>,
}

impl Unpacker {
    /// Refuses batches that unpack to more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self::with_spare(limit, Spare::default())
    }

    /// Unpacks into buffers that go back there.
    pub(crate) fn with_spare(limit: usize, spare: Spare) -> Self {
        Self { limit, spare, at_once: None, zstd: None }
    }

    pub(super) fn buffer(&self) -> Buffer {
        self.spare.buffer()
    }

    /// Appends the records of a packed batch. After a fault nothing was appended.
    pub(super) fn unpack(
        &mut self,
        by: Compression,
        packed: &[u8],
        into: &mut Buffer,
    ) -> Result<(), Fault> {
        let start = into.len();
        let done = match by {
            Compression::None => {
                into.room(packed.len()).copy_from_slice(packed);
                into.wrote(packed.len());
                Ok(())
            }
            Compression::Gzip => self.gzip(packed, into),
            Compression::Lz4 => lz4::unpack(packed, self.limit, into),
            Compression::Snappy => self.snappy(packed, into),
            Compression::Zstd => self.zstd(packed, into),
        };
        if done.is_err() {
            into.truncate(start);
        }
        done
    }

    fn gzip(&self, bytes: &[u8], into: &mut Buffer) -> Result<(), Fault> {
        let start = into.len();
        let mut members = flate2::bufread::MultiGzDecoder::new(bytes);
        loop {
            let room = into.free().max(STEP);
            let read = members.read(into.room(room)).map_err(|error| packed("gzip", &error))?;
            into.wrote(read);
            if into.len() - start > self.limit {
                return Err(Fault::TooLarge(self.limit));
            }
            if read == 0 {
                return Ok(());
            }
        }
    }

    fn snappy(&self, packed: &[u8], into: &mut Buffer) -> Result<(), Fault> {
        let start = into.len();
        let Some(chunks) = packed.strip_prefix(SNAPPY_CHUNKS) else {
            return self.snappy_block(packed, start, into);
        };
        let mut reader = Reader::new(chunks);
        // Two versions, of which all have been compatible so far.
        reader.take(8)?;
        while reader.left() > 0 {
            let length = length_of("the length of a chunk", i64::from(reader.int32()?))?;
            self.snappy_block(reader.take(length)?, start, into)?;
        }
        Ok(())
    }

    /// `start` is where the batch begins.
    fn snappy_block(&self, block: &[u8], start: usize, into: &mut Buffer) -> Result<(), Fault> {
        let refused = |error| packed("snappy", &error);
        let length = snap::raw::decompress_len(block).map_err(refused)?;
        let end = (into.len() - start).checked_add(length).filter(|end| *end <= self.limit);
        end.ok_or(Fault::TooLarge(self.limit))?;
        let written = snap::raw::Decoder::new().decompress(block, into.room(length));
        into.wrote(written.map_err(refused)?);
        Ok(())
    }

    /// In one go if it is clear that there is room enough: a stream keeps its window apart and copies from there.
    fn zstd(&mut self, bytes: &[u8], into: &mut Buffer) -> Result<(), Fault> {
        let told = get_frame_content_size(bytes).ok().flatten();
        let guessed = bytes.len().saturating_mul(USUAL_RATIO).max(into.free());
        let room = told.map_or(Some(guessed), |told| usize::try_from(told).ok());
        let Some(room) = room.filter(|room| told.is_none() || *room <= self.limit) else {
            return self.zstd_stream(bytes, into);
        };
        let at_once = match self.at_once.take() {
            Some(at_once) => at_once,
            None => Decompressor::new().map_err(|error| packed("zstd", &error))?,
        };
        let room = into.room(room.min(self.limit));
        match self.at_once.insert(at_once).decompress_to_buffer(bytes, room) {
            Ok(written) => {
                into.wrote(written);
                Ok(())
            }
            // There may have been too little room. The stream knows, and says what else is the matter.
            Err(_) => self.zstd_stream(bytes, into),
        }
    }

    fn zstd_stream(&mut self, bytes: &[u8], into: &mut Buffer) -> Result<(), Fault> {
        let refused = |error| packed("zstd", &error);
        let (limit, start) = (self.limit, into.len());
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
            let read = input.pos;
            let room = into.free().max(STEP);
            let mut output = OutBuffer::around(into.room(room));
            let missing = decoder.run(&mut input, &mut output).map_err(refused)?;
            let written = output.pos();
            into.wrote(written);
            if into.len() - start > limit {
                return Err(Fault::TooLarge(limit));
            }
            let is_all_read = input.pos == bytes.len();
            if missing == 0 && is_all_read {
                break;
            }
            let stands = input.pos == read && written == 0;
            if stands || (is_all_read && written < room) {
                return Err(Fault::CutOff { wanted: missing, left: bytes.len() - input.pos });
            }
        }
        self.zstd = (zstd_window(bytes) <= ZSTD_WINDOW_KEPT).then_some(decoder);
        Ok(())
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
