//! Finds the guilty rows of a call that failed, within a budget.
//!
//! A failed call is cut in halves, in order, each in a new instance, until single rows stand accused. What is asked
//! in one call or in many comes to the same, because plugins are pure; so the rest of the batch is as if the
//! guilty rows had never been there.
//!
//! ```text
//! 0 ─────────────────────── 8192   trap
//! 0 ────── 4096 ─ ok │ 4096 ─ 8192 trap
//!                      4096 ─ 6144 trap │ 6144 ─ 8192 ok
//!                      ⋮
//!                      5000            trap: row 5000 is guilty
//! ```

use std::ops::Range;
use std::time::Duration;

use super::brake::Brake;
use crate::plugin::PluginError;
use sluicegate_model::time::Clock;

/// The time over which failures are counted.
const PERIOD: Duration = Duration::from_secs(60);

/// CPU time that failed calls of one worker and stage may take in one [`PERIOD`]: a third of a core. That is a million traps
/// of some 20 µs, or a hundred endless loops of 200 ms: what a fault costs is its time, and not that there was one.
const BUDGET: Duration = Duration::from_secs(20);

/// How much isolating may still be done, of one worker and stage.
#[derive(Debug)]
pub(crate) struct Budget {
    clock: Clock,
    period_began: Duration,
    left: Duration,
    pub(crate) brake: Brake,
}

#[derive(Debug)]
pub(crate) struct CallFailure {
    pub(crate) fault: PluginError,
    /// No instance could be made: smaller calls would fail alike.
    pub(crate) hopeless: bool,
    /// The instance had answered calls before: its past may be at fault, leaked memory for one.
    pub(crate) used: bool,
    /// CPU time of the call, and of making its instance.
    pub(crate) nanos: u64,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    /// As long as the limits say.
    None,
    /// A fraction of that, though longer than any call that went well. Of several rows among which a guilty one is sought:
    /// those that take longer are cut smaller, and only single rows are condemned, which are given all their time.
    Great,
}

/// What became of a part of the work, in order.
pub(crate) enum PartOutcome<A> {
    Done(A),
    /// Each row of the part is refused for this.
    Condemned(PluginError),
    /// The circuit breaker is open: the part is refused whole, though most of it may be innocent.
    Broken(PluginError),
}

/// How an attempt went as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Course {
    Smooth,
    /// Only in smaller calls, but then all of it.
    TooLarge,
    Guilty,
    /// Some were refused unexamined.
    Broken,
}

impl Budget {
    pub(crate) fn new(clock: Clock, brake: Brake) -> Self {
        let period_began = clock.monotonic();
        Self { clock, period_began, left: BUDGET, brake }
    }

    /// Takes the cost of a failure. False: the budget is spent, and nothing is isolated before the period ends.
    fn take(&mut self, failure: &CallFailure) -> bool {
        let now = self.clock.monotonic();
        if now.saturating_sub(self.period_began) >= PERIOD {
            self.period_began = now;
            self.left = BUDGET;
        }
        self.brake.failed(failure.nanos);
        let enough = !self.left.is_zero();
        self.left = self.left.saturating_sub(Duration::from_nanos(failure.nanos));
        enough
    }
}

/// Attempts `range`, and after a failure ever smaller parts of it. `settle` sees the parts in ascending order, and
/// they make up `range` without gaps.
///
/// Once the brake holds, no call is made any more, and what is left is settled as broken: nobody will look at it.
pub(crate) fn attempt<A>(
    range: Range<usize>,
    budget: &mut Budget,
    mut call: impl FnMut(Range<usize>, Haste) -> Result<A, CallFailure>,
    mut settle: impl FnMut(Range<usize>, PartOutcome<A>),
) -> Course {
    let mut course = Course::Smooth;
    let whole = range.clone();
    // Parts still to do, the next on top. Depth is the logarithm of the rows.
    let mut open = vec![range];
    while let Some(part) = open.pop() {
        if budget.brake.holds() {
            settle(
                part,
                PartOutcome::Broken(PluginError::Trap("the turn was broken off".to_owned())),
            );
            continue;
        }
        let haste = if part.len() > 1 && part != whole { Haste::Great } else { Haste::None };
        let mut result = call(part.clone(), haste);
        if let Err(failure) = &mut result
            && deserves_another(failure, &part, &whole)
        {
            let before = failure.nanos;
            result = call(part.clone(), haste)
                .map_err(|failure| CallFailure { nanos: failure.nanos + before, ..failure });
        }
        let failure = match result {
            Ok(answer) => {
                settle(part, PartOutcome::Done(answer));
                continue;
            }
            Err(failure) => failure,
        };
        let affordable = budget.take(&failure);
        if part.len() > 1 && affordable && !failure.hopeless {
            let middle = middle(&part);
            open.push(middle..part.end);
            open.push(part.start..middle);
            course = course.max(Course::TooLarge);
        } else if part.len() > 1 && !failure.hopeless {
            course = Course::Broken;
            settle(part, PartOutcome::Broken(failure.fault));
        } else {
            course = course.max(Course::Guilty);
            settle(part, PartOutcome::Condemned(failure.fault));
        }
    }
    course
}

/// Whether the same call is made once more in a new instance. The whole work, if its instance had a past; and a
/// single row that was too slow, because the machine may have stumbled, before it is condemned.
fn deserves_another(failure: &CallFailure, part: &Range<usize>, whole: &Range<usize>) -> bool {
    let slow_row = part.len() == 1 && matches!(failure.fault, PluginError::Deadline { .. });
    !failure.hopeless && (slow_row || failure.used && part == whole)
}

/// Where to cut: at a multiple of eight while that divides, so that bitmaps need not be shifted.
fn middle(part: &Range<usize>) -> usize {
    let middle = part.start + part.len() / 2;
    let round = middle.next_multiple_of(8);
    if round < part.end && part.len() >= 32 { round } else { middle }
}
