//! The Rust blocks of the pages for people: compiled and run with the doc tests. Those of the SDK's own page belong to
//! the SDK.

/// What newcomers read first.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
