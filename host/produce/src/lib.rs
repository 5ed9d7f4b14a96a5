//! Makes events to try pipelines with: seeded, so that the same command makes the same bytes.
//!
//! [`sales`] and [`nexmark`] are generators, without any input or output; [`kafka`] sends what they make; [`ndjson`]
//! writes it to a file. Both stop when they are asked to. [`broker`] is somewhere to send it.
//!
//! Of the product only the command line uses it.

#![forbid(unsafe_code)]

pub mod event;
pub mod chance;
pub mod stream;
pub mod sales;
pub mod nexmark;
pub mod ndjson;
pub mod kafka;
pub mod broker;
