//! Counts the events of a group, and shows groups that have at least so many: NEXMark's queries 12 (bids of a user in a
//! window), 11 (bids of a user in a session) and one like 8 (users that did two things in a window).
//!
//! Teaches: that the key and the window are the pipeline's affair and not the plugin's; a plugin that reads no column;
//! groups without a result.

use sluicegate_sdk::prelude::*;

/// It needs nothing of an event but that it is there.
#[derive(Row)]
pub struct Event {}

/// What it knows of a group.
#[derive(Clone, Copy, Default, PlainState)]
pub struct Count {
    events: i64,
}

/// A row of results.
#[derive(OutputRow)]
pub struct Counted {
    events: i64,
}

/// The aggregate, with the count from which on it shows a group.
pub struct Counter(i64);

impl Aggregate for Counter {
    type Row<'a> = Event;
    type State = Count;
    type Output = Counted;

    fn new(config: &Config) -> Result<Self, String> {
        config.parse_or("at-least", 1).map(Self)
    }

    fn update(&self, count: &mut Count, _: Event) -> Result<(), Refused> {
        count.events += 1;
        Ok(())
    }

    fn merge(&self, count: &mut Count, later: Count) {
        count.events += later.events;
    }

    fn evaluate(&self, _: Window, count: &Count, out: &mut Emit<Counted>) {
        if count.events >= self.0 {
            out.push(Counted { events: count.events });
        }
    }
}

export!(aggregate: Counter);

#[cfg(test)]
mod tests;
