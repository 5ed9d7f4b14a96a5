//! Against the definitions, and where the naive formulas fail.

use sluicegate_sdk::testing::aggregate;

use super::*;

#[test]
fn all_figures_of_a_group() {
    // Every way of cutting these rows in two and merging is checked by `aggregate`.
    let answer = aggregate(Plugin, &[], "price\n2\n4\n4\n4\n5\n5\n7\n9").unwrap();
    let cells: Vec<f64> = answer.rows[0].split(" | ").map(|cell| cell.parse().unwrap()).collect();
    assert_eq!(cells[..6], [0.0, 8.0, 40.0, 2.0, 9.0, 5.0]);
    assert!((cells[6] - 32.0 / 7.0).abs() < 1e-12);
}

#[test]
fn one_sale_has_no_variance() {
    let answer = aggregate(Plugin, &[], "price\n3.5").unwrap();
    assert_eq!(answer.rows, ["0 | 1 | 3.5 | 3.5 | 3.5 | 3.5 | null"]);
}

#[test]
fn the_variance_survives_a_large_mean() {
    // The sum of the squares is 3·10¹⁸, where doubles are 512 apart.
    let answer = aggregate(Plugin, &[], "price\n1000000001\n1000000002\n1000000003").unwrap();
    assert!(answer.rows[0].ends_with(" | 1000000002 | 1"), "{}", answer.rows[0]);
}

#[test]
fn negative_prices_are_their_own_minimum_and_maximum() {
    let answer = aggregate(Plugin, &[], "price\n-2\n-1").unwrap();
    assert!(answer.rows[0].starts_with("0 | 2 | -3 | -2 | -1 | -1.5 | "));
}
