//! How long the steps of an opening take: of one that takes over, nobody works meanwhile.

use std::fmt;
use std::time::Duration;

use crate::lead::{Lead, TakeOver};
use sluicegate_model::time::Clock;

/// The steps of an opening that were done, each with what it took.
pub(super) struct Steps {
    clock: Clock,
    /// Of the clock that counts suspend.
    last: Duration,
    done: Vec<(&'static str, Duration)>,
}

impl Steps {
    /// Nothing is done.
    pub(super) fn begin(clock: &Clock) -> Self {
        Self { clock: clock.clone(), last: clock.with_suspend(), done: Vec::new() }
    }

    /// A step was done, which began when the one before it was.
    pub(super) fn done(&mut self, step: &'static str) {
        let now = self.clock.with_suspend();
        self.done.push((step, now.saturating_sub(self.last)));
        self.last = now;
    }

    /// The lane is open. Of one that was taken over it is said how long nobody led.
    pub(super) fn tell(&self, pipeline: &str, begun: Option<TakeOver>, lead: &Lead) {
        let Some(begun) = begun else {
            tracing::debug!(pipeline, opening = %self, "opened");
            return;
        };
        let took = begun.took(self.last);
        let kind = begun.kind;
        tracing::info!(pipeline, %kind, ?took, opening = %self, "took over");
        lead.took_over(kind, took);
    }
}

/// `chain 0.02 s, modules 0.00 s`.
impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (step, took)) in self.done.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{step} {:.2} s", took.as_secs_f64())?;
        }
        Ok(())
    }
}
