//! Numbers that are read many at a time or many bytes at a time, against others that read them one by one.

use proptest::prelude::*;
use proptest::sample::select;
use serde::de::IgnoredAny;

use crate::json::decode::plain_number::{long, short};
use crate::json::decode::skip;

/// Mostly what stands in an array of numbers. It takes many in a row to fill a window.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        200 => "-?(0|[1-9][0-9]{0,8})(\\.[0-9]{1,6})?, ?",
        3 => "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?[ .]?",
        4 => "-?[0-9]{1,20}(\\.[0-9]{0,20})?([eE][+-]?[0-9]{1,3})?,",
        1 => select(vec!["0", "-", ".", ",", " ", "  ", "e", "7", "\"a\",", "[],", "null,", "01,", "\n"])
            .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_048, ..ProptestConfig::default() })]

    #[test]
    fn an_array_is_passed_over_where_it_is_json_and_nowhere_else(
        pieces in prop::collection::vec(piece(), 0..60), last in "-?(0|[1-9][0-9]{0,3}|[0-9.]{0,3})",
    ) {
        let array = format!("[{}{last}]", pieces.concat());
        let is_json = serde_json::from_str::<IgnoredAny>(&array).is_ok();
        // With and without something behind it that may be looked at.
        for behind in ["", ",1,2,3,4,5,6,7,8"] {
            let bytes = format!("{array}{behind}");
            let end = skip::value(bytes.as_bytes(), 0, 1);
            prop_assert_eq!(end, is_json.then_some(array.len()), "{}", bytes);
        }
    }
}

#[test]
fn a_number_that_is_read_at_once_is_the_one_that_is_read_digit_by_digit() {
    let digits = "90210876543210987";
    for (count, point) in
        (0..=17).flat_map(|count| (0..=count + 1).map(move |point| (count, point)))
    {
        for sign in ["", "-"] {
            let mut number = digits[..count].to_owned();
            if point <= count {
                number.insert(point, '.');
            }
            let text = format!("{sign}{number},\"a text behind it\"");
            let at_once = short(text.as_bytes(), 0);
            let is_short = number.len() <= 15;
            let by_digit = long(text.as_bytes(), 0);
            assert_eq!(at_once, by_digit.filter(|_| is_short), "{text}");
        }
    }
    for none in ["", "-", "01", "00.5", "-0", "0.", ".5", "-0.0", "x", "-x"] {
        let text = format!("{none},\"a text behind it\"");
        assert_eq!(short(text.as_bytes(), 0), None, "{none}");
        assert_eq!(long(text.as_bytes(), 0), None, "{none}");
    }
}
