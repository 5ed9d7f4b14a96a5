//! The first of equal payments; those that repeat it within `within` are dropped (`config = { within = "1h" }`).
//!
//! Teaches: the smallest useful process plugin. The key says what is equal (`key = ["payment"]` in the pipeline file); the
//! state is one byte; a timer forgets a key whose repeats need no longer be expected, and so bounds the state.

use sluicegate_sdk::prelude::*;

/// What it reads of a payment, to hand it on.
#[derive(Row)]
pub struct Payment<'a> {
    card: Option<&'a str>,
    amount: Decimal,
}

/// What it knows of a key.
#[derive(Clone, Copy, Default, PlainState)]
pub struct Seen {
    seen: bool,
}

/// What it hands on. The host adds the key and the event time.
#[derive(OutputRow)]
pub struct First<'a> {
    card: Option<&'a str>,
    #[column(decimal(18, 2))]
    amount: Decimal,
}

/// The plugin, with the span in which repeats are expected.
pub struct Dedup(Span);

/// The timer of a key whose repeats need no longer be expected.
const OVER: u32 = 0;

impl Process for Dedup {
    type Row<'a> = Payment<'a>;
    type State = Seen;
    type Output = First<'static>;

    fn new(config: &Config) -> Result<Self, String> {
        Ok(Self(config.parse_or("within", Span(3_600_000_000))?))
    }

    fn on_row(&self, payment: Payment<'_>, key: &mut Keyed<'_, Self>) -> Result<(), Refused> {
        if key.state.seen {
            sluicegate_sdk::host::count("repeats", 1);
            return Ok(());
        }
        let amount = payment.amount.rescale(2).ok_or("the amount has digits beyond cents")?;
        key.state.seen = true;
        key.emit(First { card: payment.card, amount });
        key.set_timer(key.time() + self.0, OVER);
        Ok(())
    }

    fn on_timer(&self, _: u32, key: &mut Keyed<'_, Self>) {
        key.forget();
    }
}

export!(process: Dedup);

#[cfg(test)]
mod tests;
