//! A later version of `fraud-velocity`: it tells of a card one payment earlier, and once more when a card that it had told of has
//! become quiet. Its state is that of its predecessor, field by field, so it takes over what that knew and the timers that
//! it set.

use serde::{Deserialize, Serialize};
use sluicegate_sdk::prelude::*;

/// What it reads of a payment.
#[derive(Row)]
pub struct Payment {
    amount: Decimal,
}

/// What it knows of a card. The fields are those of `fraud-velocity`.
#[derive(Default, Serialize, Deserialize, State)]
pub struct Recent {
    payments: Vec<(Timestamp, Decimal)>,
    alerted: bool,
}

/// An alert; behind a timer the card's last payments, which are over.
#[derive(OutputRow)]
pub struct Alert {
    payments: i64,
    since: Timestamp,
    #[column(decimal(18, 2))]
    total: Decimal,
}

/// The rule.
pub struct Velocity {
    at_least: usize,
    within: Span,
}

/// The timer of a card that has become quiet; `fraud-velocity` has set some.
const QUIET: u32 = 0;

impl Recent {
    fn alert(&self) -> Result<Alert, Refused> {
        let add = |sum: Decimal, (_, amount): &(Timestamp, Decimal)| sum.checked_add(*amount);
        let total = self.payments.iter().try_fold(Decimal::ZERO, add);
        let total = total.ok_or("the amounts exceed 18 digits")?;
        Ok(Alert { payments: self.payments.len() as i64, since: self.payments[0].0, total })
    }
}

impl Process for Velocity {
    type Row<'a> = Payment;
    type State = Recent;
    type Output = Alert;

    fn new(config: &Config) -> Result<Self, String> {
        let within = config.parse_or("within", Span(600_000_000))?;
        Ok(Self { at_least: config.parse_or("more-than", 3)?, within })
    }

    fn on_row(&self, payment: Payment, card: &mut Keyed<'_, Self>) -> Result<(), Refused> {
        let now = card.time();
        let amount = payment.amount.rescale(2).ok_or("the amount has digits beyond cents")?;
        let payments = &mut card.state.payments;
        payments.insert(payments.partition_point(|(time, _)| *time <= now), (now, amount));
        let (last, _) = payments[payments.len() - 1];
        payments.retain(|(time, _)| *time > last - self.within);
        let too_many = payments.len() >= self.at_least;
        if too_many && !card.state.alerted {
            let alert = card.state.alert()?;
            card.emit(alert);
        }
        card.state.alerted = too_many;
        card.move_timer(last + self.within, QUIET);
        Ok(())
    }

    fn on_timer(&self, _: u32, card: &mut Keyed<'_, Self>) {
        if let (true, Ok(alert)) = (card.state.alerted, card.state.alert()) {
            card.emit(alert);
        }
        card.forget();
    }
}

export!(process: Velocity);
