//! A track: what is one partition of a file source. One file, or all of them one behind the other.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::lines::Lines;
use super::list::{FileEntry, Packing, checksum, checksum_of, checksum_open};
use super::read::{Done, FilePart, HEAD_BYTES, LastLine};
use crate::source::{Absent, PartitionProgress, RecordBlock, SourceError};
use sluicegate_model::position::{NextOffset, Partition, Position};

/// Files that are read one behind the other as one partition; offsets count the bytes of all of them, unpacked.
pub(super) struct Track {
    partition: Partition,
    parts: Vec<FilePart>,
    position: Position,
    /// Positions name the files they have passed, because one file is not enough to tell.
    is_sequence: bool,
    /// Nothing is waited for: what was listed is all there is.
    is_bounded: bool,
    /// There may be something that nobody reads yet.
    unread: bool,
    /// The lane does not want it for now.
    is_paused: bool,
    /// The lane was told at the end of a poll that it has ended.
    is_told: bool,
    /// Counts its readers, so that what one that was called off had sent before is known.
    run: u64,
    reader: Option<AbortHandle>,
    /// The beginning of its one file, as far as it was read.
    head: Vec<u8>,
    /// Where its file ends, if no listing says that: a packed one is unpacked to its end, until it changes, and one that is
    /// gone ended where reading stands.
    known_end: Option<i64>,
    /// Bytes of a last line that waits for its end.
    unended: u64,
    /// It is packed, and its end is missing.
    is_cut_off: bool,
    /// When it was last seen to grow, or found.
    quiet_since: Duration,
}

impl Track {
    /// A track of one file.
    pub(super) fn of_file(file: FileEntry, is_bounded: bool, now: Duration) -> Self {
        let mut track = Self::new(Arc::clone(&file.stream), false, is_bounded, now);
        track.append(file);
        track
    }

    /// A track of a file that was read whole before it was removed. It may come back.
    pub(super) fn of_gone(partition: &Partition, position: &Position, now: Duration) -> Self {
        let mut track = Self::new(Arc::clone(&partition.stream), false, false, now);
        track.position = Position { ended: false, ..position.clone() };
        track.known_end = Some(position.next_offset.get());
        track
    }

    /// A track for all files below `name`, still without any.
    pub(super) fn of_all(name: &Arc<str>, is_bounded: bool, now: Duration) -> Self {
        Self::new(Arc::clone(name), true, is_bounded, now)
    }

    fn new(stream: Arc<str>, is_sequence: bool, is_bounded: bool, now: Duration) -> Self {
        Self {
            partition: Partition { stream, number: 0 },
            parts: Vec::new(),
            position: Position::at(NextOffset::START),
            is_sequence,
            is_bounded,
            unread: false,
            is_paused: false,
            is_told: false,
            run: 0,
            reader: None,
            head: Vec::new(),
            known_end: None,
            unended: 0,
            is_cut_off: false,
            quiet_since: now,
        }
    }

    /// Puts a file behind the others.
    pub(super) fn append(&mut self, file: FileEntry) {
        let (start, before) = self.parts.last().map_or((0, 0), |part| (part.end, part.checksum));
        self.parts.push(part(file, start, before));
        self.unread = true;
        self.note_end();
    }

    /// Takes note of what its last file is now, which may have been gone.
    ///
    /// # Errors
    /// [`SourceError::Lost`] if it is shorter than what was read of it.
    pub(super) fn update(&mut self, file: FileEntry, now: Duration) -> Result<(), SourceError> {
        if self.parts.last().is_some_and(|last| last.file == file) {
            return Ok(());
        }
        let start = self.parts.pop().map_or(0, |last| last.start);
        let before = self.parts.last().map_or(0, |part| part.checksum);
        let part = part(file, start, before);
        let (size, next) = (part.end, self.position.next_offset.get());
        let is_packed = part.file.packing != Packing::Plain;
        self.parts.push(part);
        (self.unread, self.quiet_since, self.known_end) = (true, now, None);
        self.note_end();
        if size < next && !is_packed { Err(self.too_short(next)) } else { Ok(()) }
    }

    pub(super) fn partition(&self) -> &Partition {
        &self.partition
    }

    pub(super) fn position(&self) -> &Position {
        &self.position
    }

    pub(super) fn parts(&self) -> &[FilePart] {
        &self.parts
    }

    fn is_plain(&self) -> bool {
        self.parts.iter().all(|part| part.file.packing == Packing::Plain)
    }

    /// Bytes of all files; none if one is packed and nobody has come to its end yet.
    fn size(&self) -> Option<i64> {
        match self.parts.last() {
            Some(last) if self.is_plain() => Some(last.end),
            None if self.is_sequence => Some(0),
            _ => self.known_end,
        }
    }

