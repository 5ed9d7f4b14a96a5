//! Reads what a checkpoint stored of a lane's state, field by field.

/// Bytes that are no state blob of this version.
#[derive(Debug, thiserror::Error)]
#[error("state blob is damaged at byte {at}: {what}")]
pub struct SnapshotError {
    /// Offset in the blob as it was before compression.
    pub at: usize,
    /// What the layout has there, for the message.
    pub what: &'static str,
}

/// Reads from the beginning to the end. What is damaged is named by what was expected and where.
pub(crate) struct StateReader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> StateReader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(crate) fn take(
        &mut self,
        length: usize,
        what: &'static str,
    ) -> Result<&'b [u8], SnapshotError> {
        let damaged = SnapshotError { at: self.at, what };
        let part = self.bytes.get(self.at..self.at.saturating_add(length)).ok_or(damaged)?;
        self.at += length;
        Ok(part)
    }

    /// As many bytes as the array has.
    pub(crate) fn array<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<[u8; N], SnapshotError> {
        let part = self.take(N, what)?;
        Ok(part.try_into().expect("took as many bytes as the array has"))
    }

    /// Bytes behind their length of four bytes.
    pub(crate) fn sized(&mut self, what: &'static str) -> Result<&'b [u8], SnapshotError> {
        let length = u32::from_le_bytes(self.array(what)?);
        self.take(length as usize, what)
    }
}
