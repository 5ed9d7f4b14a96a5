//! One file on its way from the store into runs of whole lines.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::{GetResult, GetResultPayload};

use super::{CHUNK_BYTES, Done, FilePart, HEAD_BYTES, LastLine, News, ReadError, Reader, shrunk};
use crate::source::files::lines::{LineCutter, Lines};
use crate::source::files::list::store_words;
use crate::source::files::unpack::Unpacker;

/// The lines of one part on their way out.
pub(super) struct PartLines<'a> {
    reader: &'a Reader,
    part: &'a FilePart,
    at: &'a mut i64,
    cutter: LineCutter,
}

impl<'a> PartLines<'a> {
    /// Lines from `at` on, which moves behind every line that is sent.
    pub(super) fn new(reader: &'a Reader, part: &'a FilePart, at: &'a mut i64) -> Self {
        let cutter = LineCutter::new(*at, CHUNK_BYTES);
        Self { reader, part, at, cutter }
    }

    /// Reads a plain file: `result` begins at byte `from`, which is one before `before`, where reading goes on, unless that
    /// is 0.
    pub(super) async fn read_plain(
        mut self,
        result: GetResult,
        from: u64,
        before: u64,
        last_line: LastLine,
    ) -> Result<Done, ReadError> {
        let size = self.part.file.size;
        let mut seen = result.meta.size;
        let mut is_first = from < before;
        match result.payload {
            GetResultPayload::File(file, _) => {
                let mut source = Chunks::open(file, from, size - from)?;
                loop {
                    let before = self.cutter.buffer.len();
                    let buffer = std::mem::take(&mut self.cutter.buffer);
                    self.cutter.buffer = source.read_behind(buffer).await?;
                    if self.cutter.buffer.len() == before {
                        break;
                    }
                    if std::mem::take(&mut is_first) {
                        begins_behind_a_line(self.cutter.buffer[before])?;
                        self.cutter.buffer.remove(before);
                    }
                    self.send_whole().await?;
                }
                seen = source.check_end(size)?;
            }
            GetResultPayload::Stream(mut stream) => {
                while let Some(bytes) = stream.next().await {
                    let bytes = bytes.map_err(|error| ReadError::Store(store_words(&error)))?;
                    self.take(&bytes, &mut is_first)?;
                    if self.cutter.buffer.len() >= CHUNK_BYTES {
                        self.send_whole().await?;
                    }
                }
                self.send_whole().await?;
            }
        }
        let grown = seen.saturating_sub(size);
        self.end(last_line, grown).await
    }

    /// Adds what was read. The first byte of a file that goes on is that before its next line.
    fn take(&mut self, bytes: &[u8], is_first: &mut bool) -> Result<(), ReadError> {
        let bytes = match bytes {
            [first, rest @ ..] if std::mem::take(is_first) => {
                begins_behind_a_line(*first)?;
                rest
            }
            bytes => bytes,
        };
        self.cutter.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Reads a packed file from its beginning, and passes over the first `skip` unpacked bytes.
    pub(super) async fn read_packed(
        mut self,
        result: GetResult,
        skip: u64,
        last_line: LastLine,
    ) -> Result<Done, ReadError> {
        let broken =
            |error: io::Error| ReadError::Broken(format!("it cannot be unpacked: {error}"));
        let unpacker = Unpacker::new(self.part.file.packing).map_err(broken)?;
        let Some(unpacker) = unpacker else {
            return Ok(Done { read_to: *self.at, ..Done::default() });
        };
        let mut unpacking = Unpacking { unpacker, input: Bytes::new(), used: 0 };
        let mut skipping = Skipping { left: skip, head: Vec::new(), skipped: skip };
        let mut packed = Packed::open(result)?;
        while let Some(bytes) = packed.next().await? {
            unpacking.input = bytes;
            unpacking.used = 0;
            loop {
                let (back, output) = unpacking.run().await?;
                unpacking = back;
                let output = output.map_err(broken)?;
                let is_all = output.len() < CHUNK_BYTES && unpacking.used == unpacking.input.len();
                if let Some(rest) = skipping.pass(&output, self.reader)? {
                    self.cutter.buffer.extend_from_slice(rest);
                    self.send_whole().await?;
                }
                if is_all {
                    break;
                }
            }
        }
        if !unpacking.unpacker.is_complete() {
            let reason = "its end is missing: it is cut off, or still being written";
            return match last_line {
                LastLine::Counts => Err(ReadError::Broken(reason.to_owned())),
                // Looked at again when it has changed.
                LastLine::Waits => Ok(Done { read_to: self.cutter.start(), unended: 1, grown: 0 }),
            };
        }
        if skipping.left > 0 {
            let had = skipping.skipped - skipping.left;
            return Err(ReadError::Lost(shrunk(had, skip)));
        }
        self.end(LastLine::Counts, 0).await
    }

    async fn send_whole(&mut self) -> Result<(), ReadError> {
        if self.cutter.start() == self.part.start {
            if self.reader.is_single {
                let head = &self.cutter.buffer[..self.cutter.buffer.len().min(HEAD_BYTES)];
                self.reader.send(News::Head(head.to_vec())).await?;
            }
            self.cutter.blank_byte_order_mark();
        }
        match self.cutter.cut(CHUNK_BYTES) {
            Some(lines) => self.send(lines).await,
            None => Ok(()),
        }
    }

    /// The last line of a file that nobody changed need not have a line end.
    async fn end(mut self, last_line: LastLine, grown: u64) -> Result<Done, ReadError> {
        if last_line == LastLine::Counts
            && grown == 0
            && let Some(lines) = self.cutter.finish()
        {
            self.send(lines).await?;
        }
        let unended = self.cutter.buffer.len() as u64;
        Ok(Done { read_to: self.cutter.start(), unended, grown })
    }

    async fn send(&mut self, lines: Lines) -> Result<(), ReadError> {
        let next = lines.next;
        self.reader.send(News::Lines(lines)).await?;
        *self.at = next;
        Ok(())
    }
}

/// Looks at the byte before those that go on where reading has stopped.
fn begins_behind_a_line(byte: u8) -> Result<(), ReadError> {
    if byte == b'\n' {
        return Ok(());
    }
    let reason = "the line that was read as its last was continued, or its beginning was changed; a line counts without a \
                  line end if nothing is written behind it any more";
    Err(ReadError::Lost(reason.to_owned()))
}

/// A local file, chunk by chunk, read on a thread that may block.
struct Chunks {
    file: Option<File>,
    left: u64,
}

impl Chunks {
    fn open(mut file: File, from: u64, left: u64) -> Result<Self, ReadError> {
        file.seek(SeekFrom::Start(from)).map_err(io_error)?;
        Ok(Self { file: Some(file), left })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        let buffer = self.read_behind(Vec::new()).await?;
        Ok((!buffer.is_empty()).then(|| Bytes::from(buffer)))
    }

