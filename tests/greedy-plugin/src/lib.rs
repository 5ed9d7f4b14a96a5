//! Sets as many timers as a row says, a microsecond apart, beginning ten seconds behind the row.

use sluicegate_sdk::prelude::*;

/// How many.
#[derive(Row)]
pub struct Wish {
    timers: i64,
}

/// Nothing is known of a key but its timers.
#[derive(Clone, Copy, Default, PlainState)]
pub struct Nothing {
    nothing: bool,
}

/// A key without timers.
#[derive(OutputRow)]
pub struct Idle {
    timers: i64,
}

/// The plugin.
pub struct Greedy;

impl Process for Greedy {
    type Row<'a> = Wish;
    type State = Nothing;
    type Output = Idle;

    fn new(_: &Config) -> Result<Self, String> {
        Ok(Self)
    }

    fn on_row(&self, wish: Wish, key: &mut Keyed<'_, Self>) -> Result<(), Refused> {
        let first = key.time() + Span(10_000_000);
        (0..wish.timers).for_each(|number| key.set_timer(first + Span(number), 0));
        Ok(())
    }

    fn on_timer(&self, _: u32, key: &mut Keyed<'_, Self>) {
        if key.timers().is_empty() {
            key.emit(Idle { timers: 0 });
        }
    }
}

export!(process: Greedy);
