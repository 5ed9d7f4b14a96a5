//! Kafka's record batches as a Fetch answer holds them: walked in place, and no record is an object.
//!
//! [`batch`] reads what a broker sends as the records of a partition: it checks each batch, unpacks it, leaves out what was
//! aborted, and lends each record to who copies it into columns.
//!
//! Nothing in here trusts the broker: a length that lies, a damaged batch or bytes behind the last record are a
//! [`Fault`](fault::Fault) with the offset, never a panic, a read out of bounds or an allocation of the size that was claimed.
//! This crate does not know sources, positions or the pipeline file.

#![forbid(unsafe_code)]

pub mod fault;
mod read;
pub mod batch;
