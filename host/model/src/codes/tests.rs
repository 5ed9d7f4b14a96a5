//! The coder against a map, and its tables against chosen values.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{DictionaryArray, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use proptest::prelude::*;

use super::pair_hash::PairHash;
use super::*;
use crate::schema::with_codes;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]{0,2}",
        Just("a\0".to_owned()),
        Just("fifteen letters".to_owned()),
        Just("sixteen letters!".to_owned()),
        Just("more letters than fit, one".to_owned()),
        Just("more letters than fit, two".to_owned()),
        "[a-z]{1,20}",
    ]
}

fn packed(text: &str) -> Packed {
    Packed::text(text.as_bytes(), 0, text.len())
}

proptest! {
    /// Rows come, some of the last go again, and all that is left is as if those had never come.
    #[test]
    fn codes_are_those_of_a_map(
        steps in prop::collection::vec((text(), prop::option::weighted(0.2, 0..4_usize)), 0..60),
    ) {
        let mut coder = Coder::new(400);
        let mut rows: Vec<String> = Vec::new();
        for (text, gone) in steps {
            let row = rows.len() as u32;
            let same = |code: u32, firsts: &[u32]| rows[firsts[code as usize] as usize] == text;
            let met = coder.push(packed(&text), row, same);
            prop_assert_eq!(met == Met::New, !rows.contains(&text));
            rows.push(text);
            if let Some(gone) = gone {
                rows.truncate(rows.len().saturating_sub(gone));
                coder.truncate(rows.len());
            }
            let mut known = BTreeMap::new();
            let mut firsts = Vec::new();
            let codes: Vec<u32> = rows.iter().zip(0..).map(|(text, row)| {
                let next = known.len() as u32;
                *known.entry(text).or_insert_with(|| {
                    firsts.push(row);
                    next
                })
            }).collect();
            prop_assert_eq!(coder.codes(), codes.as_slice());
            prop_assert_eq!(coder.firsts(), firsts.as_slice());
        }
    }
}

#[test]
fn too_many_values_are_seen_early_or_at_the_end() {
    let mut coder = Coder::new(400);
    let number = |coder: &mut Coder, number: u64, row| {
        coder.push(Packed::long(number), row, |_, _| unreachable!("numbers are whole"))
    };
    let until = |coder: &mut Coder, value: fn(u32) -> u32| {
        coder.begin(400);
        (0..400).find(|row| number(coder, value(*row).into(), *row) == Met::TooMany)
    };
    assert_eq!(until(&mut coder, |row| row), Some(50), "each row has its own");
    assert_eq!(until(&mut coder, |row| row / 3), Some(300), "134 values of 400 rows");
    assert_eq!(until(&mut coder, |row| row / 4), None);
    assert_eq!(coder.firsts().len(), 100);
    assert_eq!(coder.take().codes.len(), 400);
    coder.begin(3);
    assert_eq!(number(&mut coder, 7, 0), Met::TooMany, "three rows gain nothing");
}

#[test]
fn chosen_numbers_do_not_share_a_place_of_the_table() {
    const PLACES: u64 = 4_096;
    let numbers: [fn(u64) -> (u64, u64); 4] =
        [|it| (it, 0), |it| (it * PLACES, 0), |it| (it << 32, 0), |it| (0, it << 56 | it)];
    for seed in [1, 2, 0x9e37_79b9_7f4a_7c15, u64::MAX] {
        let hash = PairHash::with_seed(seed);
        for number in numbers {
            let mut places = vec![0; PLACES as usize];
            (0..500).for_each(|it| places[(hash.of(number(it)) % PLACES) as usize] += 1);
            let most = places.into_iter().max().unwrap();
            assert!(most <= 12, "{most} numbers in one place with seed {seed}");
        }
    }
}

#[test]
fn a_schema_follows_its_columns_from_texts_to_codes_and_back_and_nowhere_else() {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a"]));
    let codes: DictionaryArray<UInt32Type> = ["a", "b", "a"].into_iter().collect();
    let codes: ArrayRef = Arc::new(codes);
    assert_eq!(&values(&codes), &text);
    let number: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 1]));
    let schema = |of: &DataType| -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("it", of.clone(), true)]))
    };
    for (declared, found) in [(&text, &codes), (&codes, &text)] {
        let fields = with_codes(&schema(declared.data_type()), std::slice::from_ref(found));
        assert_eq!(fields, schema(found.data_type()));
    }
    for (declared, found) in [(&text, &number), (&number, &text), (&number, &codes), (&text, &text)]
    {
        let fields = schema(declared.data_type());
        assert_eq!(with_codes(&fields, std::slice::from_ref(found)), fields);
    }
}
