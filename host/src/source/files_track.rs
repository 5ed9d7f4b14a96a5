//! A track: what is one partition of a file source. One file, or all of them one behind the other.

use std::sync::Arc;

use tokio::task::AbortHandle;

use super::files_lines::Lines;
use super::files_list::{FileEntry, checksum};
use super::files_read::Part;
use super::{Absent, NextOffset, Partition, PartitionProgress, Position, RecordBlock, SourceError};

/// Files that are read one behind the other as one partition; offsets count the bytes of all of them.
pub(super) struct Track {
    partition: Partition,
    parts: Vec<Part>,
    position: Position,
    /// Positions name the files they have passed, because one file is not enough to tell.
    is_sequence: bool,
    pub(super) reading: Reading,
    /// The lane does not want it for now.
    is_paused: bool,
    /// Counts its readers, so that what one that was called off had sent before is known.
    run: u64,
    reader: Option<AbortHandle>,
    /// Nothing will be added to it.
    pub(super) is_closed: bool,
}

/// How far the reading ahead of a track is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Nobody reads it; there may be something to read.
    Waiting,
    /// A reader is at it.
    Running,
}

impl Track {
    /// A track of one file.
    pub(super) fn of_file(file: FileEntry) -> Self {
        let mut track = Self::new(Arc::clone(&file.stream), false);
        track.append(file);
        track
    }

    /// A track for all files below `name`, still without any.
    pub(super) fn of_all(name: &Arc<str>) -> Self {
        Self::new(Arc::clone(name), true)
    }

    fn new(stream: Arc<str>, is_sequence: bool) -> Self {
        Self {
            partition: Partition { stream, number: 0 },
            parts: Vec::new(),
            position: Position::at(NextOffset::START),
            is_sequence,
            reading: Reading::Waiting,
            is_paused: false,
            run: 0,
            reader: None,
            is_closed: false,
        }
    }

    /// Puts a file behind the others.
    pub(super) fn append(&mut self, file: FileEntry) {
        let (start, before) = self.parts.last().map_or((0, 0), |part| (part.end, part.checksum));
        let size = i64::try_from(file.size).expect("files have fewer than 2⁶³ bytes");
        let checksum = checksum(before, &file);
        self.parts.push(Part { file, start, end: start + size, checksum });
    }

    pub(super) fn partition(&self) -> &Partition {
        &self.partition
    }

    pub(super) fn position(&self) -> &Position {
        &self.position
    }

    /// Its files.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Bytes of all files.
    pub(super) fn size(&self) -> i64 {
        self.parts.last().map_or(0, |part| part.end)
    }

    /// Goes on at a position of an earlier run.
    ///
    /// # Errors
    ///
    /// [`SourceError::PositionLost`] if the files are not those that led to this position.
    pub(super) fn resume(&mut self, position: &Position) -> Result<(), SourceError> {
        let next = position.next_offset.get();
        if next > self.size() {
            let size = self.size();
            return Err(self.lost(next, format!("there are only {size} bytes now")));
        }
        if self.is_sequence && self.checksum_before(next) != position.leader_epoch {
            let reason = "the files before it are not those that were read, by name and size";
            return Err(self.lost(next, reason.to_owned()));
        }
        if position.ended && next < self.size() {
            tracing::warn!(partition = %self.partition, "grew after it was read to its end; the rest is not read");
        }
        self.position = position.clone();
        self.is_closed |= position.ended;
        Ok(())
    }

    pub(super) fn lost(&self, offset: i64, reason: String) -> SourceError {
        SourceError::PositionLost { partition: self.partition.clone(), offset, reason }
    }

    /// Of the files that begin before `next`; none if there is none, or the track is one file.
    fn checksum_before(&self, next: i64) -> Option<i32> {
        let is_passed = |part: &&Part| self.is_sequence && part.start < next;
        self.parts.iter().rev().find(is_passed).map(|part| part.checksum)
    }

    /// Whether somebody should read it and nobody does.
    pub(super) fn wants_reader(&self) -> bool {
        self.reading == Reading::Waiting && !self.is_paused && !self.is_caught_up()
    }

    /// A reader is about to begin; its number.
    pub(super) fn begin_reading(&mut self) -> u64 {
        self.reading = Reading::Running;
        self.run += 1;
        self.run
    }

    /// The reader that has just begun.
    pub(super) fn is_read_by(&mut self, reader: AbortHandle) {
        self.reader = Some(reader);
    }

    /// Whether the reader of this number is the one that reads now, and not one that was called off.
    pub(super) fn listens_to(&self, run: u64) -> bool {
        self.reading == Reading::Running && self.run == run
    }

    /// Stops or allows reading. A reader is called off, because one that waits would keep others from reading; the
    /// next one begins behind the last line that was handed on.
    pub(super) fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
        if is_paused && let Some(reader) = self.reader.take() {
            reader.abort();
            self.reading = Reading::Waiting;
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

    /// A reader has come to the end of what it was given: behind the last line lies only what is no record.
    pub(super) fn finish(&mut self, read_to: i64) {
        self.reading = Reading::Waiting;
        self.reader = None;
        self.advance(read_to);
    }

    /// Something may follow after all.
    pub(super) fn reopen(&mut self) {
        self.is_closed = false;
        self.position.ended = false;
    }

    fn advance(&mut self, next: i64) {
        self.position.next_offset = NextOffset::at(next);
        self.position.leader_epoch = self.checksum_before(next);
        self.position.ended = self.is_ended();
    }

    /// Whether every byte that was listed has been handed on.
    pub(super) fn is_caught_up(&self) -> bool {
        self.position.ended || self.position.next_offset.get() >= self.size()
    }

    /// Whether nothing will follow.
    pub(super) fn is_ended(&self) -> bool {
        self.position.ended || self.is_closed && self.is_caught_up()
    }

    pub(super) fn progress(&self) -> PartitionProgress {
        PartitionProgress {
            partition: self.partition.clone(),
            read_to: None,
            end_offset: Some(self.size()),
            caught_up: self.is_caught_up() && !self.is_paused,
            looked_at: None,
            ended: self.is_ended(),
        }
    }
}
