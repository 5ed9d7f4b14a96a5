//! What a lane keeps between two turns: when partitions are ([`watermark`]), open windows with their accumulators
//! ([`window`]), keys with state and timers ([`keyed`]).
//!
//! Pure, and Cargo says so: no async, no clock, no I/O among the dependencies. Time comes in as a parameter. Accumulators and
//! states are bytes: that a plugin makes them, and how it is called, is not known here.

#![forbid(unsafe_code)]

mod merging;
pub mod sections;
pub mod shards;
pub mod watermark;
pub mod window;
pub mod keyed;

pub use merging::Merging;
