//! The engine: [`lane`] is the loop that owns partitions, state and a chain; [`supervisor`] opens it, and opens it
//! again. Others see of it its [`status`], what came [`lately`], its [`counters`] and its [`pulse`], and send
//! it a [`lane::Command`] or ask it to [`stop`].
//!
//! All crates but the program meet here. What it does not know: HTTP, the command line, the terminal, the environment,
//! and how its counters are shown.

#![forbid(unsafe_code)]

pub mod lead;
pub mod lane;
pub mod supervisor;
pub mod status;
pub mod live;
pub mod lately;
pub mod counters;
pub mod memory;
pub mod pulse;
pub mod stop;
