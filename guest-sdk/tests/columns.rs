//! Every type of column, in and out, with nulls and across byte borders of bitmaps.

use sluicegate_sdk::prelude::*;
use sluicegate_sdk::testing::map;
use sluicegate_sdk::{
    Batch, Column, ColumnType, DecimalType, MapPlugin, OwnedColumn, OwnedValues, Values, Varlen,
};

#[derive(Row)]
struct Every<'a> {
    flag: bool,
    whole: i64,
    real: f64,
    at: Timestamp,
    day: Date,
    money: Decimal,
    text: &'a str,
    #[column(name = "raw-bytes")]
    bytes: &'a [u8],
    flag_or: Option<bool>,
    money_or: Option<Decimal>,
    text_or: Option<&'a str>,
}

#[derive(OutputRow)]
struct EveryOut<'a> {
    flag: bool,
    whole: i64,
    real: f64,
    at: Timestamp,
    day: Date,
    #[column(decimal(10, 3))]
    money: Decimal,
    text: &'a str,
    #[column(name = "raw-bytes")]
    bytes: Vec<u8>,
    flag_or: Option<bool>,
    #[column(decimal(18, 2))]
    money_or: Option<Decimal>,
    text_or: Option<String>,
}

fn copy(row: Every<'_>, out: &mut Emit<EveryOut<'_>>) -> Result<(), String> {
    out.push(EveryOut {
        flag: row.flag,
        whole: row.whole,
        real: row.real,
        at: row.at,
        day: row.day,
        money: row.money,
        text: row.text,
        bytes: row.bytes.to_vec(),
        flag_or: row.flag_or,
        money_or: row.money_or,
        text_or: row.text_or.map(str::to_owned),
    });
    if row.whole < 0 { Err("below zero".to_owned()) } else { Ok(()) }
}

export!(map: copy, only outputs);

const HEAD: &str =
    "flag | whole | real | at | day | money | text | raw-bytes | flag_or | money_or | text_or\n";

#[test]
fn every_type_comes_out_as_it_went_in() {
    let full = "true | 7 | 1.5 | 1000000 | 19000 | 1.250 | text | raw | false | 3.00 | or";
    let empty = "false | 0 | -0.5 | -1 | -1 | 0.000 | \"\" | \"\" | null | null | null";
    let rows: Vec<_> = (0..19).map(|row| if row % 3 == 0 { full } else { empty }).collect();
    let answer = map(Plugin, &[], &format!("{HEAD}{}", rows.join("\n"))).unwrap();
    let expected: Vec<_> =
        rows.iter().enumerate().map(|(row, line)| format!("{row} | {line}")).collect();
    assert_eq!(answer.rows, expected);
}

#[test]
fn a_refused_row_takes_back_what_it_emitted() {
    let row = |whole: i32, rest: &str| {
        format!("true | {whole} | 0 | 0 | 0 | 0.000 | a{whole} | b | {rest}")
    };
    let mut rows: Vec<_> = (0..9).map(|whole| row(whole, "true | 1.00 | x")).collect();
    rows.push(row(-9, "true | 2.00 | y"));
    rows.push(row(10, "null | null | null"));
    let answer = map(Plugin, &[], &format!("{HEAD}{}", rows.join("\n"))).unwrap();
    assert_eq!(answer.rejects, ["row 9: below zero"]);
    assert_eq!(answer.rows.len(), 10);
    assert_eq!(answer.rows[9], format!("10 | {}", rows[10]));
}

#[test]
fn the_description_says_what_the_structs_say() {
    let description = Plugin::describe();
    let of = |columns: &[sluicegate_sdk::ColumnSpec], name: &str| {
        let column = columns.iter().find(|column| column.name == name).unwrap();
        (column.column_type, column.nullable)
    };
    assert_eq!(of(description.inputs, "money"), (ColumnType::Decimal(None), false));
    assert_eq!(of(description.inputs, "raw-bytes"), (ColumnType::Binary, false));
    assert_eq!(of(description.inputs, "text_or"), (ColumnType::Utf8, true));
    let digits = DecimalType { precision: 10, scale: 3 };
    assert_eq!(of(description.outputs, "money"), (ColumnType::Decimal(Some(digits)), false));
    assert!(!description.keeps_other_columns);
    assert_eq!((description.state_version, description.state_fingerprint), (0, 0));
}

#[test]
#[should_panic(expected = "12345678.9 does not fit `money`: decimal(10,3)")]
fn a_decimal_that_does_not_fit_its_column_traps() {
    let row = "true | 0 | 0 | 0 | 0 | 12345678.9 | a | b | null | null | null";
    drop(map(Plugin, &[], &format!("{HEAD}{row}")));
}

