//! NDJSON files as a source: each file a partition, or all of them one partition in the order of their names.
//!
//! Offsets are bytes: of the file, or of all files one behind the other; of a packed file those that are unpacked.
//!
//! # What is read of a file
//!
//! | | |
//! |---|---|
//! | a line with its line end | is a record; a blank one is none |
//! | a last line without a line end | in a bounded run a record, unless the file has grown since it was listed; while files are watched it waits for its end |
//! | what is added behind | is read while files are watched, until the file was quiet for `finish_after`; a bounded run reads what was there when it was listed, and names each file that grew |
//! | a file that became shorter, or begins otherwise than when it was read | halts the pipeline by name: nobody can tell what was read of it |
//! | a packed file whose end is missing | waits while files are watched; halts a bounded run |
//!
//! Of a line longer than [`LINE_BYTES_MAX`] only the first [`LINE_BYTES_KEPT`] bytes are handed on: JSON that is cut off,
//! so the record ends in the dead-letter table.
//!
//! Files are begun in the order of their names, a few at a time, and hold the watermark from then on. When new files are
//! watched for, the newest file's partition does not end; in sequential order a new file must come behind those already
//! listed.

mod buffers;
mod line_ends;
mod lines;
mod room;
mod unpack;
mod left_out;
mod walk;
mod keys;
mod list;
mod listing;
mod look;
mod read;
mod track;
mod seen;
mod set;
#[cfg(test)]
mod tests;

pub use buffers::AHEAD_BYTES;
pub use lines::{LINE_BYTES_KEPT, LINE_BYTES_MAX};
pub use read::HEAD_BYTES;
pub use set::TRACKS_OPEN_MAX;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{PartitionProgress, PollLimits, RecordBlock, Source, SourceError};
use buffers::{CHUNKS_AHEAD, Lent};
use list::{FilesPlace, Listed};
use listing::Listings;
use read::{FromReader, News, Reader, Trouble};
use room::{Pending, Room};
use set::FileSet;
use sluicegate_chain::finished::FinishedFiles;
use sluicegate_model::position::{Partition, Positions};
use sluicegate_model::time::Clock;
use sluicegate_pipeline::FilesConfig;
use sluicegate_runtime::Bell;
use sluicegate_store::StoreOptions;
use track::{Track, warn_of_growth};

/// Reads files below one place.
pub struct FilesSource {
    place: FilesPlace,
    watch: Option<Duration>,
    runtime: Handle,
    clock: Clock,
    /// Rung by readers and listings.
    bell: Bell,
    files: FileSet,
    listings: Listings,
    /// The last listing, until somebody takes it up.
    listed: Option<Listed>,
    sender: Sender<FromReader>,
    receiver: Receiver<FromReader>,
    pending: Option<Pending>,
    lent: Lent,
    progress: Vec<PartitionProgress>,
    trouble: Arc<Trouble>,
}

impl FilesSource {
    /// Opens the place; nobody is asked yet. `bell` is rung when there is something to poll.
    ///
    /// # Errors
    ///
    /// [`SourceError::Refused`] for a path or URL that makes no sense.
    pub fn open(
        config: &FilesConfig,
        stores: &StoreOptions,
        runtime: Handle,
        clock: Clock,
        bell: Bell,
    ) -> Result<Self, SourceError> {
        let (sender, receiver) = channel(CHUNKS_AHEAD);
        let place = FilesPlace::open(config, stores)?;
        Ok(Self {
            watch: config.watch,
            files: FileSet::new(
                &place.name,
                config.order,
                config.watch.and(Some(config.finish_after)),
            ),
            listings: Listings::new(place.clone(), runtime.clone(), clock.clone(), bell.clone()),
            place,
            runtime,
            clock,
            bell,
            listed: None,
            sender,
            receiver,
            pending: None,
            lent: Lent::default(),
            progress: Vec::new(),
            trouble: Arc::default(),
        })
    }

    fn start_readers(&mut self) {
        self.files.begin(self.clock.monotonic());
        let is_running = |track: &&Track| track.is_busy() && !track.wants_reader();
        let running = self.files.tracks.values().filter(is_running).count();
        let waiting = self.files.tracks.values_mut().filter(|track| track.wants_reader());
        for track in waiting.take(TRACKS_OPEN_MAX.saturating_sub(running)) {
            let reader = Reader {
                store: Arc::clone(&self.place.store),
                track: track.partition().clone(),
                run: track.begin_reading(),
                parts: track.parts().to_vec(),
                start: track.position().next_offset.get(),
                last_line: track.last_line(),
                is_single: !track.is_sequence(),
                head: track.head_checksum(),
                sender: self.sender.clone(),
                buffers: self.lent.buffers(),
                bell: self.bell.clone(),
                trouble: Arc::clone(&self.trouble),
            };
            track.is_read_by(self.runtime.spawn(reader.run()).abort_handle());
        }
    }

    /// What a reader sent, or sends before `until`. `is_first`: nothing was taken yet, and a ring for somebody else ends the wait.
    fn receive(&mut self, until: Duration, is_first: bool) -> Option<FromReader> {
        loop {
            if let Ok(message) = self.receiver.try_recv() {
                return Some(message);
            }
            let wait = until.saturating_sub(self.clock.monotonic());
            if wait.is_zero() || !self.bell.wait(wait) {
                return None;
            }
            if is_first {
                return self.receiver.try_recv().ok();
            }
        }
    }

