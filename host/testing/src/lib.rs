//! What the tests of several crates share: object stores whose requests wait, are held back, fail or panic as a test wants
//! it, and the search through all states of a protocol.
//!
//! It knows the interface of a store and nothing of ours, and nothing of the product depends on it.

#![forbid(unsafe_code)]

mod passing;
pub mod counted;
pub mod careless;
pub mod held;
pub mod denied;
pub mod gate;
pub mod panicking;
pub mod parted;
pub mod torn;
pub mod search;
