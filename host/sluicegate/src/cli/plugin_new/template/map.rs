//! PLUGIN-NAME: makes a row of every item of a sale, `item = "apple;pear"`.

use sluicegate_sdk::prelude::*;

/// The columns of the pipeline that the map reads.
#[derive(Row)]
pub struct Sale<'a> {
    item: Option<&'a str>,
}

/// The columns that it makes. All others of the pipeline travel along from the source row.
#[derive(OutputRow)]
pub struct Item<'a> {
    item: Option<&'a str>,
}

/// Emits any number of rows for one. For settings or refusals see the README of the SDK.
fn split(sale: Sale<'_>, out: &mut Emit<Item<'_>>) {
    match sale.item {
        None => out.push(Item { item: None }),
        Some(items) => {
            for item in items.split(';') {
                out.push(Item { item: Some(item.trim()) });
            }
        }
    }
}

export!(map: split);

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::testing::map;

    #[test]
    fn every_item_gets_a_row() {
        let sales = "
            item
            apple; pear
            null
        ";
        let answer = map(Plugin, &[], sales).unwrap();
        // The number in front is the row that the new row comes from.
        assert_eq!(answer.rows, ["0 | apple", "0 | pear", "1 | null"]);
    }
}