    /// Goes on at a position of an earlier run.
    ///
    /// # Errors
    ///
    /// [`SourceError::Lost`] if the files are not those that led to this position.
    pub(super) fn resume(&mut self, position: &Position) -> Result<(), SourceError> {
        let next = position.next_offset.get();
        if self.size().is_some_and(|size| next > size) {
            return Err(self.too_short(next));
        }
        if self.is_sequence && !self.checksums_before(next).contains(&position.leader_epoch) {
            let reason = "the files before it are not those that were read, by name and size";
            return Err(self.lost(next, reason.to_owned()));
        }
        self.position = position.clone();
        self.position.ended = false;
        if self.is_plain() {
            self.note_end();
        }
        // Read to its end before: of a file that may grow the beginning is looked at.
        self.unread = !(self.is_bounded && self.is_handed_on());
        Ok(())
    }

    fn too_short(&self, next: i64) -> SourceError {
        let size = self.size().unwrap_or(0);
        self.lost(next, format!("there are only {size} bytes now, a file must not become shorter"))
    }

    pub(super) fn lost(&self, offset: i64, reason: String) -> SourceError {
        lost(&self.partition, offset, &reason)
    }

    /// Of the files that begin before `next`: the last of them by its name alone, as it is written, or also by its size, as
    /// it was written while no file could grow.
    fn checksums_before(&self, next: i64) -> [Option<i32>; 2] {
        let part = self.parts.iter().rev().find(|part| part.start < next);
        [part.map(|part| part.checksum_open), part.map(|part| part.checksum)]
    }

    /// What the position says of the files behind it.
    fn checksum_before(&self, next: i64) -> Option<i32> {
        if self.is_sequence {
            return self.checksums_before(next)[0];
        }
        let known = usize::try_from(next).unwrap_or(usize::MAX).min(HEAD_BYTES);
        self.head.get(..known).filter(|known| !known.is_empty()).map(checksum_of)
    }

    /// The checksum of the beginning of the one file that a reader must find.
    pub(super) fn head_checksum(&self) -> Option<i32> {
        if self.is_sequence { None } else { self.position.leader_epoch }
    }

    pub(super) fn learn_head(&mut self, head: Vec<u8>) {
        self.head = head;
    }

    /// What a reader does with a last line that has no line end.
    pub(super) fn last_line(&self) -> LastLine {
        if self.is_bounded { LastLine::Counts } else { LastLine::Waits }
    }

    pub(super) fn is_sequence(&self) -> bool {
        self.is_sequence
    }

    /// Whether somebody should read it and nobody does.
    pub(super) fn wants_reader(&self) -> bool {
        self.unread && self.reader.is_none() && !self.is_paused
    }

    /// Whether something of it is still to be read, by a reader there is or will be.
    pub(super) fn is_busy(&self) -> bool {
        !self.is_paused && !self.is_caught_up()
    }

    /// A reader is about to begin; its number.
    pub(super) fn begin_reading(&mut self) -> u64 {
        self.unread = false;
        self.run += 1;
        self.run
    }

    /// The reader that has just begun.
    pub(super) fn is_read_by(&mut self, reader: AbortHandle) {
        self.reader = Some(reader);
    }

    /// Whether the reader of this number is the one that reads now, and not one that was called off.
    pub(super) fn listens_to(&self, run: u64) -> bool {
        self.reader.is_some() && self.run == run
    }

    /// Whether a reader has begun, and has not ended.
    pub(super) fn is_being_read(&self) -> bool {
        self.reader.is_some()
    }

