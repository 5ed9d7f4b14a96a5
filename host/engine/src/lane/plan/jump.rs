//! The guard against single times far ahead of the data around them, as a pipeline sets it. The intake applies it, in
//! order.

use std::time::Duration;

use sluicegate_pipeline::EventTimeConfig;

/// How far a row may be ahead of the rows before it.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::lane) struct JumpGuard {
    /// µs; none: any row may jump.
    pub(in crate::lane) allowed: Option<i64>,
}

impl JumpGuard {
    /// What a pipeline is configured for.
    pub(in crate::lane) fn new(config: &EventTimeConfig) -> Self {
        let micros = |length: Duration| i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
        Self { allowed: config.max_jump.map(micros) }
    }
}
