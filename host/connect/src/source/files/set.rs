//! The files of a source: those that wait, those that are read, and those that are finished.
//!
//! Files are begun in the order of their names, at most [`TRACKS_OPEN_MAX`] at a time. One that waits holds nothing: it is
//! no partition yet. That is what lets a backfill of many files close its windows as it goes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::list::{FileEntry, Packing};
use super::seen::Seen;
use super::track::{Track, lost};
use crate::source::{PartitionProgress, SourceError};
use sluicegate_chain::finished::FinishedFiles;
use sluicegate_model::position::{NextOffset, Partition, Position, Positions};
use sluicegate_pipeline::FileOrder;

/// Files read at once: enough to hide the latency of an object store, few enough that windows of far-apart files are
/// not all open together.
pub const TRACKS_OPEN_MAX: usize = 4;

/// Files begun and not read to their end, those included that wait for slower ones.
const TRACKS_BEGUN_MAX: usize = 16;

pub(super) struct FileSet {
    /// The place's, for the one track of sequential order.
    name: Arc<str>,
    order: FileOrder,
    /// Watched files may grow; one that was quiet for so long is finished.
    finish_after: Option<Duration>,
    pub(super) tracks: BTreeMap<Partition, Track>,
    waiting: BTreeMap<Arc<str>, FileEntry>,
    finished: FinishedFiles,
    /// Those of earlier runs.
    before: FinishedFiles,
    seen: Seen,
    /// Those that a record says have ended, until the lane was told, and as long as there is nothing else.
    ended: Vec<PartitionProgress>,
    is_told: bool,
    /// Of the parts of sequential order, by name.
    known: HashMap<Arc<str>, usize>,
}

impl FileSet {
    pub(super) fn new(name: &Arc<str>, order: FileOrder, finish_after: Option<Duration>) -> Self {
        Self {
            name: Arc::clone(name),
            order,
            finish_after,
            tracks: BTreeMap::new(),
            waiting: BTreeMap::new(),
            finished: FinishedFiles::default(),
            before: FinishedFiles::default(),
            seen: Seen::default(),
            ended: Vec::new(),
            is_told: false,
            known: HashMap::new(),
        }
    }

    /// Forgets everything but what was finished in earlier runs.
    pub(super) fn clear(&mut self) {
        self.finished = self.before.clone();
        self.tracks.clear();
        self.waiting.clear();
        self.known.clear();
        self.seen.begin();
        self.ended.clear();
        self.is_told = false;
    }

    /// Whether each file is a partition of its own.
    pub(super) fn knows_finished(&self) -> bool {
        self.order != FileOrder::Sequential
    }

    /// These were read to their end in an earlier run.
    pub(super) fn set_finished(&mut self, finished: FinishedFiles) {
        self.before = finished;
    }

    /// Whether no file was ever finished.
    pub(super) fn has_finished_none(&self) -> bool {
        self.finished.is_empty()
    }

    fn is_bounded(&self) -> bool {
        self.finish_after.is_none()
    }

    /// Takes note of all files that there are, in the order of their names.
    ///
    /// # Errors
    /// A file is not what was read of it, or lies where it cannot be read any more.
    pub(super) fn adopt(
        &mut self,
        files: Vec<FileEntry>,
        now: Duration,
    ) -> Result<(), SourceError> {
        if self.order == FileOrder::Sequential {
            return self.adopt_in_sequence(files, now);
        }
        let newest = files.last().map(|file| Arc::clone(&file.stream));
        let is_listed = |track: &Track| {
            let stream = &track.partition().stream;
            files.binary_search_by(|file| file.stream.cmp(stream)).is_ok()
        };
        let mut gone = self.tracks.values().filter(|track| !is_listed(track));
        if let Some(lost) = gone.find(|track| track.has_left_something()) {
            return Err(self.missing(lost.partition(), lost.position()));
        }
        let waiting = std::mem::take(&mut self.waiting);
        for file in files {
            let partition = partition(&file.stream);
            if let Some(track) = self.tracks.get_mut(&partition) {
                track.update(file, now)?;
            } else if self.finished.contains(&file.stream) {
                self.seen.look(&file);
            } else {
                self.waiting.insert(Arc::clone(&file.stream), file);
            }
        }
        for gone in waiting.keys().filter(|name| !self.waiting.contains_key(*name)) {
            if !self.tracks.contains_key(&partition(gone)) {
                tracing::warn!(file = &**gone, "was removed before it was read");
            }
        }
        self.seen.tell();
        self.close_quiet(newest.as_deref(), now);
        Ok(())
    }

