//! Clicks of a user, put together to visits: one ends when no click comes for `gap` (`config = { gap = "30m" }`).
//!
//! Teaches: output that a timer makes; a timer that moves; several open visits, because clicks come out of order.

use serde::{Deserialize, Serialize};
use sluicegate_sdk::prelude::*;

/// What it reads of a click. The user is the key: `key = ["user"]` in the pipeline file.
#[derive(Row)]
pub struct Click<'a> {
    page: &'a str,
}

/// A visit that may go on.
#[derive(Serialize, Deserialize, Layout)]
pub struct Open {
    first: (Timestamp, String),
    last: Timestamp,
    clicks: i64,
}

/// What it knows of a user: nearly always one visit.
#[derive(Default, Serialize, Deserialize, State)]
pub struct Visits(Vec<Open>);

/// A visit. The host adds the user and, as event time, the moment at which it was over.
#[derive(OutputRow)]
pub struct Visit<'a> {
    start: Timestamp,
    clicks: i64,
    entry: &'a str,
}

/// The plugin, with its gap.
pub struct Sessionize(Span);

impl Sessionize {
    fn wake_at_the_next_end(&self, user: &mut Keyed<'_, Self>) {
        let ends = user.state.0.iter().map(|open| open.last + self.0);
        ends.min().into_iter().for_each(|end| user.move_timer(end, 0));
    }
}

impl Process for Sessionize {
    type Row<'a> = Click<'a>;
    type State = Visits;
    type Output = Visit<'static>;

    fn new(config: &Config) -> Result<Self, String> {
        Ok(Self(config.parse_or("gap", Span(1_800_000_000))?))
    }

    fn on_row(&self, click: Click<'_>, user: &mut Keyed<'_, Self>) -> Result<(), Refused> {
        let (gap, now) = (self.0, user.time());
        let mut visit = Open { first: (now, click.page.to_owned()), last: now, clicks: 1 };
        let joins = |open: &mut Open| open.first.0 <= now + gap && now <= open.last + gap;
        for open in user.state.0.extract_if(.., joins) {
            visit.first = visit.first.min(open.first);
            visit.last = visit.last.max(open.last);
            visit.clicks += open.clicks;
        }
        user.state.0.push(visit);
        self.wake_at_the_next_end(user);
        Ok(())
    }

    fn on_timer(&self, _: u32, user: &mut Keyed<'_, Self>) {
        let (gap, now) = (self.0, user.time());
        let over: Vec<_> = user.state.0.extract_if(.., |open| open.last + gap <= now).collect();
        for Open { first: (start, entry), clicks, .. } in &over {
            user.emit(Visit { start: *start, clicks: *clicks, entry });
        }
        self.wake_at_the_next_end(user);
    }
}

export!(process: Sessionize);

#[cfg(test)]
mod tests;
