//! Appends what a request is made of.

/// A request that is being written, behind room for its length.
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

/// Bytes of the length before a request.
const LENGTH: usize = 4;

impl Writer {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; LENGTH] }
    }

    pub(crate) fn int8(&mut self, value: i8) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(crate) fn int16(&mut self, value: i16) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(crate) fn int32(&mut self, value: i32) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(crate) fn int64(&mut self, value: i64) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Text as the heads of requests have it. What is longer than Kafka takes is cut.
    pub(crate) fn text(&mut self, text: &str) {
        let length = text.len().min(i16::MAX as usize);
        self.int16(i16::try_from(length).unwrap_or(i16::MAX));
        self.raw(&text.as_bytes()[..length]);
    }

    /// Text as bodies have it.
    pub(crate) fn compact_text(&mut self, text: &str) {
        self.count(text.len());
        self.raw(text.as_bytes());
    }

    /// How many elements, or bytes, follow.
    pub(crate) fn count(&mut self, count: usize) {
        let mut rest = count as u64 + 1;
        while rest >= 0x80 {
            self.bytes.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
    }

    pub(crate) fn no_tags(&mut self) {
        self.int8(0);
    }

    /// The request behind its length.
    pub(crate) fn framed(mut self) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len() - LENGTH).unwrap_or(u32::MAX);
        self.bytes[..LENGTH].copy_from_slice(&length.to_be_bytes());
        self.bytes
    }
}
