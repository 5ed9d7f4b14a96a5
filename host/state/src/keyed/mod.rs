//! Keys of a keyed plugin: state, timers, and when each must be looked at next.
//!
//! State is bytes that only the plugin understands; timers are the host's. Nothing here is async, has a clock or does
//! I/O. The rules are those of `interface process-rows` in the contract.

pub mod snapshot;
pub mod table;
mod due;
mod marks;
mod memory;
pub mod resolve;

pub use table::{KeyedCall, KeyedTable};

#[cfg(test)]
mod tests;
