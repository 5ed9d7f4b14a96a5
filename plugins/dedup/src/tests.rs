//! Repeats, keys, the end of the span, and refused rows.

use sluicegate_sdk::testing::process;

use super::*;

const HOUR: &[(&str, &str)] = &[("within", "1h")];

#[test]
fn repeats_are_dropped_per_key() {
    let payments = "
        time | group | card | amount
        1s   | 0     | a    | 1.00
        2s   | 1     | b    | 2.00
        3s   | 0     | a    | 1.00
        30m  | 1     | b    | 2.00
    ";
    let first = process(Plugin, HOUR, payments).unwrap();
    assert_eq!(first.rows, ["1s | 0 | a | 1.00", "2s | 1 | b | 2.00"]);
}

#[test]
fn after_the_span_a_key_is_new() {
    let payments = "
        time | group | card | amount
        0s   | 0     | a    | 1.00
        59m  | 0     | a    | 1.00
        61m  | 1     | null | 7.00
        62m  | 0     | a    | 1.00
    ";
    let first = process(Plugin, HOUR, payments).unwrap();
    assert_eq!(first.rows, ["0s | 0 | a | 1.00", "61m | 1 | null | 7.00", "62m | 0 | a | 1.00"]);
}

#[test]
fn a_refused_payment_is_not_the_first() {
    let payments = "time | card | amount\n1s | a | 0.001\n2s | a | 0.01";
    let first = process(Plugin, HOUR, payments).unwrap();
    assert_eq!(first.rejects, ["row 0: the amount has digits beyond cents"]);
    assert_eq!(first.rows, ["2s | 0 | a | 0.01"]);
}