    /// What is in the buffer, and behind it the next chunk: nothing at the end.
    async fn read_behind(&mut self, mut buffer: Vec<u8>) -> Result<Vec<u8>, ReadError> {
        let Some(mut file) = self.file.take() else { return Ok(buffer) };
        let (wanted, before) = (self.left.min(CHUNK_BYTES as u64), buffer.len());
        let read = tokio::task::spawn_blocking(move || {
            buffer.reserve(CHUNK_BYTES);
            let read = file.by_ref().take(wanted).read_to_end(&mut buffer);
            read.map(|_| (file, buffer))
        });
        let (file, buffer) = read.await.map_err(|_| ReadError::Closed)?.map_err(io_error)?;
        self.file = Some(file);
        self.left -= (buffer.len() - before) as u64;
        Ok(buffer)
    }

    /// Everything that was listed was there; how long the file is now.
    fn check_end(&self, size: u64) -> Result<u64, ReadError> {
        let now =
            self.file.as_ref().map_or(Ok(size), |file| file.metadata().map(|meta| meta.len()));
        let now = now.map_err(io_error)?;
        if self.left > 0 { Err(ReadError::Lost(shrunk(size - self.left, size))) } else { Ok(now) }
    }
}

fn io_error(error: io::Error) -> ReadError {
    ReadError::Store(error.to_string())
}

/// The bytes of a packed file, as they are stored.
enum Packed {
    Local(Chunks),
    Stream(BoxStream<'static, object_store::Result<Bytes>>),
}

impl Packed {
    fn open(result: GetResult) -> Result<Self, ReadError> {
        Ok(match result.payload {
            GetResultPayload::File(file, _) => Self::Local(Chunks::open(file, 0, u64::MAX)?),
            GetResultPayload::Stream(stream) => Self::Stream(stream),
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        match self {
            Self::Local(chunks) => chunks.next().await,
            Self::Stream(stream) => {
                stream.try_next().await.map_err(|error| ReadError::Store(store_words(&error)))
            }
        }
    }
}

/// An unpacker with its input: it works on a thread that may take its time.
struct Unpacking {
    unpacker: Unpacker,
    input: Bytes,
    used: usize,
}

impl Unpacking {
    /// Unpacks at most a chunk.
    async fn run(mut self) -> Result<(Self, io::Result<Vec<u8>>), ReadError> {
        let run = tokio::task::spawn_blocking(move || {
            let mut output = Vec::new();
            let mut unpacked = Ok(());
            while unpacked.is_ok() && output.len() < CHUNK_BYTES {
                let (made, used) = (output.len(), self.used);
                let input = self.input.slice(self.used..);
                match self.unpacker.unpack(&input, &mut output, CHUNK_BYTES - made) {
                    Ok(more) => self.used += more,
                    Err(error) => unpacked = Err(error),
                }
                if output.len() == made && self.used == used {
                    break;
                }
            }
            (self, unpacked.map(|()| output))
        });
        run.await.map_err(|_| ReadError::Closed)
    }
}

/// What was read before, on the way past it.
struct Skipping {
    left: u64,
    skipped: u64,
    head: Vec<u8>,
}

impl Skipping {
    /// What of these bytes is new; none if nothing is.
    fn pass<'b>(
        &mut self,
        bytes: &'b [u8],
        reader: &Reader,
    ) -> Result<Option<&'b [u8]>, ReadError> {
        let old = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        let room = HEAD_BYTES.saturating_sub(self.head.len());
        self.head.extend_from_slice(&bytes[..old.min(room)]);
        self.left -= old as u64;
        if old > 0 && self.left == 0 && reader.is_single {
            reader.check_head(&self.head)?;
        }
        Ok((old < bytes.len()).then(|| &bytes[old..]))
    }
}
