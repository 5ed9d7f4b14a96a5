//! What the host offers to a plugin: a log and counters. Both are for people and change no result.

pub use crate::level::Level;

/// A line for the host's log. The host takes a bounded number of lines and bytes per call and drops the rest.
/// Natively, in tests, the line goes to standard error.
pub fn log(level: Level, text: &str) {
    #[cfg(target_family = "wasm")]
    crate::glue::log(level, text);
    #[cfg(not(target_family = "wasm"))]
    eprintln!("{level:?}: {text}");
}

/// Adds to a counter of the plugin's own, shown among the host's metrics. Names are `[a-z][a-z0-9_]{0,62}`. Count
/// once per call rather than once per row: a call into the host costs about as much as ten rows. Natively, in
/// tests, this does nothing.
pub fn count(name: &str, n: u64) {
    #[cfg(target_family = "wasm")]
    crate::glue::count(name, n);
    #[cfg(not(target_family = "wasm"))]
    let _ = (name, n);
}
