//! PLUGIN-NAME: stores that sell nothing for an hour, with what they had sold before.

use sluicegate_sdk::prelude::*;

/// The columns of the pipeline that the plugin reads. The key is not among them: the host groups.
#[derive(Row)]
pub struct Sale {
    price: Decimal,
}

/// What is remembered of a key. The host keeps it; when its fields change, count `STATE_VERSION` up.
#[derive(Clone, Copy, Default, PlainState)]
pub struct Shift {
    revenue: Decimal,
    sales: i64,
}

/// The columns of the output. The host adds the key and the event time.
#[derive(OutputRow)]
pub struct Quiet {
    #[column(decimal(18, 2))]
    revenue: Decimal,
    sales: i64,
}

/// The plugin, with its setting.
pub struct Silence {
    after: Span,
}

/// Timers have a number that says what for.
const SILENT: u32 = 0;

impl Process for Silence {
    type Row<'a> = Sale;
    type State = Shift;
    type Output = Quiet;

    fn new(config: &Config) -> Result<Self, String> {
        Ok(Self { after: config.parse_or("after", "1h".parse()?)? })
    }

    fn on_row(&self, sale: Sale, store: &mut Keyed<'_, Self>) -> Result<(), Refused> {
        let price = sale.price.rescale(2).ok_or("the price has digits beyond cents")?;
        let revenue = store.state.revenue.checked_add(price);
        store.state.revenue = revenue.ok_or("the revenue exceeds 18 digits")?;
        store.state.sales += 1;
        store.move_timer(store.time() + self.after, SILENT);
        Ok(())
    }

    fn on_timer(&self, _: u32, store: &mut Keyed<'_, Self>) {
        let Shift { revenue, sales } = *store.state;
        store.emit(Quiet { revenue, sales });
        store.forget();
    }
}

export!(process: Silence);

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::testing::process;

    #[test]
    fn a_store_that_falls_silent_is_told_of_and_begins_anew() {
        let sales = "
            time | group | price
            0m   | 0     | 0.10
            5m   | 0     | 0.20
            70m  | 1     | 7.00
            75m  | 0     | 3.00
        ";
        // Runs the rows in one call and one by one, with the timers between them; both must say the same.
        let answer = process(Plugin, &[("after", "1h")], sales).unwrap();
        let expected = ["65m | 0 | 0.30 | 2", "135m | 0 | 3.00 | 1", "130m | 1 | 7.00 | 1"];
        assert_eq!(answer.rows, expected);
    }
}
