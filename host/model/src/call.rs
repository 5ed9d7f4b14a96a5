//! What a call of a plugin may use: rows, bytes, CPU time, memory, and what it may hand back.

use std::time::Duration;

/// Bounds of one call of a plugin. Every call has them, `describe` and `init` too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// Rows that one call is given at most; more than 0.
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
    /// Timers of one key that fire in one step of its watermark: [`KEY_FIRINGS`], and fewer where a test waits for it.
    pub key_firings: u32,
}

/// A timer that sets itself every second for eleven days fits; one that sets itself every microsecond for ever is
/// stopped: it is dead-lettered, and with it ends the chain.
pub const KEY_FIRINGS: u32 = 1_000_000;