    /// Stops or allows reading. A reader is called off, because one that waits would keep others from reading; the
    /// next one begins behind the last line that was handed on.
    pub(super) fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
        if is_paused && let Some(reader) = self.reader.take() {
            reader.abort();
            self.unread |= !(self.is_bounded && self.is_handed_on());
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Moves the position behind these lines; the block if there are any.
    pub(super) fn take(&mut self, lines: Lines) -> Option<RecordBlock> {
        self.advance(lines.next);
        let block = RecordBlock {
            partition: self.partition.clone(),
            values: Arc::new(lines.values),
            no_value: Absent::default(),
            keys: None,
            no_key: Absent::default(),
            offsets: lines.offsets,
            timestamps: None,
            headers: None,
            next: self.position.clone(),
        };
        (!block.is_empty()).then_some(block)
    }

    /// A reader has come to the end of what it was given: behind the last line lies only what is no record, or none yet.
    pub(super) fn finish(&mut self, done: Done) {
        self.reader = None;
        (self.unended, self.is_cut_off) = (done.unended, done.is_cut_off);
        if !done.is_cut_off && !self.unread {
            self.known_end = Some(done.read_to);
        }
        self.advance(done.read_to);
    }

    fn advance(&mut self, next: i64) {
        let (to, checksum) = (NextOffset::at(next), self.checksum_before(next));
        // A reader that did not come as far as the position has not learnt how the file begins: what was known holds.
        if checksum.is_some() || to != self.position.next_offset {
            self.position.leader_epoch = checksum;
        }
        self.position.next_offset = to;
        self.position.ended = self.is_ended();
        self.note_end();
    }

    /// Whoever finds the file gone can tell whether anything of it was left.
    fn note_end(&mut self) {
        self.position.end_offset = self.size().filter(|_| !self.is_bounded);
    }

    /// Whether everything that was listed has been handed on, but for a last line without an end. Of what ends with that
    /// the reader has said its last word: it may know of more.
    pub(super) fn is_caught_up(&self) -> bool {
        self.is_read() || (!self.is_bounded && self.is_handed_on())
    }

    /// Whether a reader has come to the end of what was listed.
    fn is_read(&self) -> bool {
        !self.unread && self.reader.is_none()
    }

    /// Whether the position is the end, as far as that is known.
    fn is_handed_on(&self) -> bool {
        self.size() == Some(self.position.next_offset.get())
    }

    /// Whether something of its file was seen that nobody has read and nobody reads. If that is gone, it is lost.
    pub(super) fn has_left_something(&self) -> bool {
        self.reader.is_none() && !self.is_handed_on()
    }

    /// The lane is told how it stands.
    pub(super) fn tell(&mut self) {
        self.is_told = self.is_ended();
    }

    /// Whether it has ended, and the lane knows. It may end by a pause, of which the lane hears with the next poll only.
    pub(super) fn is_told_ended(&self) -> bool {
        self.is_told && self.is_ended()
    }

    /// Whether nothing will follow: all was read, and nothing is waited for.
    pub(super) fn is_ended(&self) -> bool {
        self.is_bounded && self.is_caught_up()
    }

    /// It was read to its end and has not grown for so long: nothing more is waited for. Warns of a line, or of an
    /// archive, that never ended.
    pub(super) fn close_if_quiet(&mut self, now: Duration, finish_after: Duration) {
        // One that nobody has looked at since it changed, or since the start, may be another one.
        if !self.is_read() || now.saturating_sub(self.quiet_since) < finish_after {
            return;
        }
        if self.is_cut_off {
            tracing::warn!(
                file = &*self.partition.stream,
                "its end is missing, and nothing came for {finish_after:?}: what could be unpacked is read, and nothing more; it was \
                 cut off: give the whole file a new name"
            );
        }
        if self.unended > 0 {
            tracing::warn!(
                file = &*self.partition.stream,
                "its last line has no line end and is not read: {} bytes",
                self.unended
            );
        }
        self.is_bounded = true;
        self.position.ended = self.is_ended();
    }

    pub(super) fn progress(&self) -> PartitionProgress {
        PartitionProgress {
            partition: self.partition.clone(),
            read_to: Some(self.position.clone()),
            end_offset: self
                .size()
                .or_else(|| self.is_caught_up().then(|| self.position.next_offset.get())),
            caught_up: self.is_caught_up() && !self.is_paused,
            looked_at: None,
            ended: self.is_ended(),
        }
    }
}

/// What was there when the files were listed is read. Where they are watched, what is added later is read of those that nothing
/// follows, as long as they are waited for.
pub(super) fn warn_of_growth(file: &str, bytes: u64, is_watched: bool) {
    let fix = match is_watched {
        false => "with `watch` what is added to files is followed",
        true => {
            "a file must not grow behind which others are read, or which was quiet for `finish_after`"
        }
    };
    tracing::warn!(file, "grew after it was listed: {bytes} bytes of it are not read; {fix}");
}

/// A position that leads nowhere: what was read of the file, and what comes behind, can only be told by a person.
pub(super) fn lost(partition: &Partition, offset: i64, reason: &str) -> SourceError {
    SourceError::Lost(format!(
        "the position in `{}` is lost, byte {offset}: {reason}; put the file back as it was, or begin from scratch with `sluicegate reset`",
        partition.stream
    ))
}

fn part(file: FileEntry, start: i64, before: i32) -> FilePart {
    let size = i64::try_from(file.size).unwrap_or(i64::MAX);
    let (sized, open) = (checksum(before, &file), checksum_open(before, &file));
    FilePart { file, start, end: start.saturating_add(size), checksum: sized, checksum_open: open }
}
