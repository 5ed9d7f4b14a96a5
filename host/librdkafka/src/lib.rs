//! What every client of librdkafka needs: its log goes to the host's ([`log`]), and it finds its brokers again ([`AllDown`]).
//!
//! A source, a sink and `sluicegate produce` each have clients. What they ask of the brokers is their own.

mod log;
mod rebootstrap;

pub use log::{LEVEL, log};
pub use rebootstrap::AllDown;
