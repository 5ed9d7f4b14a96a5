//! Values of different lengths behind one another, as the contract's `varlen` has them.

/// Values of different lengths: value `i` is `bytes[offsets[i] .. offsets[i + 1]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Varlen {
    /// One more than values; the first is 0.
    pub offsets: Vec<u32>,
    /// All values.
    pub bytes: Vec<u8>,
}

/// Borrowed values of different lengths: value `i` is `bytes[offsets[i] .. offsets[i + 1]]`.
#[derive(Clone, Copy, Debug)]
pub struct VarlenRef<'a> {
    /// One more than values; the first is 0.
    pub offsets: &'a [u32],
    /// All values.
    pub bytes: &'a [u8],
}

impl Varlen {
    /// No values.
    pub fn new() -> Self {
        Self { offsets: vec![0], bytes: Vec::new() }
    }

    /// Room for `values` values of `bytes` bytes together.
    pub(crate) fn with_capacity(values: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(values + 1);
        offsets.push(0);
        Self { offsets, bytes: Vec::with_capacity(bytes) }
    }

    /// Appends a value. Traps beyond 4 GiB, far above what a host takes back.
    #[inline]
    pub fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.end_value();
    }

    /// What was appended to `bytes` since the last value is a value.
    #[inline]
    pub(crate) fn end_value(&mut self) {
        self.offsets.push(offset(self.bytes.len()));
    }

    /// Forgets all values but the first `values`.
    pub(crate) fn truncate(&mut self, values: usize) {
        self.offsets.truncate(values + 1);
        let end = *self.offsets.last().expect("there is one offset more than values");
        self.bytes.truncate(end as usize);
    }

    /// The same values, borrowed.
    pub fn borrow(&self) -> VarlenRef<'_> {
        VarlenRef { offsets: &self.offsets, bytes: &self.bytes }
    }
}

impl Default for Varlen {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> VarlenRef<'a> {
    /// How many values there are.
    pub fn len(self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The values in order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.offsets.windows(2).map(move |ends| &self.bytes[ends[0] as usize..ends[1] as usize])
    }

    /// Value `index`, which is less than the length.
    pub fn get(self, index: usize) -> &'a [u8] {
        &self.bytes[self.offsets[index] as usize..self.offsets[index + 1] as usize]
    }
}

/// A position as the contract writes it. Traps beyond 4 GiB, which a 32-bit memory cannot hold.
#[inline]
pub(crate) fn offset(position: usize) -> u32 {
    u32::try_from(position).expect("positions fit 32 bits")
}
