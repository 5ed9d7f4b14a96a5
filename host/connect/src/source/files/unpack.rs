//! Unpacks gzip and zstd piece by piece: bytes go in as they come, and no more comes out at once than is asked for.

use std::io;

use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::list::Packing;

/// Unpacks one file: one stream, or several one behind the other, as both formats allow.
pub(super) struct Unpacker {
    stream: Stream,
    /// Nothing is missing behind what came so far.
    is_complete: bool,
}

enum Stream {
    Gzip(Decompress),
    Zstd(Box<Decoder<'static>>),
}

/// zlib's largest window, which every gzip file fits.
const WINDOW_BITS: u8 = 15;

impl Unpacker {
    /// For a file of this packing; none if it is plain.
    ///
    /// # Errors
    /// There is no memory.
    pub(super) fn new(packing: Packing) -> io::Result<Option<Self>> {
        let stream = match packing {
            Packing::Plain => return Ok(None),
            Packing::Gzip => Stream::Gzip(Decompress::new_gzip(WINDOW_BITS)),
            Packing::Zstd => Stream::Zstd(Box::new(Decoder::new()?)),
        };
        Ok(Some(Self { stream, is_complete: false }))
    }

    /// Whether the file may end here.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Unpacks the beginning of `input` to the end of `output`, which gets at most `room` bytes; how much of the input
    /// was used. Nothing used and nothing made: the input is too short.
    ///
    /// # Errors
    /// The bytes are not what the packing says.
    pub(super) fn unpack(
        &mut self,
        input: &[u8],
        output: &mut Vec<u8>,
        room: usize,
    ) -> io::Result<usize> {
        let made = output.len();
        output.resize(made + room, 0);
        let (used, wrote) = match &mut self.stream {
            Stream::Gzip(stream) => {
                if self.is_complete && input.first() == Some(&0) {
                    // Zeros may fill up the last block of a tape.
                    output.truncate(made);
                    return Ok(input.iter().take_while(|byte| **byte == 0).count());
                }
                if self.is_complete && !input.is_empty() {
                    *stream = Decompress::new_gzip(WINDOW_BITS);
                }
                let (read, written) = (stream.total_in(), stream.total_out());
                let status =
                    stream.decompress(input, &mut output[made..], FlushDecompress::None)?;
                if !input.is_empty() {
                    self.is_complete = status == Status::StreamEnd;
                }
                (stream.total_in() - read, stream.total_out() - written)
            }
            Stream::Zstd(stream) => {
                let mut from = InBuffer::around(input);
                let mut to = OutBuffer::around(&mut output[made..]);
                let hint = stream.run(&mut from, &mut to)?;
                if from.pos() > 0 || to.pos() > 0 {
                    self.is_complete = hint == 0;
                }
                (from.pos() as u64, to.pos() as u64)
            }
        };
        output.truncate(made + usize::try_from(wrote).unwrap_or(room));
        Ok(usize::try_from(used).unwrap_or(input.len()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::encode_all(text, 1).unwrap()
    }

    /// Unpacks it in pieces; none if it is not complete.
    fn unpacked(packing: Packing, packed: &[u8], piece: usize, room: usize) -> Option<Vec<u8>> {
        let mut unpacker = Unpacker::new(packing).unwrap().unwrap();
        let mut output = Vec::new();
        for mut input in packed.chunks(piece) {
            loop {
                let before = output.len();
                let used = unpacker.unpack(input, &mut output, room).unwrap();
                input = &input[used..];
                if output.len() - before < room && input.is_empty() {
                    break;
                }
            }
        }
        unpacker.is_complete().then_some(output)
    }

    #[test]
    fn pieces_of_any_size_give_the_same() {
        let text: Vec<u8> =
            (0..20_000_u32).flat_map(|n| format!("{{\"n\":{n}}}\n").into_bytes()).collect();
        for (packing, pack) in
            [(Packing::Gzip, gzip as fn(&[u8]) -> Vec<u8>), (Packing::Zstd, zstd)]
        {
            let one = pack(&text);
            let two = [pack(&text[..1000]), pack(b""), pack(&text[1000..])].concat();
            for packed in [&one, &two] {
                for (piece, room) in [(1 << 20, 1 << 20), (1000, 777), (7, 1 << 16), (1 << 20, 100)]
                {
                    let found = unpacked(packing, packed, piece, room);
                    assert!(found.as_deref() == Some(&text[..]), "{packing:?} {piece} {room}");
                }
            }
            assert_eq!(unpacked(packing, &one[..one.len() - 1], 100, 1 << 16), None, "{packing:?}");
        }
        let padded = [gzip(&text), vec![0; 600]].concat();
        assert_eq!(unpacked(Packing::Gzip, &padded, 512, 1 << 16).as_deref(), Some(&text[..]));
    }

    #[test]
    fn what_is_not_packed_is_an_error() {
        for packing in [Packing::Gzip, Packing::Zstd] {
            let mut unpacker = Unpacker::new(packing).unwrap().unwrap();
            assert!(unpacker.unpack(b"{\"n\":1}\n{\"n\":2}\n", &mut Vec::new(), 100).is_err());
        }
    }
}
