//! Sums of more than 18 digits are exact, and what cannot be added is refused.

use sluicegate_sdk::testing::aggregate;

use super::*;

#[test]
fn sums_are_exact_beyond_64_bits() {
    let bookings = "
        group | amount
        0     | 99999999999999999999999999999999.9999
        1     | -9223372036854775809
        0     | -0.0001
        1     | -0.5
        0     | 1
    ";
    let answer = aggregate(Plugin, &[], bookings).unwrap();
    let expected =
        ["0 | 100000000000000000000000000000000.9998 | 3", "1 | -9223372036854775809.5000 | 2"];
    assert_eq!(answer.rows, expected);
    assert_eq!(answer.rejects, [""; 0]);
}

#[test]
fn a_balance_of_more_than_38_digits_is_refused_and_leaves_no_trace() {
    let almost = "9999999999999999999999999999999999.9998";
    let answer = aggregate(Plugin, &[], &format!("amount\n{almost}\n0.0002\n0.0001")).unwrap();
    assert_eq!(answer.rows, ["0 | 9999999999999999999999999999999999.9999 | 2"]);
    assert_eq!(answer.rejects, ["row 1: the balance exceeds 38 digits"]);
}
