//! Products to the last digit, and what cannot be converted.

use sluicegate_sdk::testing::map;

use super::*;

#[test]
fn no_digit_is_lost() {
    let answer = map(Plugin, &[], "price\n12.34\n0.01\n999999.99").unwrap();
    assert_eq!(answer.rows, ["0 | 11.20472", "1 | 0.00908", "2 | 907999.99092"]);
    let answer = map(Plugin, &[("rate", "1.5")], "price\n12.34").unwrap();
    assert_eq!(answer.rows, ["0 | 18.51000"]);
}

#[test]
fn what_cannot_be_converted_is_refused() {
    let answer = map(Plugin, &[], "price\nnull\n99999999999999.99\n0.001").unwrap();
    assert_eq!(answer.rows, Vec::<String>::new());
    let refused = [
        "row 0: a bid without a price",
        "row 1: the converted price exceeds 18 digits",
        "row 2: the price has digits beyond cents",
    ];
    assert_eq!(answer.rejects, refused);
}

#[test]
fn the_rate_is_checked() {
    let why = |rate| map(Plugin, &[("rate", rate)], "price").unwrap_err();
    assert_eq!(
        why("0.9081"),
        "configuration `rate` is `0.9081`: above 0, with three digits behind the point"
    );
    assert!(why("-1").contains("`-1`") && why("much").contains("`much`"));
}
