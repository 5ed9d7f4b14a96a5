//! One file on its way from the store into runs of whole lines.

use std::io;
use std::mem;

use futures::StreamExt;
use object_store::{GetResult, GetResultPayload};

use super::beginning::{Beginning, in_head};
use super::local::{LocalFile, aside, begins_behind_a_line};
use super::packed::{Packed, Unpacking};
use super::{CHUNK_BYTES, Done, FilePart, LastLine, News, ReadError, Reader, shrunk};
use crate::source::files::lines::{LineCutter, Lines};
use crate::source::files::list::store_words;
use crate::source::files::unpack::Unpacker;

/// So many chunks of a local file are read at once, when there is room for them: threads are woken once for all of them.
const CHUNKS_AT_ONCE: usize = 4;

/// The lines of one part on their way out.
pub(super) struct PartLines<'a> {
    reader: &'a Reader,
    part: &'a FilePart,
    at: &'a mut i64,
    beginning: &'a mut Beginning,
    cutter: LineCutter,
}

impl<'a> PartLines<'a> {
    /// Lines from `at` on, which moves behind every line that is sent.
    pub(super) fn new(
        reader: &'a Reader,
        part: &'a FilePart,
        at: &'a mut i64,
        beginning: &'a mut Beginning,
    ) -> Self {
        let begins = *at == part.start;
        if begins {
            beginning.forget();
        }
        let cutter = LineCutter::new(*at, begins, reader.buffers.clone());
        Self { reader, part, at, beginning, cutter }
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
                let file = LocalFile::open(file, from, size - from)?;
                seen = self.read_local(file, is_first).await?.check_end(size)?;
            }
            GetResultPayload::Stream(mut stream) => {
                while let Some(bytes) = stream.next().await {
                    let bytes = bytes.map_err(|error| ReadError::Store(store_words(&error)))?;
                    self.take(&bytes, &mut is_first)?;
                    if self.cutter.len() >= CHUNK_BYTES {
                        self.send_whole().await?;
                    }
                }
                self.send_whole().await?;
            }
        }
        let grown = seen.saturating_sub(size);
        self.end(last_line, grown).await
    }

    /// Reads a local file as fast as there is room for its chunks.
    async fn read_local(
        &mut self,
        mut file: LocalFile,
        mut is_first: bool,
    ) -> Result<LocalFile, ReadError> {
        loop {
            let most = file.chunks_left().min(CHUNKS_AT_ONCE);
            // The beginning of a file goes before its lines.
            let room = self.reader.room_for(most + usize::from(self.cutter.begins())).await?;
            let mut cutter = mem::take(&mut self.cutter);
            let (back, cutter, read) = aside(move || {
                let read = file.cut_some(&mut cutter, is_first, most);
                (file, cutter, read)
            })
            .await?;
            (file, self.cutter, is_first) = (back, cutter, false);
            let (lines, goes_on) = read?;
            let head = self.take_head();
            let next = lines.last().map(|lines| lines.next);
            self.reader.send_all(room, head.into_iter().chain(lines.into_iter().map(News::Lines)));
            *self.at = next.unwrap_or(*self.at);
            if !goes_on {
                return Ok(file);
            }
        }
    }

    /// Adds what was read. The first byte of a file that goes on is that before its next line.
    fn take(&mut self, bytes: &[u8], is_first: &mut bool) -> Result<(), ReadError> {
        let bytes = match bytes {
            [first, rest @ ..] if mem::take(is_first) => {
                begins_behind_a_line(*first)?;
                rest
            }
            bytes => bytes,
        };
        self.cutter.buffer().extend_from_slice(bytes);
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
        let mut unpacking = Unpacking::new(unpacker, skip);
        let mut packed = Packed::open(result)?;
        let mut is_compared = skip == 0;
        while let Some(bytes) = packed.next().await? {
            unpacking.give(bytes);
            loop {
                let mut cutter = mem::take(&mut self.cutter);
                let (back, cutter, cut) = aside(move || {
                    let cut = unpacking.cut(&mut cutter);
                    (unpacking, cutter, cut)
                })
                .await?;
                (unpacking, self.cutter) = (back, cutter);
                let (is_all, lines) = cut.map_err(broken)?;
                // At once: the file may be cut off before the place where reading goes on.
                let is_long_enough = unpacking.head().len() >= in_head(skip);
                if is_long_enough && !mem::replace(&mut is_compared, true) {
                    self.beginning.compare(unpacking.head(), skip)?;
                }
                if is_long_enough {
                    self.reader.tell_head(unpacking.head(), self.beginning).await?;
                }
                self.send(lines).await?;
                if is_all {
                    break;
                }
            }
        }
        if !unpacking.unpacker.is_complete() {
            let reason = "its end is missing: it is cut off, or still being written; put the whole file in its place and start again";
            return match last_line {
                LastLine::Counts => Err(ReadError::Broken(reason.to_owned())),
                // Looked at again when it has changed.
                LastLine::Waits => {
                    let read_to = self.cutter.start();
                    Ok(Done { read_to, is_cut_off: true, ..Done::default() })
                }
            };
        }
        if unpacking.to_skip() > 0 {
            return Err(ReadError::Lost(shrunk(skip - unpacking.to_skip(), skip)));
        }
        self.end(LastLine::Counts, 0).await
    }

    async fn send_whole(&mut self) -> Result<(), ReadError> {
        let lines = self.cutter.cut();
        self.send(lines).await
    }

    /// The last line of a file that nobody changed need not have a line end.
    async fn end(mut self, last_line: LastLine, grown: u64) -> Result<Done, ReadError> {
        if last_line == LastLine::Counts && grown == 0 {
            let lines = self.cutter.finish();
            self.send(lines).await?;
        }
        let (read_to, unended) = (self.cutter.start(), self.cutter.len() as u64);
        self.cutter.end();
        Ok(Done { read_to, unended, grown, is_cut_off: false })
    }

    /// How the file begins, once; news where the track is this file.
    fn take_head(&mut self) -> Option<News> {
        let head = self.cutter.take_head()?;
        let is_news = self.beginning.see(&head) && self.reader.is_single;
        is_news.then_some(News::Head(head))
    }

    /// Sends lines, and before the first the beginning of the file.
    async fn send(&mut self, lines: Option<Lines>) -> Result<(), ReadError> {
        if let Some(head) = self.take_head() {
            self.reader.send(head).await?;
        }
        let Some(lines) = lines else { return Ok(()) };
        let next = lines.next;
        self.reader.send(News::Lines(lines)).await?;
        *self.at = next;
        Ok(())
    }
}
