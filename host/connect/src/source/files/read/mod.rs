//! Reads the files of a track ahead of the lane, on the runtime, and sends what it read as runs of whole lines.

mod beginning;
mod local;
mod packed;
mod part;
mod trouble;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt};
use tokio::sync::mpsc::{PermitIterator, Sender};

use super::buffers::Buffers;
use super::lines::Lines;
use super::list::{FileEntry, Packing, store_words};
use beginning::Beginning;
use part::PartLines;
use sluicegate_model::position::Partition;
use sluicegate_runtime::Bell;
pub(super) use trouble::{Trouble, TroubleWith};

/// Bytes read at a time: large enough that opening and sending cost nothing per record, small enough that what is
/// read is still in the cache when it is decoded.
pub(super) const CHUNK_BYTES: usize = 1 << 20;

/// By so many of its first bytes a file is known again.
pub const HEAD_BYTES: usize = 1024;

/// The pause before a file is asked for again, at first and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// A file in its place within a track.
#[derive(Clone, Debug)]
pub(super) struct FilePart {
    pub(super) file: FileEntry,
    /// Where it begins in the track, and where it ends as it was listed. Of a packed file the end is that of what is
    /// stored, and means nothing.
    pub(super) start: i64,
    pub(super) end: i64,
    /// Of this file and all before it in the track.
    pub(super) checksum: i32,
    /// The same, of this file by its name alone: it may still grow.
    pub(super) checksum_open: i32,
}

/// What is read of a last line that has no line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastLine {
    /// All of it, unless the file was changed since it was listed.
    Counts,
    /// Nothing: its end may still be written.
    Waits,
}

pub(super) struct FromReader {
    pub(super) track: Partition,
    /// Which of the readers that the track has had one after the other.
    pub(super) run: u64,
    pub(super) news: News,
}

/// What it has to say.
pub(super) enum News {
    /// The beginning of the file, up to [`HEAD_BYTES`].
    Head(Vec<u8>),
    Lines(Lines),
    /// A file is longer than it was listed, and what was added is not read.
    Grew {
        file: Arc<str>,
        bytes: u64,
    },
    /// The parts it was given are read.
    Done(Done),
    /// A file is not what was listed or read before; nothing follows.
    Lost {
        at: i64,
        reason: String,
    },
    /// A file cannot be read by anybody; nothing follows.
    Broken {
        reason: String,
    },
    /// The reader has panicked; nothing follows.
    Panicked,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    /// Behind the last line, or what is no record.
    pub(super) read_to: i64,
    /// Bytes of a last line that waits for its end.
    pub(super) unended: u64,
    /// It is packed, and its end is missing.
    pub(super) is_cut_off: bool,
    /// So many bytes came while the file was read, or after it was listed.
    pub(super) grown: u64,
}

/// Reads one track from a position on.
pub(super) struct Reader {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) track: Partition,
    pub(super) run: u64,
    pub(super) parts: Vec<FilePart>,
    /// In the track, at the beginning of a line.
    pub(super) start: i64,
    /// Of the last of the parts; the others end before the next begins.
    pub(super) last_line: LastLine,
    /// The track is one file: its beginning is sent.
    pub(super) is_single: bool,
    /// Of the bytes that were read of it before, as far as [`HEAD_BYTES`].
    pub(super) head: Option<i32>,
    pub(super) sender: Sender<FromReader>,
    /// That lines are read into.
    pub(super) buffers: Buffers,
    /// Wakes who listens.
    pub(super) bell: Bell,
    pub(super) trouble: Arc<Trouble>,
}

/// Why a part was not read to its end.
pub(super) enum ReadError {
    /// It is not the file that was listed or read before.
    Lost(String),
    /// It has so many bytes, and had more when it was listed.
    Shrunk(u64),
    /// Nobody can read it.
    Broken(String),
    /// May pass by itself.
    Store(String),
    /// Nobody listens any more.
    Closed,
}