    /// Of watched files the newest by name stays open: more may come.
    fn close_quiet(&mut self, newest: Option<&str>, now: Duration) {
        let Some(finish_after) = self.finish_after else { return };
        for track in self.tracks.values_mut() {
            if Some(&*track.partition().stream) != newest {
                track.close_if_quiet(now, finish_after);
            }
        }
    }

    fn adopt_in_sequence(
        &mut self,
        files: Vec<FileEntry>,
        now: Duration,
    ) -> Result<(), SourceError> {
        let whole = partition(&self.name);
        let is_bounded = self.is_bounded();
        let track = self.tracks.entry(whole);
        let track = track.or_insert_with(|| Track::of_all(&self.name, is_bounded, now));
        for file in files {
            if file.packing != Packing::Plain {
                return Err(SourceError::Refused(format!(
                    "`{}` is packed, and in sequential order positions count the bytes of all files: unpack it, or read the files in parallel",
                    file.stream
                )));
            }
            let last = track.parts().len().checked_sub(1);
            match self.known.get(&file.stream) {
                Some(index) if Some(*index) == last => track.update(file, now)?,
                Some(index) if track.parts()[*index].file.size != file.size => {
                    return Err(SourceError::Refused(format!(
                        "`{}` changed, and in sequential order only the last file may grow",
                        file.stream
                    )));
                }
                Some(_) => {}
                None => {
                    let last = track.parts().last().map(|part| &part.file.stream);
                    if let Some(last) = last.filter(|last| **last > file.stream) {
                        return Err(SourceError::Refused(format!(
                            "`{}` appeared, but in sequential order a new file must come behind `{last}`, which was already listed",
                            file.stream
                        )));
                    }
                    self.known.insert(Arc::clone(&file.stream), track.parts().len());
                    track.append(file);
                }
            }
        }
        Ok(())
    }

    /// Goes on where an earlier run stopped.
    ///
    /// # Errors
    /// [`SourceError::Lost`].
    pub(super) fn resume(
        &mut self,
        positions: &Positions,
        now: Duration,
    ) -> Result<(), SourceError> {
        for (partition, position) in positions {
            if self.order == FileOrder::Sequential {
                self.resume_sequence(partition, position)?;
                continue;
            }
            let Some(file) = self.waiting.get(&partition.stream).cloned() else {
                let is_whole = position.end_offset == Some(position.next_offset.get());
                if position.ended || (is_whole && self.is_bounded()) {
                    self.set_ended(partition, position);
                } else if is_whole {
                    let track = Track::of_gone(partition, position, now);
                    self.tracks.insert(partition.clone(), track);
                } else {
                    return Err(self.missing(partition, position));
                }
                continue;
            };
            let has_grown =
                i64::try_from(file.size).is_ok_and(|size| size > position.next_offset.get());
            let goes_on = !position.ended
                || (has_grown && !self.is_bounded() && file.packing == Packing::Plain);
            self.waiting.remove(&partition.stream);
            if !goes_on {
                if has_grown && file.packing == Packing::Plain {
                    tracing::warn!(
                        file = &*file.stream,
                        "grew after it was read to its end; the rest is not read"
                    );
                }
                self.seen.keep(&file);
                self.set_ended(partition, position);
                continue;
            }
            let mut track = Track::of_file(file, self.finish_after.is_none(), now);
            track.resume(position)?;
            self.tracks.insert(partition.clone(), track);
        }
        Ok(())
    }

    fn set_ended(&mut self, partition: &Partition, position: &Position) {
        self.finished.insert(Arc::clone(&partition.stream));
        self.ended.push(PartitionProgress {
            partition: partition.clone(),
            read_to: None,
            end_offset: Some(position.next_offset.get()),
            caught_up: true,
            looked_at: None,
            ended: true,
        });
    }

