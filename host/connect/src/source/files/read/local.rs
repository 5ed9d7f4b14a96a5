//! A local file, read and cut into lines by one thread, which may block.
//!
//! Lines are found piece by piece, as long as what was read lies in the processor's cache.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::panic::resume_unwind;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::{CHUNK_BYTES, ReadError};
use crate::source::files::lines::{LineCutter, Lines};

/// Bytes that are read before they are searched.
const PIECE_BYTES: usize = 256 << 10;

/// A local file that is being read.
pub(super) struct LocalFile {
    file: File,
    left: u64,
}

impl LocalFile {
    /// The `left` bytes from `from` on.
    pub(super) fn open(mut file: File, from: u64, left: u64) -> Result<Self, ReadError> {
        file.seek(SeekFrom::Start(from)).map_err(io_error)?;
        Ok(Self { file, left })
    }

    /// Into how many chunks the rest goes, at least: one at the end.
    pub(super) fn chunks_left(&self) -> usize {
        usize::try_from(self.left / CHUNK_BYTES as u64).unwrap_or(usize::MAX).saturating_add(1)
    }

    /// Reads up to `most` chunks and cuts them into runs of lines: fewer where a line is longer than a chunk.
    /// `is_behind_line`: the first byte must be a line end, which is passed over. False: the file has ended, and what is left
    /// of it stays in the cutter.
    pub(super) fn cut_some(
        &mut self,
        cutter: &mut LineCutter,
        is_behind_line: bool,
        most: usize,
    ) -> Result<(Vec<Lines>, bool), ReadError> {
        if is_behind_line {
            let mut byte = Vec::with_capacity(1);
            self.read_behind(&mut byte, 1)?;
            byte.first().map_or(Ok(()), |byte| begins_behind_a_line(*byte))?;
        }
        let (mut lines, mut goes_on) = (Vec::with_capacity(most), true);
        for _ in 0..most {
            goes_on = self.fill(cutter)?;
            lines.extend(cutter.cut());
            if !goes_on {
                break;
            }
        }
        Ok((lines, goes_on))
    }

    /// Reads as much as makes a chunk, and has each piece searched. False: the file has ended.
    fn fill(&mut self, cutter: &mut LineCutter) -> Result<bool, ReadError> {
        let mut room = cutter.room();
        while room > 0 {
            let read = self.read_behind(cutter.buffer(), room.min(PIECE_BYTES))?;
            if read == 0 {
                return Ok(false);
            }
            cutter.search();
            room -= read;
        }
        Ok(self.left > 0)
    }

    /// The next chunk as it is stored; empty at the end.
    pub(super) fn next(&mut self) -> Result<Bytes, ReadError> {
        let mut buffer = Vec::with_capacity(CHUNK_BYTES);
        self.read_behind(&mut buffer, CHUNK_BYTES)?;
        Ok(Bytes::from(buffer))
    }

    fn read_behind(&mut self, buffer: &mut Vec<u8>, most: usize) -> Result<usize, ReadError> {
        let mut part = (&self.file).take(self.left.min(most as u64));
        let read = part.read_to_end(buffer).map_err(io_error)?;
        self.left -= read as u64;
        Ok(read)
    }

    /// Everything that was listed was there; how long the file is now.
    pub(super) fn check_end(&self, size: u64) -> Result<u64, ReadError> {
        let now = self.file.metadata().map_err(io_error)?.len();
        if self.left > 0 { Err(ReadError::Shrunk(size - self.left)) } else { Ok(now) }
    }
}

/// Has a thread work that may block, or take its time. If it panics, so does whoever waits for it.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ReadError> {
    spawn_blocking(work).await.map_err(|error| match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        // There is no runtime any more.
        Err(_) => ReadError::Closed,
    })
}

/// Looks at the byte before those that go on where reading has stopped.
pub(super) fn begins_behind_a_line(byte: u8) -> Result<(), ReadError> {
    if byte == b'\n' {
        return Ok(());
    }
    let reason = "the line that was read as its last was continued, or its beginning was changed; a line counts without a \
                  line end if nothing is written behind it any more";
    Err(ReadError::Lost(reason.to_owned()))
}

fn io_error(error: io::Error) -> ReadError {
    ReadError::Store(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn whoever_waits_for_a_thread_that_panics_panics_as_well() {
        let work: fn() = || panic!("as the test asks");
        assert!(AssertUnwindSafe(aside(work)).catch_unwind().await.is_err());
    }
}
