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
