//! Object stores for the tests of several crates: requests wait, are held back, fail or panic as a test wants it.
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
