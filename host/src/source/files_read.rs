//! Reads the files of a track ahead of the lane, on the runtime, and sends what it read as runs of whole lines.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectStore};
use tokio::sync::mpsc::Sender;

use super::files_lines::{LineCutter, Lines};
use super::files_list::{FileEntry, store_words};

/// Bytes read at a time: large enough that opening and sending cost nothing per record, small enough that what is
/// read is still in the cache when it is decoded.
pub(super) const CHUNK_BYTES: usize = 1 << 20;

/// The pause before a file is asked for again, at first and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// A file in its place within a track.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) file: FileEntry,
    /// Where it begins in the track, and where it ends.
    pub(super) start: i64,
    pub(super) end: i64,
    /// Of this file and all before it in the track.
    pub(super) checksum: i32,
}

/// What a reader sends.
pub(super) struct FromReader {
    pub(super) track: usize,
    /// Which of the readers that the track has had one after the other.
    pub(super) run: u64,
    pub(super) news: News,
}

/// What it has to say.
pub(super) enum News {
    Lines(Lines),
    /// The parts it was given are read, and end here.
    Done {
        read_to: i64,
    },
    /// A file is not what was listed; nothing follows.
    Lost {
        at: i64,
        reason: String,
    },
}

/// Why nothing is read at the moment.
#[derive(Default)]
pub(super) struct Trouble(Mutex<Option<String>>);

impl Trouble {
    pub(super) fn get(&self) -> Option<String> {
        self.0.lock().expect("nobody panics while holding it").clone()
    }

    pub(super) fn set(&self, trouble: Option<String>) {
        *self.0.lock().expect("nobody panics while holding it") = trouble;
    }
}

/// Reads one track from a position on.
pub(super) struct Reader {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) track: usize,
    pub(super) run: u64,
    pub(super) parts: Vec<Part>,
    /// In the track, at the beginning of a line.
    pub(super) start: i64,
    pub(super) sender: Sender<FromReader>,
    pub(super) trouble: Arc<Trouble>,
}

/// Why a part was not read to its end.
enum ReadError {
    /// It is not the file that was listed.
    Lost(String),
    /// May pass by itself.
    Store(String),
    /// Nobody listens any more.
    Closed,
}

impl Reader {
    /// Reads to the end of the parts, however long the store is away meanwhile.
    pub(super) async fn run(self) {
        for part in self.parts.iter().filter(|part| part.end > self.start) {
            let mut at = self.start.max(part.start);
            let mut pause = BACK_OFF.0;
            let mut failed = false;
            while at < part.end {
                let before = at;
                match self.read_part(part, &mut at).await {
                    Ok(()) => break,
                    Err(ReadError::Closed) => return,
                    Err(ReadError::Lost(reason)) => {
                        return self.send_last(News::Lost { at, reason }).await;
                    }
                    Err(ReadError::Store(reason)) => {
                        let stream = &part.file.stream;
                        self.trouble.set(Some(format!("`{stream}` cannot be read: {reason}")));
                        failed = true;
                    }
                }
                pause = if at > before { BACK_OFF.0 } else { (pause * 2).min(BACK_OFF.1) };
                tokio::time::sleep(pause).await;
            }
            if failed {
                self.trouble.set(None);
            }
        }
        let read_to = self.parts.last().map_or(self.start, |part| part.end);
        self.send_last(News::Done { read_to }).await;
    }

    async fn send_last(&self, news: News) {
        // Nobody listens any more: the source was dropped or began anew.
        let _ = self.sender.send(self.say(news)).await;
    }

    fn say(&self, news: News) -> FromReader {
        FromReader { track: self.track, run: self.run, news }
    }

    /// Reads from `at` to the end of a part. Moves `at` behind every line that was sent.
    async fn read_part(&self, part: &Part, at: &mut i64) -> Result<(), ReadError> {
        let from = u64::try_from(*at - part.start).expect("at least the part's start");
        let range = GetRange::Bounded(from..part.file.size);
        let options = GetOptions { range: Some(range), ..GetOptions::default() };
        let result = match self.store.get_opts(&part.file.path, options).await {
            Ok(result) => result,
            Err(error @ object_store::Error::NotFound { .. }) => {
                return Err(ReadError::Lost(store_words(&error)));
            }
            Err(error) => return Err(ReadError::Store(store_words(&error))),
        };
        if result.meta.size < part.file.size {
            return Err(ReadError::Lost(shrunk(result.meta.size, part.file.size)));
        }
        let cutter = LineCutter::new(*at, CHUNK_BYTES);
        let mut lines = PartLines { reader: self, part, at, cutter };
        match result.payload {
            GetResultPayload::File(file, _) => lines.read_file(file, from).await,
            GetResultPayload::Stream(mut stream) => {
                while let Some(bytes) = stream.next().await {
                    let bytes = bytes.map_err(|error| ReadError::Store(store_words(&error)))?;
                    lines.cutter.buffer.extend_from_slice(&bytes);
                    if lines.cutter.buffer.len() >= CHUNK_BYTES {
                        lines.send_whole().await?;
                    }
                }
                lines.send_whole().await?;
                lines.send_rest().await
            }
        }
    }
}

/// The lines of one part on their way out.
struct PartLines<'a> {
    reader: &'a Reader,
    part: &'a Part,
    at: &'a mut i64,
    cutter: LineCutter,
}

impl PartLines<'_> {
    /// A local file is read chunk by chunk on a thread that may block.
    async fn read_file(&mut self, mut file: std::fs::File, from: u64) -> Result<(), ReadError> {
        let io = |error: io::Error| ReadError::Store(error.to_string());
        file.seek(SeekFrom::Start(from)).map_err(io)?;
        let mut left = self.part.file.size - from;
        while left > 0 {
            let mut buffer = std::mem::take(&mut self.cutter.buffer);
            let wanted = left.min(CHUNK_BYTES as u64);
            let read = tokio::task::spawn_blocking(move || {
                let read = file.by_ref().take(wanted).read_to_end(&mut buffer);
                read.map(|read| (file, buffer, read))
            });
            let (back, filled, read) = read.await.map_err(|_| ReadError::Closed)?.map_err(io)?;
            (file, self.cutter.buffer) = (back, filled);
            if read == 0 {
                return Err(ReadError::Lost(shrunk(
                    self.part.file.size - left,
                    self.part.file.size,
                )));
            }
            left -= read as u64;
            self.send_whole().await?;
        }
        self.send_rest().await
    }

    async fn send_whole(&mut self) -> Result<(), ReadError> {
        if self.cutter.start() == self.part.start {
            self.cutter.blank_byte_order_mark();
        }
        match self.cutter.cut(CHUNK_BYTES) {
            Some(lines) => self.send(lines).await,
            None => Ok(()),
        }
    }

    /// The last line of a file need not have a line end.
    async fn send_rest(&mut self) -> Result<(), ReadError> {
        match self.cutter.finish() {
            Some(lines) => self.send(lines).await,
            None => Ok(()),
        }
    }

    async fn send(&mut self, lines: Lines) -> Result<(), ReadError> {
        let next = lines.next;
        let message = self.reader.say(News::Lines(lines));
        self.reader.sender.send(message).await.map_err(|_| ReadError::Closed)?;
        *self.at = next;
        Ok(())
    }
}

fn shrunk(is: u64, was: u64) -> String {
    format!(
        "it has {is} bytes and had {was} when it was listed; a file must not change once it is there"
    )
}
