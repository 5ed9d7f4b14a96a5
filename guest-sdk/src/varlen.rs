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
        append(&mut self.bytes, value);
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

/// Appends a value, and a short one without a copy of unknown length: in a plugin that is a call out of the sandbox, which
/// takes longer than the few words of most texts.
#[inline]
fn append(bytes: &mut Vec<u8>, value: &[u8]) {
    match value.len() {
        0 => {}
        1..4 => value.iter().for_each(|byte| bytes.push(*byte)),
        4..8 => append_twice::<4>(bytes, value),
        8..16 => append_twice::<8>(bytes, value),
        16..=32 => append_twice::<16>(bytes, value),
        _ => bytes.extend_from_slice(value),
    }
}

/// Appends `N` to `2 * N` bytes as the first `N` and the last `N`, which may overlap.
#[inline]
fn append_twice<const N: usize>(bytes: &mut Vec<u8>, value: &[u8]) {
    let (Some(first), Some(last)) = (value.first_chunk::<N>(), value.last_chunk::<N>()) else {
        return bytes.extend_from_slice(value);
    };
    let end = bytes.len() + value.len();
    bytes.extend_from_slice(first);
    bytes.extend_from_slice(last);
    bytes[end - N..end].copy_from_slice(last);
    bytes.truncate(end);
}

/// A position as the contract writes it. Traps beyond 4 GiB, which a 32-bit memory cannot hold.
#[inline]
pub(crate) fn offset(position: usize) -> u32 {
    u32::try_from(position).expect("positions fit 32 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_length_stand_behind_one_another() {
        let mut values = Varlen::new();
        let value = |length: u8| (0..length).map(|at| length ^ at.rotate_left(3)).collect();
        let expected: Vec<Vec<u8>> = (0..80).chain((0..80).rev()).map(value).collect();
        expected.iter().for_each(|value| values.push(value));
        assert!(values.borrow().iter().eq(expected.iter().map(Vec::as_slice)));
        assert_eq!(values.bytes, expected.concat());
    }
}
