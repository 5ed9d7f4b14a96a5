//! NDJSON files as a source: each file a partition, or all of them one partition in the order of their names.
//!
//! Offsets are bytes: of the file, or of all files one behind the other. **A file must not change once it can be
//! listed**: write it elsewhere, or under a name that does not end in `.json`, `.ndjson` or `.jsonl`, and rename it
//! when it is complete. A file that became shorter stops the pipeline; what is added to a file later is not read.
//!
//! A line is a record, with its line end (`\n` or `\r\n`) as white space behind it; a last line without one counts.
//! Blank lines are no records. Of a line longer than [`LINE_BYTES_MAX`] only the first [`LINE_BYTES_KEPT`] bytes are
//! handed on: JSON that is cut off, so the record ends in the dead-letter table.
//!
//! When new files are watched for, the newest file's partition does not end, so that the input as a whole does not;
//! in sequential order a new file must come behind those already listed.

pub use super::files_lines::{LINE_BYTES_KEPT, LINE_BYTES_MAX};

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::files_lines::Lines;
use super::files_list::{FileEntry, ListError, Place};
use super::files_read::{FromReader, News, Reader, Trouble};
use super::files_track::{Reading, Track};
use super::{
    Partition, PartitionProgress, PollLimits, Positions, RecordBlock, Source, SourceError,
};
use crate::config::{FilesConfig, StoreOptions};
use crate::time::Clock;

/// Tracks read at once: enough to hide the latency of an object store, few enough that windows of far-apart files
/// are not all open together.
pub const TRACKS_OPEN_MAX: usize = 4;

/// Chunks read ahead of the lane: with [`super::files_read::CHUNK_BYTES`] about 8 MiB.
const CHUNKS_AHEAD: usize = 8;

/// The pause after a listing that failed.
const LIST_AGAIN: Duration = Duration::from_secs(1);

type Listing = Result<Vec<FileEntry>, ListError>;

/// Reads files below one place.
pub struct FilesSource {
    place: Place,
    watch: Option<Duration>,
    sequential: bool,
    runtime: Handle,
    clock: Clock,
    /// In the order in which they were found.
    tracks: Vec<Track>,
    /// Streams of all files that are in a track.
    known: BTreeSet<Arc<str>>,
    sender: Sender<FromReader>,
    receiver: Receiver<FromReader>,
    /// Lines that did not fit into the last poll, and how many of them were handed on.
    pending: Option<(usize, Lines, usize)>,
    listings: (Sender<Listing>, Receiver<Listing>),
    list_at: Option<Duration>,
    progress: Vec<PartitionProgress>,
    trouble: Arc<Trouble>,
}

impl FilesSource {
    /// Opens the place; nobody is asked yet.
    ///
    /// # Errors
    ///
    /// [`SourceError::Refused`] for a path or URL that makes no sense.
    pub fn open(
        config: &FilesConfig,
        stores: &StoreOptions,
        runtime: Handle,
        clock: Clock,
    ) -> Result<Self, SourceError> {
        let (sender, receiver) = channel(CHUNKS_AHEAD);
        Ok(Self {
            place: Place::open(config, stores)?,
            watch: config.watch,
            sequential: config.sequential,
            runtime,
            clock,
            tracks: Vec::new(),
            known: BTreeSet::new(),
            sender,
            receiver,
            pending: None,
            listings: channel(1),
            list_at: None,
            progress: Vec::new(),
            trouble: Arc::default(),
        })
    }

    fn list(&self) -> Listing {
        let files = self.runtime.block_on(self.place.list())?;
        if files.is_empty() && self.watch.is_none() { Err(ListError::Missing) } else { Ok(files) }
    }

    fn missing(&self) -> SourceError {
        SourceError::Refused(format!(
            "`source.files.path` = `{}` names no file, and no file below it ends in `.json`, `.ndjson` or `.jsonl`",
            self.place.name
        ))
    }

    /// Puts new files into tracks.
    fn adopt(&mut self, files: Vec<FileEntry>) -> Result<(), SourceError> {
        if self.sequential && self.tracks.is_empty() {
            self.tracks.push(Track::of_all(&self.place.name));
        }
        for file in files {
            if !self.known.insert(Arc::clone(&file.stream)) {
                continue;
            }
            if !self.sequential {
                self.tracks.push(Track::of_file(file));
                continue;
            }
            let track = &mut self.tracks[0];
            let last = track.parts().last();
            if let Some(last) = last.filter(|last| last.file.stream > file.stream) {
                return Err(SourceError::Refused(format!(
                    "`{}` appeared, but in sequential order a new file must come behind `{}`, which was already listed",
                    file.stream, last.file.stream
                )));
            }
            track.append(file);
        }
        // Of watched files the newest stays open: more may come.
        let closed =
            self.tracks.len() - usize::from(self.watch.is_some() && !self.tracks.is_empty());
        for track in &mut self.tracks[..closed] {
            track.is_closed = true;
        }
        Ok(())
    }

