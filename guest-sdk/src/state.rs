//! The state of an aggregate or a process plugin: how it becomes bytes, and the fingerprint of its layout.
//!
//! The host keeps one accumulator per key and window as bytes. In a call the SDK decodes the accumulators of the
//! groups that the batch touches, once each, lets the aggregate update them, and encodes them again. There are two
//! encodings:
//!
//! * `#[derive(PlainState)]`: numbers at fixed places, little-endian. Decoding is a few loads.
//! * `#[derive(State)]`: any type that serde can write and read, in the `postcard` encoding.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Date, Decimal, Decimal38, Span, Timestamp};

/// The state of one group. Its default is the state of a group without rows.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a state",
    note = "put `#[derive(Default, Clone, Copy, PlainState)]` on a struct of numbers, `#[derive(Default, Serialize, Deserialize, State)]` on any other"
)]
pub trait State: Layout + Default {
    /// Reads a state. No bytes are the default. An error says what is wrong with the bytes.
    fn decode(bytes: &[u8]) -> Result<Self, String>;
    /// Appends the state.
    fn encode(&self, out: &mut Vec<u8>);
    /// Whether a copy costs no more than a few loads, so that one is kept to return to when a row is refused.
    const PLAIN: bool;
    /// Such a copy; none if the state is not plain.
    fn snapshot(&self) -> Option<Self>;
}

/// A type whose layout has a fingerprint, made from the names and types of its fields, all the way down.
///
/// The host refuses a new module whose state has the old version and another fingerprint: it would misread what
/// the old one wrote. `HashMap` and `HashSet` have no layout, because the order of their entries, and so the bytes
/// and every result that depends on the order, differs from instance to instance: use `BTreeMap` and `BTreeSet`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no layout",
    note = "put `#[derive(Layout)]` on a type of your own; `#[layout(\"name-v1\")]` on a field of a foreign type names its layout by hand; `HashMap` has none because its order is not deterministic: use `BTreeMap`"
)]
pub trait Layout {
    /// The fingerprint.
    const LAYOUT: u64;
}

/// A type of a fixed number of bytes, little-endian. Derived with [`PlainState`](crate::PlainState).
pub trait Plain: Copy {
    /// How many bytes.
    const SIZE: usize;
    /// Reads the first `SIZE` bytes. Panics if there are fewer.
    fn read(bytes: &[u8]) -> Self;
    /// Writes the first `SIZE` bytes. Panics if there are fewer.
    fn write(self, bytes: &mut [u8]);
}

/// For the derives: a plain state from its bytes.
#[doc(hidden)]
#[inline]
pub fn decode_plain<T: Plain + Default>(bytes: &[u8]) -> Result<T, String> {
    match bytes.len() {
        0 => Ok(T::default()),
        length if length == T::SIZE => Ok(T::read(bytes)),
        length => Err(format!("{length} bytes instead of {}", T::SIZE)),
    }
}

/// For the derives: a plain state as bytes.
#[doc(hidden)]
#[inline]
pub fn encode_plain<T: Plain>(state: T, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + T::SIZE, 0);
    state.write(&mut out[start..]);
}

/// For the derives: a state in the `postcard` encoding.
#[doc(hidden)]
pub fn decode_serde<T: DeserializeOwned + Default>(bytes: &[u8]) -> Result<T, String> {
    if bytes.is_empty() {
        return Ok(T::default());
    }
    match postcard::take_from_bytes(bytes) {
        Ok((state, [])) => Ok(state),
        Ok((_, rest)) => Err(format!("{} bytes too many", rest.len())),
        Err(why) => Err(why.to_string()),
    }
}

/// For the derives: a state in the `postcard` encoding.
#[doc(hidden)]
pub fn encode_serde<T: Serialize>(state: &T, out: &mut Vec<u8>) {
    let bytes = std::mem::take(out);
    *out = postcard::to_extend(state, bytes).expect("serialising a state into memory");
}

/// The fingerprint of a word.
#[doc(hidden)]
pub const fn word(text: &str) -> u64 {
    let mut hash = FNV_BASIS;
    let mut index = 0;
    while index < text.len() {
        hash = (hash ^ text.as_bytes()[index] as u64).wrapping_mul(FNV_PRIME);
        index += 1;
    }
    hash
}

/// The fingerprint of parts in their order. Never 0, which means «no state».
#[doc(hidden)]
pub const fn combine(parts: &[u64]) -> u64 {
    let mut hash = FNV_BASIS;
    let mut index = 0;
    while index < parts.len() {
        let bytes = parts[index].to_le_bytes();
        let mut byte = 0;
        while byte < bytes.len() {
            hash = (hash ^ bytes[byte] as u64).wrapping_mul(FNV_PRIME);
            byte += 1;
        }
        index += 1;
    }
    if hash == 0 { 1 } else { hash }
}

