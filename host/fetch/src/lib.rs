//! Kafka's Fetch protocol for the partitions of one topic: no record is an object.
//!
//! A [`Fetcher`] keeps a connection and a thread for each broker that leads a partition which is read. Each thread sends its
//! next request when an answer has come, then checks and unpacks what came. That waits in one queue of bounded size.
//! [`batch`] walks it: it leaves out what was aborted, and lends each record to who copies it into columns.
//!
//! [`TopicLooks`] tells which topic it is, which partitions it has and where they end.
//!
//! Nothing in here trusts the broker: a length that lies, a damaged batch or bytes behind the last record are a
//! [`Fault`](fault::Fault), never a panic, a read out of bounds or an allocation of the size that was claimed.
//! This crate does not know sources, positions or the pipeline file. It has threads that wait and no async: one call that
//! blocks is all that each of them does.

#![forbid(unsafe_code)]

pub mod fault;
mod read;
mod buffers;
pub mod batch;
mod wire;
mod link;
mod addresses;
mod fetcher;
mod looks;

pub use fetcher::{Arrival, Fetched, Fetcher, Options, Trouble, Waiting};
pub use link::{Identity, Mechanism, Sasl, Security, Tls, TlsOptions, Verify};
pub use looks::{TopicLooks, TopicSeen};
