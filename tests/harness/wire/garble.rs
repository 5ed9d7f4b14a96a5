//! What a wire does to a batch on its way: the kinds of damage that a client has to find by itself.

use std::fmt;

/// What the value of a record begins with whose batch may be garbled. The record is the only one of its batch, has no key and no
/// header, and is at most 56 bytes long: its numbers have one byte each.
pub const MARK: &str = "garbled";

/// What is done to the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Garble {
    /// A bit of the value is another.
    Bit,
    /// It says that it is compressed by a method that nobody knows; its checksum is right.
    Compression,
    /// Its length says more than there is.
    Longer,
    /// Its length says less.
    Shorter,
    /// It has this format.
    Format(u8),
    /// It lies so many offsets further on. No checksum covers that.
    Moved(i64),
}

impl fmt::Display for Garble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bit => write!(f, "a bit of a record is another"),
            Self::Compression => write!(f, "a batch says that it is compressed in an unknown way"),
            Self::Longer => write!(f, "a batch says that it is longer than it is"),
            Self::Shorter => write!(f, "a batch says that it is shorter than it is"),
            Self::Format(format) => write!(f, "a batch says that it has format {format}"),
            Self::Moved(by) => write!(f, "a batch says that it lies {by} offsets further on"),
        }
    }
}

/// From the beginning of a batch to its first offset, its length, its format, its checksum and its attributes.
const OFFSET: usize = 0;
const LENGTH: usize = 8;
const FORMAT: usize = 16;
const CHECKSUM: usize = 17;
const ATTRIBUTES: usize = 21;
/// To the value of its first record, whose five numbers before it have a byte each: so has its kind.
const VALUE: usize = 61 + 6;

impl Garble {
    /// Garbles the first batch that is marked. False if there is none, or not all of it.
    pub fn hurt(self, bytes: &mut [u8]) -> bool {
        let mark = bytes.windows(MARK.len()).position(|part| part == MARK.as_bytes());
        let Some(begin) = mark.and_then(|mark| mark.checked_sub(VALUE)) else { return false };
        let batch = &mut bytes[begin..];
        let length = u32::from_be_bytes(batch[LENGTH..LENGTH + 4].try_into().unwrap());
        let whole = LENGTH + 4 + usize::try_from(length).unwrap();
        if batch[FORMAT] != 2 || batch.len() < whole {
            return false;
        }
        match self {
            Self::Bit => batch[VALUE] ^= 1,
            Self::Compression => {
                batch[ATTRIBUTES + 1] |= 7;
                let sum = crc32c(&batch[ATTRIBUTES..whole]);
                put(batch, CHECKSUM, &sum.to_be_bytes());
            }
            Self::Longer => put(batch, LENGTH, &(length + 1_000).to_be_bytes()),
            Self::Shorter => put(batch, LENGTH, &(length - 3).to_be_bytes()),
            Self::Format(format) => batch[FORMAT] = format,
            Self::Moved(by) => {
                let offset = i64::from_be_bytes(batch[OFFSET..OFFSET + 8].try_into().unwrap());
                put(batch, OFFSET, &(offset + by).to_be_bytes());
            }
        }
        true
    }
}

fn put(batch: &mut [u8], at: usize, bytes: &[u8]) {
    batch[at..at + bytes.len()].copy_from_slice(bytes);
}

/// The checksum of Kafka's batches.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0x82f6_3b78 & (sum & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(!0, step)
}

#[test]
fn the_checksum_is_the_known_one() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}
