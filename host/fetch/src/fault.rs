//! What a broker sends and nobody can read.

/// Why bytes of a broker cannot be read. Reading them again gives the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Bytes end before what they say they hold.
    #[error("{wanted} bytes are expected and {left} are left")]
    CutOff {
        /// What a length said.
        wanted: usize,
        /// What is there.
        left: usize,
    },
    /// A length or a count that cannot be.
    #[error("{what} says {value}, which cannot be")]
    Impossible {
        /// The field.
        what: &'static str,
        /// What it says.
        value: i64,
    },
    /// A variable-length integer that does not end where the longest does.
    #[error("an integer has more bytes than the longest one")]
    EndlessInteger,
    /// The checksum in the batch and that of its bytes.
    #[error("its checksum is {found:08x} and should be {told:08x}: the batch is damaged")]
    Checksum {
        /// The batch says it.
        told: u32,
        /// The bytes have it.
        found: u32,
    },
    /// Messages from before Kafka 0.11, or from a later version than ours.
    #[error("its format is version {0}, and only version 2 is read")]
    Format(i8),
    /// A number of a compression that does not exist yet.
    #[error("it is compressed by method {0}, which is unknown")]
    Compression(u8),
    /// A compressed batch that the method refuses.
    #[error("{method} cannot unpack it: {reason}")]
    Packed {
        /// The compression.
        method: &'static str,
        /// As its library puts it.
        reason: String,
    },
    /// A batch of few bytes that unpacks to very many.
    #[error("it unpacks to more than {0} bytes, which is the limit")]
    TooLarge(usize),
    /// Offsets of records must grow, and lie in the range of their batch.
    #[error("offset {found} follows {before}")]
    Order {
        /// The record, or batch, before it.
        before: i64,
        /// The one that should come later.
        found: i64,
    },
    /// An answer that leaves out what was asked for.
    #[error("it says nothing of partition {0}, which was asked for")]
    Silent(i32),
    /// Bytes that belong to no record.
    #[error("{0} bytes are left behind the last one")]
    Remains(usize),
}

/// A [`Fault`] in the records of a partition, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing can be read at offset {offset}: {fault}")]
pub struct Damage {
    /// The record that was to be read next: the batch that should hold it is the one at fault.
    pub offset: i64,
    /// What is the matter with it.
    pub fault: Fault,
}
