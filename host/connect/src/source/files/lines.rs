//! Bytes of a file → runs of whole lines, without copying them.

use std::mem;

use sluicegate_model::varlen::Varlen;

use super::buffers::Buffers;
use super::line_ends::each_line_end;
use super::read::{CHUNK_BYTES, HEAD_BYTES};

/// A longer line is not read whole: no JSON object of an event stream is a tenth of this, and memory has an end.
pub const LINE_BYTES_MAX: usize = 16 << 20;

/// What is handed on of such a line: enough to recognise it in the dead-letter table, where it ends, because its JSON
/// is cut off.
pub const LINE_BYTES_KEPT: usize = 64 << 10;

const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// A run of whole lines of a track.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lines {
    /// Each with its line end; blank lines belong to a neighbour.
    pub(super) values: Varlen,
    pub(super) offsets: Vec<i64>,
    /// Where the first line behind these begins.
    pub(super) next: i64,
}

/// Cuts what is read into lines. Whoever reads appends to [`LineCutter::buffer`], has it searched while the bytes are at
/// hand, and takes the lines by [`LineCutter::cut`].
#[derive(Default)]
pub(super) struct LineCutter {
    /// From the beginning of a line on, and where lines end among what was searched.
    read: Varlen,
    buffers: Buffers,
    /// Where the line at the beginning of the buffer begins.
    start: i64,
    /// Where the first line begins that is not blank, by what was searched.
    first: u32,
    /// So many bytes were searched.
    searched: usize,
    /// Bytes of the first line that were dropped because it is over-long; they stood at `LINE_BYTES_KEPT`.
    dropped: usize,
    /// A file begins with the buffer, and nothing of it was searched yet.
    begins: bool,
    head: Option<Vec<u8>>,
}

impl LineCutter {
    /// A cutter for the bytes from `start` on, where a line begins, and perhaps a file.
    pub(super) fn new(start: i64, begins: bool, buffers: Buffers) -> Self {
        let read = buffers.take();
        Self { read, buffers, start, first: 0, searched: 0, dropped: 0, begins, head: None }
    }

    /// Where the first line begins that was not given out yet.
    pub(super) fn start(&self) -> i64 {
        self.start
    }

