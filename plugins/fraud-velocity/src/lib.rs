//! An alert when a card pays more than `more-than` times within `within` (`config = { more-than = 3, within = "10m" }`).
//!
//! Teaches: state per key, here the payments of the last minutes; rows that come out of order; a timer that forgets a
//! card that is quiet, so that state does not grow with the number of cards ever seen.

use serde::{Deserialize, Serialize};
use sluicegate_sdk::prelude::*;

/// What it reads of a payment. The card is the key: `key = ["card"]` in the pipeline file.
#[derive(Row)]
pub struct Payment {
    amount: Decimal,
}

/// What it knows of a card: times and amounts of the payments within the span, ascending, and whether it has said so.
#[derive(Default, Serialize, Deserialize, State)]
pub struct Recent {
    payments: Vec<(Timestamp, Decimal)>,
    alerted: bool,
}

/// An alert. The host adds the card and, as event time, the time of the payment that was one too many.
#[derive(OutputRow)]
pub struct Alert {
    payments: i64,
    since: Timestamp,
    #[column(decimal(18, 2))]
    total: Decimal,
}

/// The rule.
pub struct Velocity {
    more_than: usize,
    within: Span,
}

/// The timer of a card that has become quiet.
const QUIET: u32 = 0;

impl Process for Velocity {
    type Row<'a> = Payment;
    type State = Recent;
    type Output = Alert;

    fn new(config: &Config) -> Result<Self, String> {
        let within = config.parse_or("within", Span(600_000_000))?;
        Ok(Self { more_than: config.parse_or("more-than", 3)?, within })
    }

    fn on_row(&self, payment: Payment, card: &mut Keyed<'_, Self>) -> Result<(), Refused> {
        let now = card.time();
        let amount = payment.amount.rescale(2).ok_or("the amount has digits beyond cents")?;
        let payments = &mut card.state.payments;
        payments.insert(payments.partition_point(|(time, _)| *time <= now), (now, amount));
        let (last, _) = payments[payments.len() - 1];
        payments.retain(|(time, _)| *time > last - self.within);
        let (count, since) = (payments.len(), payments[0].0);
        let too_many = count > self.more_than;
        if too_many && !card.state.alerted {
            let payments = &card.state.payments;
            let total = payments.iter().try_fold(Decimal::ZERO, |sum, (_, a)| sum.checked_add(*a));
            let total = total.ok_or("the amounts exceed 18 digits")?;
            card.emit(Alert { payments: count as i64, since, total });
        }
        card.state.alerted = too_many;
        card.move_timer(last + self.within, QUIET);
        Ok(())
    }

    fn on_timer(&self, _: u32, card: &mut Keyed<'_, Self>) {
        card.forget();
    }
}

export!(process: Velocity);

#[cfg(test)]
mod tests;
