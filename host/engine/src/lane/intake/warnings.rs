//! What the intake says once of event times that are most likely not what somebody means.

use sluicegate_pipeline::EventTimeFrom;

use super::Intake;
use crate::lane::rows::Prepared;

/// What was said, and need not be heard again.
#[derive(Debug, Default)]
pub(super) struct Warned {
    /// The event time is the senders' own clock.
    of_senders: bool,
    /// Event times look like another unit.
    of_unit: bool,
}

impl Intake {
    /// Says once that `max_future_skew` guards nothing: event times are the records' timestamps, and those are the
    /// senders'.
    pub(super) fn warn_of_senders(&mut self) {
        let by_record = self.config.event_time.from == EventTimeFrom::RecordTimestamp
            && self.config.event_time.max_future_skew.is_some()
            && !self.config.event_time.future_reference_host;
        if !by_record || self.warned.of_senders || !self.source.has_times_of_senders() {
            return;
        }
        self.warned.of_senders = true;
        tracing::warn!(
            pipeline = %self.config.name,
            "event time is the records' timestamp, which the senders' clocks set on this topic \
             (`message.timestamp.type` is CreateTime): `event_time.max_future_skew` compares it with itself. Only \
             `max_future_skew_host` bounds it; set `future_reference = \"host\"`, or LogAppendTime on the topic"
        );
    }

    /// Says once that event times look like another unit than the column's.
    pub(super) fn warn_of_unit(&mut self, prepared: &[Prepared]) {
        if self.warned.of_unit {
            return;
        }
        let mut odd = prepared.iter().filter_map(|prepared| prepared.odd_time);
        let Some(warning) = odd.find_map(|time| self.plan.time_column.warning(time.micros()))
        else {
            return;
        };
        self.warned.of_unit = true;
        tracing::warn!(pipeline = %self.config.name, "{warning}");
    }
}
