//! Balance and number of bookings per group, with as many digits as Spark's `sum` has.
//!
//! Teaches: a [`Decimal38`], which reads decimals of any length and has room for the sum of all of them.

use sluicegate_sdk::prelude::*;

/// Digits behind the point of the result. Amounts with more, other than zeros, are refused.
const SCALE: u8 = 4;

/// What it reads of a booking.
#[derive(Row)]
pub struct Booking {
    amount: Decimal38,
}

/// What it knows of a group: 25 bytes.
#[derive(Clone, Copy, Default, PlainState)]
pub struct Account {
    balance: Decimal38,
    bookings: i64,
}

/// A row of results; the host adds the key and the window.
#[derive(OutputRow)]
pub struct Statement {
    #[column(decimal(38, 4))]
    balance: Decimal38,
    bookings: i64,
}

/// The aggregate.
pub struct Ledger;

impl Aggregate for Ledger {
    type Row<'a> = Booking;
    type State = Account;
    type Output = Statement;

    fn new(_: &Config) -> Result<Self, String> {
        Ok(Self)
    }

    fn update(&self, account: &mut Account, booking: Booking) -> Result<(), Refused> {
        let amount = booking.amount.rescale(SCALE).ok_or("the amount has more than 4 decimals")?;
        let balance = account.balance.checked_add(amount);
        account.balance = balance.ok_or("the balance exceeds 38 digits")?;
        account.bookings += 1;
        Ok(())
    }

    fn merge(&self, account: &mut Account, later: Account) {
        let balance = account.balance.checked_add(later.balance);
        account.balance = balance.expect("the merged balance has at most 38 digits");
        account.bookings += later.bookings;
    }

    fn evaluate(&self, _: Window, account: &Account, out: &mut Emit<Statement>) {
        out.push(Statement { balance: account.balance, bookings: account.bookings });
    }
}

export!(aggregate: Ledger);

#[cfg(test)]
mod tests;
