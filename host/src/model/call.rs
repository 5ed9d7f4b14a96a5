//! What a call of a plugin may use: rows, bytes, CPU time, memory, and what it may hand back.

use std::time::Duration;

/// Bounds of one call of a plugin. Every call has them, `describe` and `init` too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// Rows of one call.
    pub rows: usize,
    /// Bytes of rows and states that one call is given. A single row may be larger: it travels alone.
    pub bytes: usize,
    /// CPU time of the calling thread.
    pub deadline: Duration,
    /// Bytes of linear memory of one instance.
    pub memory: u64,
    /// Bytes that one call may hand back.
    pub output: u64,
    /// Timers that a key may have after a call.
    pub key_timers: usize,
    /// Bytes that the state of a key may have after a call.
    pub key_state: usize,
}