// FNV-1a: short enough to run in a constant, and fixed for ever, as stored fingerprints are compared with it.
const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

macro_rules! layout {
    ($($name:literal: $type:ty),* $(,)?) => {
        $(impl Layout for $type {
            const LAYOUT: u64 = word($name);
        })*
    };
}

macro_rules! plain_number {
    ($($type:ident)*) => {
        $(impl Layout for $type {
            const LAYOUT: u64 = word(stringify!($type));
        })*
        $(impl Plain for $type {
            const SIZE: usize = size_of::<Self>();
            #[inline]
            fn read(bytes: &[u8]) -> Self {
                let bytes = bytes.first_chunk().expect("a plain state has the size of its fields");
                Self::from_le_bytes(*bytes)
            }
            #[inline]
            fn write(self, bytes: &mut [u8]) {
                bytes[..Self::SIZE].copy_from_slice(&self.to_le_bytes());
            }
        })*
    };
}

plain_number!(i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64);
layout!("bool": bool, "char": char, "string": String, "unit": ());

impl Plain for bool {
    const SIZE: usize = 1;
    #[inline]
    fn read(bytes: &[u8]) -> Self {
        bytes[0] != 0
    }
    #[inline]
    fn write(self, bytes: &mut [u8]) {
        bytes[0] = u8::from(self);
    }
}

macro_rules! plain_wrapper {
    ($type:ident, $size:expr, |$bytes:ident| $read:expr, |$value:ident, $out:ident| $write:expr) => {
        impl Layout for $type {
            const LAYOUT: u64 = word(stringify!($type));
        }
        impl Plain for $type {
            const SIZE: usize = $size;
            #[inline]
            fn read($bytes: &[u8]) -> Self {
                $read
            }
            #[inline]
            fn write(self, $out: &mut [u8]) {
                let $value = self;
                $write
            }
        }
    };
}

plain_wrapper!(Timestamp, 8, |bytes| Self(i64::read(bytes)), |value, out| value.0.write(out));
plain_wrapper!(Span, 8, |bytes| Self(i64::read(bytes)), |value, out| value.0.write(out));
plain_wrapper!(Date, 4, |bytes| Self(i32::read(bytes)), |value, out| value.0.write(out));
plain_wrapper!(Decimal, 9, |bytes| Self::new(i64::read(bytes), bytes[8]), |value, out| {
    value.unscaled().write(out);
    out[8] = value.scale();
});

plain_wrapper!(Decimal38, 17, |bytes| Self::new(i128::read(bytes), bytes[16]), |value, out| {
    value.unscaled().write(out);
    out[16] = value.scale();
});

impl<T: Plain, const N: usize> Plain for [T; N] {
    const SIZE: usize = T::SIZE * N;
    #[inline]
    fn read(bytes: &[u8]) -> Self {
        std::array::from_fn(|index| T::read(&bytes[index * T::SIZE..]))
    }
    #[inline]
    fn write(self, bytes: &mut [u8]) {
        for (index, value) in self.into_iter().enumerate() {
            value.write(&mut bytes[index * T::SIZE..]);
        }
    }
}

impl<T: Layout, const N: usize> Layout for [T; N] {
    const LAYOUT: u64 = combine(&[word("array"), N as u64, T::LAYOUT]);
}

macro_rules! layout_of_collection {
    ($($name:literal: $type:ident<$($of:ident),*>),* $(,)?) => {
        $(impl<$($of: Layout),*> Layout for $type<$($of),*> {
            const LAYOUT: u64 = combine(&[word($name), $($of::LAYOUT),*]);
        })*
    };
}

layout_of_collection!(
    "list": Vec<T>,
    "list": VecDeque<T>,
    "option": Option<T>,
    "set": BTreeSet<T>,
    "map": BTreeMap<K, V>,
);

impl<T: Layout> Layout for Box<T> {
    const LAYOUT: u64 = T::LAYOUT;
}

macro_rules! layout_of_tuple {
    ($($of:ident)*) => {
        impl<$($of: Layout),*> Layout for ($($of,)*) {
            const LAYOUT: u64 = combine(&[word("tuple"), $($of::LAYOUT),*]);
        }
    };
}

layout_of_tuple!(A B);
layout_of_tuple!(A B C);
layout_of_tuple!(A B C D);