impl Reader {
    /// Reads to the end of the parts, however long the store is away meanwhile. A panic is told like an end: the track would
    /// wait for its reader for ever.
    pub(super) async fn run(self) {
        if AssertUnwindSafe(self.read()).catch_unwind().await.is_err() {
            self.send_last(News::Panicked).await;
        }
    }

    async fn read(&self) {
        let mut done = Done { read_to: self.start, ..Done::default() };
        let last = self.parts.len().saturating_sub(1);
        for (index, part) in self.parts.iter().enumerate() {
            let is_packed = part.file.packing != Packing::Plain;
            if part.end <= self.start && !is_packed && index != last {
                continue;
            }
            let last_line = if index == last { self.last_line } else { LastLine::Counts };
            match self.read_on(part, last_line).await {
                Ok(part_done) => done = part_done,
                Err(None) => return,
                Err(Some(news)) => return self.send_last(news).await,
            }
        }
        self.send_last(News::Done(done)).await;
    }

    /// Reads a part until that succeeds; the news instead if it never will, or none if nobody listens.
    async fn read_on(&self, part: &FilePart, last_line: LastLine) -> Result<Done, Option<News>> {
        let mut at = self.start.max(part.start);
        let mut beginning = Beginning::new(behind(at, part), self.head);
        let mut pause = BACK_OFF.0;
        loop {
            let before = at;
            match self.read_part(part, last_line, &mut at, &mut beginning).await {
                Ok(done) => {
                    self.trouble.end(&self.with());
                    return self.tell_growth(part, last_line, done).await;
                }
                Err(ReadError::Closed) => return Err(None),
                Err(ReadError::Lost(reason)) => return Err(Some(News::Lost { at, reason })),
                // Nothing that was read is gone, and the next listing shows what there is instead.
                Err(ReadError::Shrunk(size))
                    if last_line == LastLine::Waits && behind(at, part) <= size =>
                {
                    self.trouble.end(&self.with());
                    return Ok(Done { read_to: at, ..Done::default() });
                }
                Err(ReadError::Shrunk(size)) => {
                    let reason = shrunk(size, part.file.size);
                    return Err(Some(News::Lost { at, reason }));
                }
                Err(ReadError::Broken(reason)) => {
                    let stream = &part.file.stream;
                    return Err(Some(News::Broken { reason: format!("`{stream}`: {reason}") }));
                }
                Err(ReadError::Store(reason)) => {
                    let stream = &part.file.stream;
                    let words = format!("`{stream}` cannot be read: {reason}");
                    self.trouble.begin(&self.with(), words);
                    self.bell.ring();
                }
            }
            pause = if at > before { BACK_OFF.0 } else { (pause * 2).min(BACK_OFF.1) };
            tokio::time::sleep(pause).await;
        }
    }

    /// What a bounded run leaves is told of each file. Where files are watched, the last one waits to be read on.
    async fn tell_growth(
        &self,
        part: &FilePart,
        last_line: LastLine,
        done: Done,
    ) -> Result<Done, Option<News>> {
        let bytes = done.unended + done.grown;
        if last_line == LastLine::Counts && bytes > 0 {
            let file = Arc::clone(&part.file.stream);
            self.send(News::Grew { file, bytes }).await.map_err(|_| None)?;
        }
        Ok(done)
    }

    async fn send_last(&self, news: News) {
        // Nobody listens any more: the source was dropped or began anew.
        let _ = self.sender.send(self.say(news)).await;
        self.bell.ring();
    }

    fn say(&self, news: News) -> FromReader {
        FromReader { track: self.track.clone(), run: self.run, news }
    }

    fn with(&self) -> TroubleWith {
        TroubleWith::Reader(self.track.clone(), self.run)
    }

    /// Sends something that was read and that others follow.
    pub(super) async fn send(&self, news: News) -> Result<(), ReadError> {
        self.trouble.end(&self.with());
        self.sender.send(self.say(news)).await.map_err(|_| ReadError::Closed)?;
        self.bell.ring();
        Ok(())
    }