    /// Looks for new files when it is time, without waiting for the answer.
    fn watch_for_new_files(&mut self) -> Result<(), SourceError> {
        let Some(every) = self.watch else {
            return Ok(());
        };
        match self.listings.1.try_recv() {
            Ok(Ok(files)) => {
                self.trouble.set(None);
                self.adopt(files)?;
            }
            Ok(Err(ListError::Store(reason))) => {
                self.trouble.set(Some(format!("`{}` cannot be listed: {reason}", self.place.name)));
            }
            // Nothing there yet, or not answered yet.
            Ok(Err(ListError::Missing)) | Err(_) => {}
        }
        let now = self.clock.monotonic();
        if self.list_at.is_some_and(|at| now < at) || self.listings.0.capacity() == 0 {
            return Ok(());
        }
        self.list_at = Some(now + every);
        let (place, sender) = (self.place.clone(), self.listings.0.clone());
        self.runtime.spawn(async move {
            let listing = place.list().await;
            // Full or closed: an answer waits already, or nobody wants one.
            let _ = sender.try_send(listing);
        });
        Ok(())
    }

    fn start_readers(&mut self) {
        let running = self.tracks.iter().filter(|track| track.reading == Reading::Running).count();
        let waiting = self.tracks.iter_mut().enumerate().filter(|(_, track)| track.wants_reader());
        for (index, track) in waiting.take(TRACKS_OPEN_MAX.saturating_sub(running)) {
            let reader = Reader {
                store: Arc::clone(&self.place.store),
                track: index,
                run: track.begin_reading(),
                parts: track.parts().to_vec(),
                start: track.position().next_offset.get(),
                sender: self.sender.clone(),
                trouble: Arc::clone(&self.trouble),
            };
            track.is_read_by(self.runtime.spawn(reader.run()).abort_handle());
        }
    }

    /// What a reader sent: at once if there is something, else within `wait`.
    fn receive(&mut self, wait: Duration) -> Option<FromReader> {
        if let Ok(message) = self.receiver.try_recv() {
            return Some(message);
        }
        if wait.is_zero() {
            return None;
        }
        let received = async { tokio::time::timeout(wait, self.receiver.recv()).await };
        self.runtime.block_on(received).ok().flatten()
    }

    /// Takes from the readers until a limit is reached or nothing comes in time.
    fn collect(&mut self, limits: &PollLimits) -> Result<Vec<RecordBlock>, SourceError> {
        let mut room = Room { records: limits.records, bytes: limits.bytes, blocks: Vec::new() };
        let started = self.clock.monotonic();
        let mut until = started + limits.wait;
        loop {
            if let Some((track, lines, from)) = self.pending.take() {
                self.pending = self.hand_on(track, lines, from, &mut room);
                if self.pending.is_some() || room.is_full() {
                    return Ok(room.blocks);
                }
            }
            if self.is_at_end() {
                return Ok(room.blocks);
            }
            let Some(FromReader { track, run, news }) =
                self.receive(until.saturating_sub(self.clock.monotonic()))
            else {
                return Ok(room.blocks);
            };
            if !self.tracks[track].listens_to(run) {
                continue;
            }
            match news {
                News::Lines(lines) => {
                    if room.blocks.is_empty() {
                        until = self.clock.monotonic() + limits.linger;
                    }
                    self.pending = Some((track, lines, 0));
                }
                News::Done { read_to } => self.tracks[track].finish(read_to),
                News::Lost { at, reason } => return Err(self.tracks[track].lost(at, reason)),
            }
        }
    }

    /// Hands on as many of the lines as there is room for; what is left.
    fn hand_on(
        &mut self,
        track: usize,
        lines: Lines,
        from: usize,
        room: &mut Room,
    ) -> Option<(usize, Lines, usize)> {
        let to = room.fits_up_to(&lines, from);
        let is_all = to == lines.len();
        if !(is_all && from == 0 || room.blocks.is_empty()) {
            // A part of a run costs a copy; in the next poll it may be handed on whole.
            return Some((track, lines, from));
        }
        let (taken, left) = if is_all && from == 0 {
            (lines, None)
        } else {
            let part = lines.copy(from, to);
            (part, (!is_all).then_some((track, lines, to)))
        };
        room.records -= taken.len();
        room.bytes = room.bytes.saturating_sub(taken.values.bytes.len());
        room.blocks.extend(self.tracks[track].take(taken));
        left
    }