    /// Takes from the readers until a limit is reached or nothing comes in time.
    fn collect(&mut self, limits: &PollLimits) -> Result<Vec<RecordBlock>, SourceError> {
        let mut room = Room { records: limits.records, bytes: limits.bytes, blocks: Vec::new() };
        let rest = self.watch.map_or(Duration::MAX, |_| self.listings.rest());
        let mut until = self.clock.monotonic() + limits.wait.min(rest);
        loop {
            if let Some(pending) = self.pending.take() {
                self.pending = self.hand_on(pending, &mut room);
                if self.pending.is_some() || room.is_full() {
                    return Ok(room.blocks);
                }
            }
            if self.files.is_at_end() {
                return Ok(room.blocks);
            }
            let Some(FromReader { track: partition, run, news }) =
                self.receive(until, room.blocks.is_empty())
            else {
                return Ok(room.blocks);
            };
            let Some(track) = self.files.tracks.get_mut(&partition) else { continue };
            if !track.listens_to(run) {
                continue;
            }
            match news {
                News::Head(head) => track.learn_head(head),
                News::Lines(lines) => {
                    if room.blocks.is_empty() {
                        until = self.clock.monotonic() + limits.linger;
                    }
                    self.pending = Some(Pending { partition, lines, from: 0 });
                }
                News::Grew { file, bytes } => warn_of_growth(&file, bytes, self.watch.is_some()),
                News::Done(done) => {
                    track.finish(done);
                    self.start_readers();
                }
                News::Lost { at, reason } => return Err(track.lost(at, reason)),
                News::Broken { reason } => return Err(SourceError::Final(reason)),
                News::Panicked => {
                    let what = format!("read `{}`", partition.stream);
                    let reason =
                        "its reader panicked, which is a fault of Sluicegate: the log has it";
                    return Err(SourceError::Failed { what, reason: reason.to_owned() });
                }
            }
        }
    }

    /// Hands on as many of the lines as there is room for; what is left.
    fn hand_on(&mut self, pending: Pending, room: &mut Room) -> Option<Pending> {
        let Pending { partition, lines, from } = pending;
        let to = room.fits_up_to(&lines, from);
        let is_all = to == lines.len();
        if !(is_all && from == 0 || room.blocks.is_empty()) {
            // A part of a run costs a copy; in the next poll it may be handed on whole.
            return Some(Pending { partition, lines, from });
        }
        let track = self.files.tracks.get_mut(&partition)?;
        let (taken, left) = if is_all && from == 0 {
            (lines, None)
        } else {
            let part = lines.copy(from, to);
            (part, (!is_all).then_some(Pending { partition, lines, from: to }))
        };
        room.records -= taken.len();
        room.bytes = room.bytes.saturating_sub(taken.values.bytes.len());
        room.blocks.extend(track.take(taken).inspect(|block| self.lent.add(&block.values)));
        left
    }
}

impl Source for FilesSource {
    fn genesis(&mut self) -> Result<Option<Positions>, SourceError> {
        if !self.look()? {
            return Ok(None);
        }
        self.files.clear();
        let now = self.clock.monotonic();
        let files = self.listed.as_ref().map(|listed| listed.files.clone());
        self.files.adopt(files.unwrap_or_default(), now)?;
        self.files.begin(now);
        Ok(Some(self.files.positions()))
    }

    fn reach(&mut self) -> Result<bool, SourceError> {
        self.look()
    }

    fn knows_finished(&self) -> bool {
        self.files.knows_finished()
    }

    fn know_finished(&mut self, finished: FinishedFiles) {
        self.files.set_finished(finished);
    }

    fn assign(&mut self, positions: &Positions) -> Result<(), SourceError> {
        while !self.look()? {
            if let Some(reason) = self.trouble.get() {
                let what = format!("list `{}`", self.place.name);
                return Err(SourceError::Failed { what, reason });
            }
        }
        let listed = self.listed.take().unwrap_or_default();
        // Readers of before send to a channel that is gone, and end, and whether they can read is nobody's trouble.
        self.trouble = Arc::default();
        (self.sender, self.receiver) = channel(CHUNKS_AHEAD);
        self.files.clear();
        self.pending = None;
        if listed.files.is_empty() {
            self.say_that_there_is_nothing(positions);
        }
        let now = self.clock.monotonic();
        self.files.adopt(listed.files, now)?;
        self.files.resume(positions, now)?;
        if let Some(every) = self.watch {
            self.listings.again_after(every);
        }
        self.start_readers();
        self.files.progress(&mut self.progress);
        Ok(())
    }

    fn poll(&mut self, limits: &PollLimits) -> Result<Vec<RecordBlock>, SourceError> {
        // What is told to have ended goes at the next poll.
        self.files.retire();
        self.watch_for_new_files()?;
        self.lent.take_back();
        self.start_readers();
        let mut blocks = self.collect(limits)?;
        // Stable: blocks of one partition stay in the order in which they were read.
        blocks.sort_by(|one, other| one.partition.cmp(&other.partition));
        self.start_readers();
        if !self.files.is_being_read() {
            self.lent.let_go();
        }
        self.files.progress(&mut self.progress);
        self.files.tell();
        Ok(blocks)
    }

    fn pause(&mut self, paused: &BTreeSet<Partition>) -> Result<(), SourceError> {
        for (partition, track) in &mut self.files.tracks {
            track.pause(paused.contains(partition));
        }
        if self.files.has_untold_end() {
            // The next poll tells of it, and need not wait for anything else.
            self.bell.ring();
        }
        // What is put aside of a paused track is read again.
        let tracks = &self.files.tracks;
        self.pending.take_if(|pending| tracks.get(&pending.partition).is_none_or(Track::is_paused));
        self.start_readers();
        self.files.progress(&mut self.progress);
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
