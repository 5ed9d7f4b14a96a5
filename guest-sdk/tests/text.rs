//! Texts by code: what is asked of each, and how often.

use std::cell::Cell;

use sluicegate_sdk::prelude::*;
use sluicegate_sdk::{Batch, Column, Values};

#[derive(Row)]
struct Sale<'a> {
    store: Text<'a>,
    city: Option<Text<'a>>,
}

/// `berlin`, `oslo` and nothing.
const TEXT: &str = "berlinoslo";
const OFFSETS: &[u32] = &[0, 6, 10, 10];

fn coded(codes: &[u32]) -> Values<'_> {
    Values::Coded { codes, offsets: OFFSETS, text: TEXT }
}

fn batch<'a>(stores: Values<'a>, cities: Values<'a>, rows: usize) -> Batch<'a> {
    let column = |values| Column { values, validity: None };
    Batch { rows, columns: vec![column(stores), column(cities)] }
}

fn read<'a>(batch: &Batch<'a>) -> Vec<Sale<'a>> {
    let reader = Sale::reader(batch, &[0, 0]);
    (0..batch.rows).map(|row| Sale::read(&reader, row)).collect()
}

#[test]
fn a_text_reads_as_what_it_is() {
    let codes = [1, 0, 2, 1];
    let mut rows = batch(coded(&codes), coded(&codes), 4);
    rows.columns[1].validity = Some(&[0b1011]);
    let sales = read(&rows);
    let stores: Vec<&str> = sales.iter().map(|sale| sale.store.as_str()).collect();
    assert_eq!(stores, ["oslo", "berlin", "", "oslo"]);
    let cities: Vec<_> = sales.iter().map(|sale| sale.city.map(Text::as_str)).collect();
    assert_eq!(cities, [Some("oslo"), Some("berlin"), None, Some("oslo")]);
    assert!(sales[0].store == sales[3].store && sales[0].store != *"berlin");
    assert_eq!(format!("{:?} {:>6}", sales[0].store, sales[3].store), "\"oslo\"   oslo");
    let plain = batch(
        Values::Utf8 { offsets: OFFSETS, text: TEXT },
        Values::Utf8 { offsets: OFFSETS, text: TEXT },
        3,
    );
    assert_eq!(read(&plain)[1].store, "oslo");
}

#[test]
fn a_question_is_asked_once_for_each_value_of_a_column_in_a_call() {
    let lengths = PerValue::new();
    let asked = Cell::new(0);
    let length = |text: Text<'_>| {
        lengths.of(text, |text| {
            asked.set(asked.get() + 1);
            text.len()
        })
    };
    let codes = [1, 0, 1, 1, 0, 2];
    let rows = batch(coded(&codes), coded(&codes), 6);
    let sales = read(&rows);
    assert_eq!(sales.iter().map(|it| length(it.store)).collect::<Vec<_>>(), [4, 6, 4, 4, 6, 0]);
    assert_eq!(asked.get(), 3);
    // In another call the same codes are those of other texts.
    let other = Values::Coded { codes: &codes, offsets: &[0, 1, 2, 3], text: "abc" };
    let rows = batch(other, coded(&codes), 6);
    let sales = read(&rows);
    assert!(sales.iter().all(|it| length(it.store) == 1));
    assert_eq!(asked.get(), 6);
    // Nor have the codes of two columns to do with each other, whoever asks.
    let both = |it: &Sale<'_>| (length(it.store), length(it.city.unwrap()));
    assert_eq!(sales.iter().map(both).collect::<Vec<_>>()[1..3], [(1, 6), (1, 4)]);
    // Without codes each row is asked.
    asked.set(0);
    assert_eq!(["oslo", "oslo"].map(|text| length(text.into())), [4, 4]);
    assert_eq!(asked.get(), 2);
}

#[test]
fn a_question_may_ask_itself() {
    let depth = PerValue::new();
    let codes = [0, 1];
    let rows = batch(coded(&codes), coded(&codes), 2);
    let sales = read(&rows);
    let (berlin, oslo) = (sales[0].store, sales[1].store);
    assert_eq!(depth.of(berlin, |_| 1 + depth.of(oslo, |_| 1)), 2);
    assert_eq!((depth.of(berlin, |_| 0), depth.of(oslo, |_| 0)), (2, 1));
}