    /// Whether all that was listed is handed on and nothing will be added.
    fn is_at_end(&self) -> bool {
        !self.tracks.is_empty() && self.tracks.iter().all(Track::is_ended)
    }

    fn update_progress(&mut self) {
        self.progress.clear();
        self.progress.extend(self.tracks.iter().map(Track::progress));
        self.progress.sort_by(|one, other| one.partition.cmp(&other.partition));
    }
}

impl Source for FilesSource {
    fn genesis(&mut self) -> Result<Option<Positions>, SourceError> {
        match self.list() {
            Ok(files) => {
                self.trouble.set(None);
                self.adopt(files)?;
                let start = |track: &Track| (track.partition().clone(), track.position().clone());
                Ok(Some(self.tracks.iter().map(start).collect()))
            }
            Err(ListError::Missing) if self.watch.is_none() => Err(self.missing()),
            Err(ListError::Missing) => Ok(Some(Positions::new())),
            Err(ListError::Store(reason)) => {
                self.trouble.set(Some(format!("`{}` cannot be listed: {reason}", self.place.name)));
                self.runtime.block_on(tokio::time::sleep(LIST_AGAIN));
                Ok(None)
            }
        }
    }

    fn assign(&mut self, positions: &Positions) -> Result<(), SourceError> {
        let files = match self.list() {
            Ok(files) => files,
            Err(ListError::Missing) if self.watch.is_none() => return Err(self.missing()),
            Err(ListError::Missing) => Vec::new(),
            Err(ListError::Store(reason)) => {
                return Err(SourceError::Failed {
                    what: format!("list `{}`", self.place.name),
                    reason,
                });
            }
        };
        // Readers of before send to a channel that is gone, and end.
        (self.sender, self.receiver) = channel(CHUNKS_AHEAD);
        self.tracks.clear();
        self.known.clear();
        self.pending = None;
        self.adopt(files)?;
        for (partition, position) in positions {
            match self.tracks.iter_mut().find(|track| track.partition() == partition) {
                Some(track) => track.resume(position)?,
                None if position.ended => {}
                None => {
                    return Err(SourceError::PositionLost {
                        partition: partition.clone(),
                        offset: position.next_offset.get(),
                        reason: format!("it is not among the files of `{}`", self.place.name),
                    });
                }
            }
        }
        if self.watch.is_some() && self.is_at_end() {
            // Its last file ended when a newer one appeared, whose name stands before it.
            self.tracks.last_mut().expect("an end needs a track").reopen();
        }
        self.list_at = self.watch.map(|every| self.clock.monotonic() + every);
        self.start_readers();
        self.update_progress();
        Ok(())
    }

    fn poll(&mut self, limits: &PollLimits) -> Result<Vec<RecordBlock>, SourceError> {
        self.watch_for_new_files()?;
        self.start_readers();
        let mut blocks = self.collect(limits)?;
        // Stable: blocks of one partition stay in the order in which they were read.
        blocks.sort_by(|one, other| one.partition.cmp(&other.partition));
        self.update_progress();
        Ok(blocks)
    }

    fn pause(&mut self, paused: &BTreeSet<Partition>) -> Result<(), SourceError> {
        for track in &mut self.tracks {
            track.pause(paused.contains(track.partition()));
        }
        // What is put aside of a paused track is read again.
        self.pending.take_if(|(track, ..)| self.tracks[*track].is_paused());
        self.start_readers();
        self.update_progress();
        Ok(())
    }

    fn progress(&self) -> &[PartitionProgress] {
        &self.progress
    }

    fn acknowledge(&mut self, _: &Positions) {}

    fn problem(&self) -> Option<String> {
        self.trouble.get()
    }
}

/// What a poll may still take, and what it has taken.
struct Room {
    records: usize,
    bytes: usize,
    blocks: Vec<RecordBlock>,
}

impl Room {
    fn is_full(&self) -> bool {
        self.records == 0 || self.bytes == 0
    }

    /// The line up to which, from `from` on, the room suffices: at least one, however long.
    fn fits_up_to(&self, lines: &Lines, from: usize) -> usize {
        let most = lines.len().min(from.saturating_add(self.records));
        let ends = &lines.values.offsets;
        let start = ends.get(from).copied().unwrap_or(0) as usize;
        if ends[most] as usize - start <= self.bytes {
            return most;
        }
        let whole =
            ends[from + 1..=most].partition_point(|end| (*end as usize - start) < self.bytes);
        (from + whole + 1).min(most)
    }
}