    /// Waits until there is room for so many news.
    async fn room_for(&self, news: usize) -> Result<PermitIterator<'_, FromReader>, ReadError> {
        self.sender.reserve_many(news).await.map_err(|_| ReadError::Closed)
    }

    /// Sends what there is room for, and wakes who listens once.
    fn send_all(&self, room: PermitIterator<'_, FromReader>, news: impl Iterator<Item = News>) {
        self.trouble.end(&self.with());
        for (permit, news) in room.zip(news) {
            permit.send(self.say(news));
        }
        self.bell.ring();
    }

    /// Reads from `at` to the end of a part. Moves `at` behind every line that was sent.
    async fn read_part(
        &self,
        part: &FilePart,
        last_line: LastLine,
        at: &mut i64,
        beginning: &mut Beginning,
    ) -> Result<Done, ReadError> {
        let before = behind(*at, part);
        if part.file.packing != Packing::Plain {
            let result = self.get(part, None).await?;
            let lines = PartLines::new(self, part, at, beginning);
            return lines.read_packed(result, before, last_line).await;
        }
        if before > part.file.size {
            return Err(ReadError::Lost(shrunk(part.file.size, before)));
        }
        if before > 0 {
            self.compare_head(part, before, beginning).await?;
        }
        if part.file.size == 0 {
            // A range of nothing is none, and is refused.
            return Ok(Done { read_to: *at, ..Done::default() });
        }
        // The byte before is that of the line end behind which reading goes on.
        let from = before.saturating_sub(1);
        let result = self.get(part, Some(from..part.file.size)).await?;
        let lines = PartLines::new(self, part, at, beginning);
        lines.read_plain(result, from, before, last_line).await
    }

    /// A range of a plain file, which must be as long as it was listed, or all of a packed one.
    async fn get(
        &self,
        part: &FilePart,
        range: Option<Range<u64>>,
    ) -> Result<GetResult, ReadError> {
        let is_range = range.is_some();
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let result = self.store.get_opts(&part.file.path, options).await;
        let size = match (&result, is_range) {
            (Ok(result), true) => Some(result.meta.size),
            // Perhaps a file that ends before the range begins: each store has other words for that, all know the size.
            (Err(_), true) => self.store.head(&part.file.path).await.ok().map(|meta| meta.size),
            (_, false) => None,
        };
        match size {
            Some(size) if size < part.file.size => Err(ReadError::Shrunk(size)),
            _ => result.map_err(|error| read_error(&error)),
        }
    }

    /// A file that goes on must begin as it did: otherwise it is another one under the same name.
    async fn compare_head(
        &self,
        part: &FilePart,
        before: u64,
        beginning: &mut Beginning,
    ) -> Result<(), ReadError> {
        let range = 0..part.file.size.min(HEAD_BYTES as u64);
        let head = self.get(part, Some(range)).await?.bytes().await;
        let head = head.map_err(|error| read_error(&error))?;
        beginning.compare(&head, before)?;
        self.tell_head(&head, beginning).await
    }

    /// Says how the file begins, if more of that is known than was said, and the track is this file.
    async fn tell_head(&self, head: &[u8], beginning: &mut Beginning) -> Result<(), ReadError> {
        if beginning.see(head) && self.is_single {
            self.send(News::Head(head.to_vec())).await?;
        }
        Ok(())
    }
}

/// How many bytes of a part lie before that place of its track.
fn behind(at: i64, part: &FilePart) -> u64 {
    u64::try_from(at - part.start).unwrap_or(0)
}

/// Also one that is called off while it waits takes its trouble with it.
impl Drop for Reader {
    fn drop(&mut self) {
        self.trouble.end(&self.with());
    }
}

pub(super) fn read_error(error: &object_store::Error) -> ReadError {
    match error {
        object_store::Error::NotFound { .. } => ReadError::Lost(store_words(error)),
        _ => ReadError::Store(store_words(error)),
    }
}

pub(super) fn shrunk(is: u64, was: u64) -> String {
    format!("it has {is} bytes and had {was}: a file may grow, and must not change otherwise")
}
