//! Sluicegate: a stream processor for people who want to change the logic of a running stream without stopping it.

#![allow(missing_docs)]

pub mod config;
pub mod schema;
pub mod time;
pub mod varlen;
pub mod source;
pub mod decode;
pub mod plugin;
pub mod sink;
pub mod chain;
pub mod status;
pub mod metrics;
