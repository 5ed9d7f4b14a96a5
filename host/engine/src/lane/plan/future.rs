//! The guard against clocks that are ahead: an event too far in the future counts for nothing and
//! does not move the watermark (docs/design/time.md#rule-6).
//!
//! ```text
//!  event time ≤ record's Kafka timestamp + max_future_skew       the same in every replay
//!  event time ≤ this host's clock + max_future_skew_host         what bounds a sender whose clock sets both
//! ```
//!
//! The second is generous and judges when a record is read: a replay, which comes later, may take what the first
//! reading refused, and never the other way round.

use std::time::Duration;

use sluicegate_model::time::EventTime;
use sluicegate_pipeline::{EventTimeConfig, duration};

/// How far ahead an event may be, by what it is compared with, µs.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::lane) struct FutureGuard {
    /// Of its record's timestamp.
    record: Option<i64>,
    /// Of the host's clock, and the setting that says so.
    host: Option<(i64, &'static str)>,
}

impl FutureGuard {
    /// What a pipeline is configured for.
    pub(in crate::lane) fn new(config: &EventTimeConfig) -> Self {
        let micros = |length: Duration| i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
        let skew = config.max_future_skew.map(micros);
        let by_host = config.max_future_skew_host.map(micros);
        let (record, first) = match config.future_reference_host {
            true => (None, skew),
            false => (skew, None),
        };
        let first = first.map(|allowed| (allowed, "max_future_skew"));
        let second = by_host.map(|allowed| (allowed, "max_future_skew_host"));
        Self { record, host: first.into_iter().chain(second).min() }
    }

    /// Whether the host's clock is asked.
    pub(in crate::lane) fn needs_host(&self) -> bool {
        self.host.is_some()
    }

    /// The rows, ascending, whose time is too far ahead, with the reason. `timestamp` is that of a row's record; none:
    /// there is nothing to compare with. `wall` is the host's clock, µs.
    pub(in crate::lane) fn refused(
        &self,
        times: &[i64],
        timestamp: impl Fn(usize) -> Option<i64>,
        wall: i64,
    ) -> Vec<(u32, String)> {
        let host = self.host.map(|(allowed, setting)| (wall.saturating_add(allowed), setting));
        let judge = |(row, time): (usize, &i64)| {
            let of_record = self.record.and_then(|_| timestamp(row));
            let bound = of_record.zip(self.record).map(|(at, skew)| at.saturating_add(skew));
            let reason = if bound.is_some_and(|bound| *time > bound) {
                too_far(*time, of_record?, "its record", "max_future_skew", self.record?)
            } else {
                let (_, setting) = host.filter(|(bound, _)| *time > *bound)?;
                let (allowed, _) = self.host?;
                let mut reason = too_far(*time, wall, "this host's clock", setting, allowed);
                match timestamp(row) {
                    Some(at) => {
                        reason += &format!("; the record's own timestamp is {}", EventTime(at))
                    }
                    None => reason += "; the record has no timestamp of its own",
                }
                reason
            };
            Some((row as u32, reason))
        };
        if self.record.is_none()
            && host.is_none_or(|(bound, _)| times.iter().all(|it| *it <= bound))
        {
            return Vec::new();
        }
        times.iter().enumerate().filter_map(judge).collect()
    }
}

fn too_far(time: i64, reference: i64, of: &str, setting: &str, allowed: i64) -> String {
    let ahead = Duration::from_micros(time.abs_diff(reference));
    format!(
        "the event time {} is {} ahead of {of}; `event_time.{setting}` allows {}",
        EventTime(time),
        humantime::format_duration(Duration::from_secs(ahead.as_secs())),
        duration::show(Duration::from_micros(allowed.unsigned_abs())),
    )
}
