//! Byte strings of different lengths, one behind the other in one arena.

/// `value(i)` is `bytes[offsets[i]..offsets[i + 1]]`; there is one offset more than values, the first is 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Varlen {
    /// Where each value begins, and where the last ends. Ascending.
    pub offsets: Vec<u32>,
    /// The values, one behind the other.
    pub bytes: Vec<u8>,
}

impl Default for Varlen {
    fn default() -> Self {
        Self { offsets: vec![0], bytes: Vec::new() }
    }
}

impl Varlen {
    /// Nothing, with room for `values` values of together `bytes` bytes.
    pub fn with_capacity(values: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(values + 1);
        offsets.push(0);
        Self { offsets, bytes: Vec::with_capacity(bytes) }
    }

    /// How many values there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Value `index`. Panics beyond the last.
    #[inline]
    pub fn value(&self, index: usize) -> &[u8] {
        &self.bytes[self.offsets[index] as usize..self.offsets[index + 1] as usize]
    }

    /// Appends a value. The arena must stay below 4 GiB; who fills it bounds it far below that.
    #[inline]
    pub fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.end_value();
    }

    /// Ends the value whose bytes were appended to `bytes` since the last.
    #[inline]
    pub fn end_value(&mut self) {
        let end = u32::try_from(self.bytes.len()).expect("arenas are bounded far below 4 GiB");
        self.offsets.push(end);
    }

    /// Removes all values and keeps the memory.
    pub fn clear(&mut self) {
        self.offsets.truncate(1);
        self.bytes.clear();
    }

    /// The values in their order, each borrowed from one buffer.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.value(index))
    }
}

impl<'a> FromIterator<&'a [u8]> for Varlen {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(values: I) -> Self {
        let mut varlen = Self::default();
        for value in values {
            varlen.push(value);
        }
        varlen
    }
}
