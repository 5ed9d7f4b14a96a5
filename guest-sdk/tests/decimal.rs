//! Decimals are exact or not there.

#![expect(clippy::unwrap_used, reason = "a test that fails shows the line")]

use sluicegate_sdk::{Decimal, Decimal38};

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[test]
fn text_and_back() {
    for text in ["0", "0.00", "-0.05", "12.34", "999999999999999999", "-0.000000000000000001"] {
        assert_eq!(decimal(text).to_string(), text);
    }
}

#[test]
fn what_is_no_decimal_is_refused() {
    for text in
        ["", "-", ".5", "5.", "1e3", "+1", "1,5", " 1", "--1", "1.-5", "1000000000000000000"]
    {
        let refused = text.parse::<Decimal>();
        let message = format!("`{text}` is not a decimal like `12.34` with at most 18 digits");
        assert_eq!(refused, Err(message));
    }
}

#[test]
fn comparison_is_by_value() {
    assert_eq!(decimal("1.5"), decimal("1.500"));
    assert!(decimal("1.49") < decimal("1.5"));
    assert!(decimal("-1.51") < decimal("-1.5"));
    assert!(decimal("0.000") == Decimal::ZERO);
    assert!(decimal("999999999999999999") > decimal("0.000000000000000001"));
    assert!(Decimal::new(i64::MAX, 0) > Decimal::new(i64::MIN, 18));
    assert!(Decimal::new(i64::MIN, 0) < Decimal::new(i64::MIN, 1));
    assert!(Decimal::new(i64::MIN, 1) > Decimal::new(i64::MIN, 0));
    assert!(Decimal::new(9, 0) < Decimal::new(i64::MAX, 18));
    assert!(Decimal::new(10, 0) > Decimal::new(i64::MAX, 18));
    assert!(Decimal::new(-10, 0) < Decimal::new(i64::MIN, 18));
}

#[test]
fn integers_are_decimals_and_compare_with_them() {
    assert_eq!(Decimal::from(100).to_string(), "100");
    assert_eq!(Decimal::from(-7_i8).to_string(), "-7");
    assert_eq!(Decimal::from(u32::MAX).to_string(), "4294967295");
    let price: Decimal = 100_i64.into();
    assert_eq!(price, decimal("100.00"));
    assert!(decimal("100.01") > 100 && decimal("99.99") < 100_i64 && decimal("5.0") == 5_u8);
    assert!(100 < decimal("100.01") && 5 == decimal("5.00") && 5 != decimal("5.01"));
    assert!(decimal("-0.01") < 0 && decimal("0.00") >= 0);
    // Beyond 18 digits too: comparing never wraps.
    assert!(
        decimal("0.000000000000000001") < i64::MAX && decimal("-999999999999999999") > i64::MIN
    );
    assert_eq!(decimal("-1.50").abs(), decimal("1.5"));
}

#[test]
fn rescaling_loses_nothing_or_fails() {
    assert_eq!(decimal("1.20").rescale(1).unwrap().to_string(), "1.2");
    assert_eq!(decimal("1.2").rescale(4).unwrap().to_string(), "1.2000");
    assert_eq!(decimal("1.25").rescale(1), None);
    assert_eq!(decimal("10").rescale(17), None);
    assert_eq!(decimal("0").rescale(19), None);
}

#[test]
fn arithmetic_never_wraps() {
    let largest = decimal("999999999999999999");
    assert_eq!(largest.checked_add(decimal("1")), None);
    assert_eq!(largest.checked_mul(2), None);
    assert_eq!(largest.checked_mul(i64::MAX), None);
    assert_eq!(Decimal::new(i64::MAX, 0).checked_add(Decimal::new(i64::MAX, 0)), None);
    assert_eq!(Decimal::ZERO.checked_sub(Decimal::new(i64::MIN, 0)), None);
    assert_eq!(decimal("1.5").checked_sub(decimal("2.25")).unwrap().to_string(), "-0.75");
    assert_eq!(largest.checked_sub(largest), Some(Decimal::ZERO));
}

fn long(text: &str) -> Decimal38 {
    text.parse().unwrap()
}

#[test]
fn a_long_decimal_is_text_and_back() {
    for text in [
        "0",
        "-0.05",
        "12.34",
        "99999999999999999999999999999999999999",
        "-9999999999999999999999999999999999.9999",
        "0.00000000000000000000000000000000000001",
    ] {
        assert_eq!(long(text).to_string(), text);
    }
    let refused = "100000000000000000000000000000000000000".parse::<Decimal38>().unwrap_err();
    assert!(refused.ends_with("is not a decimal like `12.34` with at most 38 digits"), "{refused}");
}

#[test]
fn long_arithmetic_never_wraps() {
    let largest = long("99999999999999999999999999999999999999");
    assert_eq!(largest.checked_add(1.into()), None);
    assert_eq!(largest.checked_mul(2), None);
    assert_eq!(largest.checked_sub(largest), Some(Decimal38::ZERO));
    assert_eq!(Decimal38::new(i128::MAX, 0).checked_add(Decimal38::new(i128::MAX, 0)), None);
    assert_eq!(Decimal38::ZERO.checked_sub(Decimal38::new(i128::MIN, 0)), None);
    let sum = long("18446744073709551615.5").checked_add(long("-0.25")).unwrap();
    assert_eq!(sum.to_string(), "18446744073709551615.25");
    assert_eq!(sum.rescale(1), None);
    assert_eq!(sum.rescale(36), None);
    assert_eq!(sum.rescale(18).unwrap().to_string(), "18446744073709551615.250000000000000000");
}

#[test]
fn both_lengths_compare_and_become_each_other() {
    let (short, same) = (decimal("-12.50"), long("-12.5"));
    assert_eq!(short, same);
    assert_eq!(same, short);
    assert!(decimal("999999999999999999") < long("1000000000000000000"));
    assert!(long("18446744073709551616") > u64::MAX && u64::MAX == long("18446744073709551615"));
    assert!(long("0.00000000000000000000000000000000000001") < i64::MAX);
    assert!(Decimal38::new(i128::MAX, 0) > Decimal38::new(i128::MIN, 38));
    assert_eq!(Decimal38::from(short).to_string(), "-12.50");
    assert_eq!(Decimal::try_from(same), Ok(short));
    for text in ["1000000000000000000", "-1000000000000000000", "0.0000000000000000001"] {
        let refused = Decimal::try_from(long(text));
        assert_eq!(refused, Err("the number has more than 18 digits"), "{text}");
    }
}
