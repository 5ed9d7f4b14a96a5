//! Makes events to try pipelines with: seeded, so that the same command makes the same bytes.
//!
//! [`sales`] is the generator, without any input or output; [`kafka`] sends what it makes; [`ndjson`] writes it to
//! a file. Both stop when they are asked to.

pub mod sales;
pub mod ndjson;
pub mod kafka;
