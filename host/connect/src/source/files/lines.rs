//! Bytes of a file → runs of whole lines, without copying them.

use sluicegate_model::varlen::Varlen;

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

/// Cuts what is read into lines. `buffer` holds the bytes from the beginning of a line on; whoever reads appends to
/// it and calls [`LineCutter::cut`].
pub(super) struct LineCutter {
    pub(super) buffer: Vec<u8>,
    /// Where the line at the beginning of `buffer` begins.
    start: i64,
    /// So much of `buffer` was searched, and holds no line end.
    searched: usize,
    /// Bytes of the first line that were dropped because it is over-long; they stood at `LINE_BYTES_KEPT`.
    dropped: usize,
}

impl LineCutter {
    /// A cutter for the bytes from `start` on, where a line begins, with room for `capacity` of them.
    pub(super) fn new(start: i64, capacity: usize) -> Self {
        Self { buffer: Vec::with_capacity(capacity), start, searched: 0, dropped: 0 }
    }

    /// Where the first line begins that was not given out yet.
    pub(super) fn start(&self) -> i64 {
        self.start
    }

    /// Makes a byte-order mark at the beginning of a file white space.
    pub(super) fn blank_byte_order_mark(&mut self) {
        if self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.buffer[..BYTE_ORDER_MARK.len()].fill(b' ');
        }
    }

    /// The whole lines in the buffer; the rest stays, in a new buffer with room for `capacity` more bytes. None if
    /// there is no line end.
    pub(super) fn cut(&mut self, capacity: usize) -> Option<Lines> {
        self.drop_end_of_over_long();
        let Some(last) = memchr::memrchr(b'\n', &self.buffer[self.searched..]) else {
            self.drop_excess();
            self.searched = self.buffer.len();
            self.buffer.reserve(capacity);
            return None;
        };
        let end = self.searched + last + 1;
        let mut rest = Vec::with_capacity(capacity + self.buffer.len() - end);
        rest.extend_from_slice(&self.buffer[end..]);
        self.buffer.truncate(end);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        Some(self.split(bytes))
    }

    /// The last line of a file that does not end in a line end; none if there is none.
    pub(super) fn finish(&mut self) -> Option<Lines> {
        if self.buffer.is_empty() {
            return None;
        }
        let bytes = std::mem::take(&mut self.buffer);
        Some(self.split(bytes))
    }

    /// The end of a line whose middle was dropped goes as well, or both would be read as one shorter line.
    fn drop_end_of_over_long(&mut self) {
        if self.dropped > 0
            && let Some(end) = memchr::memchr(b'\n', &self.buffer[self.searched..])
        {
            let end = self.searched + end;
            self.buffer.drain(LINE_BYTES_KEPT..end);
            self.dropped += end - LINE_BYTES_KEPT;
        }
    }

    /// Of a line that is already too long only its beginning is kept.
    fn drop_excess(&mut self) {
        if self.dropped > 0 || self.buffer.len() > LINE_BYTES_MAX {
            self.dropped += self.buffer.len().saturating_sub(LINE_BYTES_KEPT);
            self.buffer.truncate(LINE_BYTES_KEPT);
        }
    }

    /// Splits `bytes`, which begin at `start`, into lines; the next line begins behind them.
    fn split(&mut self, bytes: Vec<u8>) -> Lines {
        // As many lines as there are at 64 bytes a line: few growths for shorter ones, little waste for longer ones.
        let guess = bytes.len() / 64 + 1;
        let mut offsets = Vec::with_capacity(guess);
        let mut ends = Vec::with_capacity(guess + 1);
        ends.push(0);
        let dropped = i64::try_from(self.dropped).expect("files have fewer than 2⁶³ bytes");
        let file_offset = |index: usize| {
            let dropped = if index == 0 { 0 } else { dropped };
            self.start + dropped + i64::try_from(index).expect("as long as a buffer")
        };
        let mut line = 0;
        for end in memchr::memchr_iter(b'\n', &bytes).map(|at| at + 1).chain(unended(&bytes)) {
            if bytes[line..end].trim_ascii_start().is_empty() {
                // White space around a record is allowed, so a blank line may belong to the one before it; at the
                // beginning it belongs to the one behind it, whose bytes begin where the last value ends.
                if let Some(last) = ends.last_mut().filter(|_| !offsets.is_empty()) {
                    *last = short(end);
                }
            } else {
                offsets.push(file_offset(line));
                ends.push(short(end));
            }
            line = end;
        }
        let next = file_offset(bytes.len());
        self.start = next;
        self.searched = 0;
        self.dropped = 0;
        Lines { values: Varlen { offsets: ends, bytes }, offsets, next }
    }
}

/// The end of a last line without line end.
fn unended(bytes: &[u8]) -> Option<usize> {
    (bytes.last() != Some(&b'\n')).then_some(bytes.len())
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