    fn resume_sequence(
        &mut self,
        partition: &Partition,
        position: &Position,
    ) -> Result<(), SourceError> {
        match self.tracks.get_mut(partition) {
            Some(track) => track.resume(position),
            None if position.ended => Ok(()),
            None => Err(self.missing(partition, position)),
        }
    }

    fn missing(&self, partition: &Partition, position: &Position) -> SourceError {
        let reason = format!("it is not among the files of `{}`", self.name);
        lost(partition, position.next_offset.get(), &reason)
    }

    /// Takes out what is finished and was told, and begins as many of the waiting files as may be read at once.
    pub(super) fn begin(&mut self, now: Duration) {
        let mut busy = self.tracks.values().filter(|track| track.is_busy()).count();
        let mut begun = self.tracks.values().filter(|track| !track.is_caught_up()).count();
        // Where nothing is read all that are begun wait for one that is not.
        while busy < TRACKS_OPEN_MAX
            && (begun < TRACKS_BEGUN_MAX || busy == 0)
            && let Some((stream, file)) = self.waiting.pop_first()
        {
            let track = Track::of_file(file, self.finish_after.is_none(), now);
            self.tracks.insert(partition(&stream), track);
            busy += 1;
            begun += 1;
        }
    }

    /// Takes out the files that have ended, of which the lane was told. Of a bounded input the last ones stay, so that the
    /// end is seen. A watched one has no end, and what is added to the last ones must not be read.
    pub(super) fn retire(&mut self) {
        let is_over = self.is_bounded()
            && self.waiting.is_empty()
            && self.tracks.values().all(Track::is_ended);
        if is_over || self.order == FileOrder::Sequential {
            return;
        }
        // Nothing was told before the first poll: a file without a byte has ended by then.
        if !std::mem::replace(&mut self.is_told, true) {
            return;
        }
        self.ended.clear();
        let ended = self.tracks.extract_if(.., |_, track| track.is_told_ended());
        for (partition, track) in ended {
            // The next listing shows whether anything came behind its end.
            if let Some(part) = track.parts().last() {
                self.seen.keep(&part.file);
            }
            self.finished.insert(partition.stream);
        }
    }

    /// Whether one has ended of which the lane does not know.
    pub(super) fn has_untold_end(&self) -> bool {
        self.tracks.values().any(|track| track.is_ended() && !track.is_told_ended())
    }

    /// What they have come to is told.
    pub(super) fn tell(&mut self) {
        self.tracks.values_mut().for_each(Track::tell);
    }

    /// Whether all that was listed is handed on and nothing will be added.
    pub(super) fn is_at_end(&self) -> bool {
        self.is_bounded()
            && !(self.tracks.is_empty() && self.ended.is_empty())
            && self.waiting.is_empty()
            && self.tracks.values().all(Track::is_ended)
    }

    /// Whether anything is read at the moment.
    pub(super) fn is_being_read(&self) -> bool {
        self.tracks.values().any(Track::is_being_read)
    }

    /// Where those stand that are begun.
    pub(super) fn positions(&self) -> Positions {
        let tracks = self.tracks.values();
        tracks.map(|track| (track.partition().clone(), track.position().clone())).collect()
    }

    /// What is known of those that are begun, in order. Where every file holds the watermark from the start, one of those
    /// that wait stands for all of them.
    pub(super) fn progress(&self, into: &mut Vec<PartitionProgress>) {
        into.clear();
        into.extend(self.tracks.values().map(Track::progress));
        into.extend(self.ended.iter().cloned());
        // While a file waits the input has not ended, whatever all others have.
        let is_needed = self.order == FileOrder::Unordered || into.iter().all(|one| one.ended);
        if is_needed && let Some(stream) = self.waiting.keys().next() {
            into.push(PartitionProgress {
                partition: partition(stream),
                read_to: None,
                end_offset: Some(NextOffset::START.get()),
                caught_up: false,
                looked_at: None,
                ended: false,
            });
        }
        into.sort_by(|one, other| one.partition.cmp(&other.partition));
    }
}

pub(super) fn partition(stream: &Arc<str>) -> Partition {
    Partition { stream: Arc::clone(stream), number: 0 }
}