    /// The bytes from there on.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.read.bytes
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.read.bytes.len()
    }

    /// How many more make a chunk; as many as one if that is not enough for a line.
    pub(super) fn room(&self) -> usize {
        let room = CHUNK_BYTES.saturating_sub(self.len());
        if room > 0 { room } else { CHUNK_BYTES }
    }

    /// Whether a file begins here, of which nothing was searched yet.
    pub(super) fn begins(&self) -> bool {
        self.begins
    }

    /// The beginning of the file, up to [`HEAD_BYTES`]; once, after it was searched.
    pub(super) fn take_head(&mut self) -> Option<Vec<u8>> {
        self.head.take()
    }

    /// Finds the lines among the bytes that have come. The first bytes of a file are left until they say how it begins.
    pub(super) fn search(&mut self) {
        let is_short = self.len() < HEAD_BYTES && !self.read.bytes.contains(&b'\n');
        if self.begins && is_short {
            return;
        }
        self.begin();
        self.drop_end_of_over_long();
        let mut line = self.searched_to();
        let Self { read: Varlen { offsets: ends, bytes }, first, searched, .. } = self;
        each_line_end(bytes, *searched, |end| {
            end_line(bytes, line, end, ends, first);
            line = end;
        });
        *searched = bytes.len();
    }

    /// The whole lines in the buffer; the rest stays, in another one. None if there is no line end.
    pub(super) fn cut(&mut self) -> Option<Lines> {
        self.search();
        let end = self.searched_to();
        if end == 0 {
            self.drop_excess();
            return None;
        }
        let mut rest = self.buffers.take();
        rest.bytes.extend_from_slice(&self.read.bytes[end..]);
        self.read.bytes.truncate(end);
        Some(self.give_out(rest))
    }

    /// The last line of a file that does not end in a line end; none if there is none.
    pub(super) fn finish(&mut self) -> Option<Lines> {
        if self.read.bytes.is_empty() {
            return None;
        }
        self.begin();
        self.search();
        let line = self.searched_to();
        let Self { read: Varlen { offsets: ends, bytes }, first, .. } = self;
        if line < bytes.len() {
            end_line(bytes, line, bytes.len(), ends, first);
        }
        Some(self.give_out(Varlen::default()))
    }

    /// Nothing more will come: gives the buffer back.
    pub(super) fn end(&mut self) {
        self.buffers.give(mem::take(&mut self.read));
    }

    /// Keeps the beginning of a file, and makes a byte-order mark there white space.
    fn begin(&mut self) {
        let bytes = &mut self.read.bytes;
        if bytes.is_empty() || !mem::take(&mut self.begins) {
            return;
        }
        self.head = Some(bytes[..bytes.len().min(HEAD_BYTES)].to_vec());
        if bytes.starts_with(BYTE_ORDER_MARK) {
            bytes[..BYTE_ORDER_MARK.len()].fill(b' ');
        }
    }

    /// Where the last line ends that was found; 0 if there is none.
    fn searched_to(&self) -> usize {
        match &*self.read.offsets {
            [_, .., last] => *last as usize,
            _ => self.first as usize,
        }
    }

    /// The end of a line whose middle was dropped goes as well, or both would be read as one shorter line.
    fn drop_end_of_over_long(&mut self) {
        if self.dropped > 0
            && self.searched_to() == 0
            && let Some(end) = memchr::memchr(b'\n', &self.read.bytes[self.searched..])
        {
            let end = self.searched + end;
            self.read.bytes.drain(LINE_BYTES_KEPT..end);
            self.dropped += end - LINE_BYTES_KEPT;
            self.searched = LINE_BYTES_KEPT;
        }
    }

    /// Of a line that is already too long only its beginning is kept.
    fn drop_excess(&mut self) {
        if self.dropped > 0 || self.len() > LINE_BYTES_MAX {
            self.dropped += self.len().saturating_sub(LINE_BYTES_KEPT);
            self.read.bytes.truncate(LINE_BYTES_KEPT);
            self.searched = self.len();
        }
    }

    /// The lines of the buffer, which was searched and ends with the last. `rest` takes its place: the beginning of the
    /// next line.
    fn give_out(&mut self, rest: Varlen) -> Lines {
        let values = mem::replace(&mut self.read, rest);
        let first = i64::from(mem::take(&mut self.first));
        let dropped = i64::try_from(mem::take(&mut self.dropped)).expect("less than the file");
        let start = self.start;
        // What was dropped belongs to the line at the beginning.
        let of_first = if first == 0 { start } else { start + dropped + first };
        let behind = |end: &u32| start + dropped + i64::from(*end);
        let mut offsets = Vec::with_capacity(values.len());
        if let [_, others @ .., _] = &*values.offsets {
            offsets.push(of_first);
            offsets.extend(others.iter().map(behind));
        }
        self.start = behind(&short(values.bytes.len()));
        self.searched = self.len();
        Lines { values, offsets, next: self.start }
    }
}

/// A line ends that begins at `line`. White space around a record is allowed, so a blank line may belong to the one
/// before it; at the beginning it belongs to the one behind it, whose bytes begin where the last value ends.
#[inline(always)]
fn end_line(bytes: &[u8], line: usize, end: usize, ends: &mut Vec<u32>, first: &mut u32) {
    // Most lines begin with a bracket, and no more of them is looked at here.
    let is_blank = is_space(bytes[line]) && bytes[line..end].iter().all(|byte| is_space(*byte));
    match (is_blank, &mut **ends) {
        (false, _) => ends.push(short(end)),
        (true, [_, .., last]) => *last = short(end),
        (true, _) => *first = short(end),
    }
}

/// What JSON takes for white space: no form feed, which a neighbour of its line would be spoilt by.
#[inline(always)]
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn short(offset: usize) -> u32 {
    u32::try_from(offset).expect("a buffer holds a chunk and one line, far below 4 GiB")
}

impl Lines {
    /// The lines `from..to` by themselves, copied.
    pub(super) fn copy(&self, from: usize, to: usize) -> Self {
        let start = self.values.offsets[from];
        let end = self.values.offsets[to];
        let offsets = self.values.offsets[from..=to].iter().map(|offset| offset - start).collect();
        let bytes = self.values.bytes[start as usize..end as usize].to_vec();
        Self {
            values: Varlen { offsets, bytes },
            offsets: self.offsets[from..to].to_vec(),
            next: self.offsets.get(to).copied().unwrap_or(self.next),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.offsets.len()
    }
}