#[derive(Row)]
struct Word<'a> {
    word: Option<&'a str>,
}

#[test]
fn offsets_may_begin_anywhere_and_nulls_hide_what_is_beneath() {
    let batch = Batch {
        rows: 2,
        columns: vec![Column {
            values: Values::Utf8 { offsets: &[2, 4, 6], text: "__okno__" },
            validity: Some(&[0b01]),
        }],
    };
    let reader = Word::reader(&batch, &[0]);
    assert_eq!(Word::read(&reader, 0).word, Some("ok"));
    assert_eq!(Word::read(&reader, 1).word, None);
}

#[test]
#[should_panic(expected = "column 0 of the batch is not as `describe` declares it")]
fn a_batch_with_too_few_values_is_not_read() {
    let column = OwnedColumn { values: OwnedValues::Utf8(Varlen::new()), validity: None };
    Word::reader(&Batch { rows: 1, columns: vec![column.borrow()] }, &[0]);
}

mod long {
    //! Decimals of more than 18 digits, and fields that have no room for them.

    use super::*;

    #[derive(Row)]
    struct Amounts {
        any: Decimal38,
        maybe: Option<Decimal38>,
        short: Decimal,
    }

    #[derive(OutputRow)]
    struct Made {
        #[column(decimal(38, 4))]
        any: Decimal38,
        #[column(decimal(20, 2))]
        maybe: Option<Decimal38>,
        #[column(decimal(19, 3))]
        longer: Decimal38,
        #[column(decimal(9, 1))]
        shorter: Decimal38,
    }

    fn copy(row: Amounts, out: &mut Emit<Made>) {
        let Amounts { any, maybe, short } = row;
        out.push(Made { any, maybe, longer: short.into(), shorter: short.into() });
    }

    export!(map: copy, only outputs);
}

#[test]
fn decimals_of_any_length_come_out_as_they_went_in() {
    let rows = "
        any                                      | maybe                | short
        9999999999999999999999999999999999.9999  | 123456789012345678.9 | 1.5
        -9999999999999999999999999999999999.9999 | null                 | -99999999.9
        -0.0001                                  | -0.01                | 0
        18446744073709551615.0001                | 0                    | 7
    ";
    let answer = map(long::Plugin, &[], rows).unwrap();
    let expected = [
        "0 | 9999999999999999999999999999999999.9999 | 123456789012345678.90 | 1.500 | 1.5",
        "1 | -9999999999999999999999999999999999.9999 | null | -99999999.900 | -99999999.9",
        "2 | -0.0001 | -0.01 | 0.000 | 0.0",
        "3 | 18446744073709551615.0001 | 0.00 | 7.000 | 7.0",
    ];
    assert_eq!(answer.rows, expected);
}

#[test]
#[should_panic(expected = "1234567890.5 does not fit `shorter`: decimal(9,1)")]
fn a_long_decimal_that_does_not_fit_its_column_traps() {
    drop(map(long::Plugin, &[], "any | maybe | short\n0 | 0 | 1234567890.5"));
}

fn digits(name: &str, precision: u8, scale: u8) -> [(String, String); 2] {
    [("precision", precision), ("scale", scale)]
        .map(|(what, digits)| (format!("decimal-{what}:{name}"), digits.to_string()))
}

/// What a host gives for a column of each length: one word a value, or two.
#[test]
fn a_long_field_reads_short_columns_too() {
    let config = [digits("any", 38, 0), digits("maybe", 18, 2), digits("short", 18, 1)].concat();
    let plugin = long::Plugin::init(&Config::new(config)).unwrap();
    let column = |values| Column { values, validity: None };
    let any = column(Values::Decimal38(&[-1, -1, 5, 1]));
    let maybe = column(Values::Decimal(&[150, -150]));
    let batch = Batch { rows: 2, columns: vec![any, maybe, column(Values::Decimal(&[1, 2]))] };
    let answer = plugin.map(&batch);
    let words = |column: usize| match &answer.columns[column].values {
        OwnedValues::Decimal(words) | OwnedValues::Decimal38(words) => words.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(words(0)[..2], [-10_000, -1]);
    assert_eq!(words(1), [150, 0, -150, -1]);
    assert_eq!((words(2), words(3)), (vec![100, 0, 200, 0], vec![1, 2]));
}

#[test]
fn a_column_that_is_longer_than_its_field_is_refused_at_the_start() {
    let config = [digits("any", 38, 4), digits("maybe", 20, 2), digits("short", 19, 3)].concat();
    let refused = long::Plugin::init(&Config::new(config)).err().unwrap();
    assert_eq!(
        refused,
        "the field of `short` is a `Decimal`, which has room for 18 digits, and its column is decimal(19,3): make the \
         field a `Decimal38`"
    );
}
