//! Rows by the codes of their keys against rows one by one.

use arrow::array::{Array, AsArray, BooleanArray, Date32Array, DictionaryArray, PrimitiveArray};
use arrow::datatypes::UInt32Type;

use super::*;

/// Few values, so that rows share them, and those among them that are told apart by little.
fn texts() -> impl Strategy<Value = ArrayRef> {
    let text = prop_oneof![
        "[ab]{0,2}",
        Just("a\0".to_owned()),
        Just("fifteen letters".to_owned()),
        Just("sixteen letters!".to_owned()),
        Just("more letters than fit, one".to_owned()),
        Just("more letters than fit, two".to_owned()),
        "[a-z]{1,20}",
    ];
    column(text, |values| Arc::new(StringArray::from(values)))
}

fn column<T: std::fmt::Debug + Clone>(
    value: impl Strategy<Value = T>,
    array: impl Fn(Vec<Option<T>>) -> ArrayRef,
) -> impl Strategy<Value = ArrayRef> {
    prop::collection::vec(prop::option::weighted(0.9, value), ROWS..=ROWS).prop_map(array)
}

fn any_column() -> impl Strategy<Value = ArrayRef> {
    let float = prop_oneof![Just(0.0), Just(-0.0), Just(f64::NAN), Just(-f64::NAN), any::<f64>()];
    prop_oneof![
        3 => texts(),
        1 => column(0..3_i64, |values| Arc::new(Int64Array::from(values))),
        1 => column(any::<i64>(), |values| Arc::new(Int64Array::from(values))),
        1 => column(-1..1_i32, |values| Arc::new(Date32Array::from(values))),
        1 => column(any::<bool>(), |values| Arc::new(BooleanArray::from(values))),
        1 => column(float, |values| Arc::new(Float64Array::from(values))),
        1 => column(0..2_i128, |values| Arc::new(Decimal128Array::from(values))),
    ]
}

const ROWS: usize = 80;

/// The texts by code. In order: each value stands in a row, and none before that of a lower code.
fn dictionary(column: &ArrayRef, in_order: bool) -> ArrayRef {
    let texts: Vec<Option<&str>> = column.as_string::<i32>().iter().collect();
    let mut values: Vec<Option<&str>> = Vec::new();
    texts.iter().for_each(|text| values.extend((!values.contains(text)).then_some(*text)));
    if !in_order {
        values.insert(0, Some("in no row"));
        values.reverse();
    }
    let code = |text| values.iter().position(|value| *value == text).unwrap() as u32;
    let codes: Vec<u32> = texts.iter().map(|text| code(*text)).collect();
    let codes = PrimitiveArray::<UInt32Type>::new(codes.into(), column.nulls().cloned());
    Arc::new(DictionaryArray::new(codes, Arc::new(StringArray::from(values))))
}

/// Where rows lie: in runs, some of them in a place that came before.
fn places() -> impl Strategy<Value = Vec<Place>> {
    prop::collection::vec((0..50_i64, 1..12_usize), 1..40).prop_map(|runs| {
        let place = |start| Place { bounds: window(start, start + 1), skipped: 0 };
        runs.into_iter().flat_map(|(start, rows)| vec![place(start); rows]).collect()
    })
}

/// What a call was, and what a checkpoint would store after it.
fn outcome(touched: &mut Touched, state: &mut KeyedState) -> (Vec<u32>, Varlen, Vec<u8>) {
    state.gather(touched);
    let after: Vec<Vec<u8>> =
        touched.states.iter().map(|it| [it, b"+".as_slice()].concat()).collect();
    let after = after.iter().map(Vec::as_slice).collect();
    state.scatter(touched, &after, std::iter::once(0));
    let mut blob = Vec::new();
    snapshot::encode(&[snapshot::Stored::Windows(state)], 0, None, &mut blob);
    (touched.groups.clone(), touched.states.clone(), blob)
}

proptest! {
    #[test]
    fn coded_keys_are_those_of_rows_one_by_one(
        columns in prop::collection::vec(any_column(), 1..4), step in 1..3_u32, skip in 0..40_u32,
    ) {
        let rows: Vec<u32> = (skip..ROWS as u32).step_by(step as usize).collect();
        let keys = RowKeys::new(&columns, &rows);
        let mut expected = Varlen::default();
        key::encode(&columns, RowSelection::Picked(&rows), &mut expected);
        for (row, key) in expected.iter().enumerate() {
            prop_assert_eq!(keys.key(row), key);
            prop_assert_eq!(keys.hash(row), TableHash::of(key));
            prop_assert_eq!(keys.shard(row), key_shard(key));
        }
        if let Some(codes) = keys.codes() {
            // A key has one code.
            let distinct: std::collections::BTreeSet<_> = expected.iter().collect();
            prop_assert_eq!(keys.distinct(), distinct.len());
            prop_assert_eq!(codes.len(), rows.len());
        }
    }

    #[test]
    fn keys_are_the_same_with_codes_that_are_known_already(
        columns in prop::collection::vec(any_column(), 1..4), step in 1..3_u32, skip in 0..40_u32,
        is_known in any::<[bool; 3]>(),
    ) {
        let rows: Vec<u32> = (skip..ROWS as u32).step_by(step as usize).collect();
        let codes: Vec<_> = columns.iter().map(ColumnCodes::new).collect();
        let known = codes.iter().zip(is_known).map(|(it, is_known)| it.as_ref().filter(|_| is_known));
        let known: Vec<_> = known.collect();
        let (keys, found) =
            (RowKeys::with_codes(&columns, &known, &rows), RowKeys::new(&columns, &rows));
        for row in 0..rows.len() {
            prop_assert_eq!(keys.key(row), found.key(row));
            prop_assert_eq!(keys.hash(row), found.hash(row));
            prop_assert_eq!(keys.shard(row), found.shard(row));
        }
        if let Some(codes) = keys.codes() {
            let of_keys: std::collections::BTreeMap<_, _> =
                codes.iter().zip(0..).map(|(code, row)| (keys.key(row), *code)).collect();
            prop_assert!(codes.iter().zip(0..).all(|(code, row)| of_keys[keys.key(row)] == *code));
            prop_assert!(codes.iter().all(|code| (*code as usize) < keys.distinct()));
        }
    }

    #[test]
    fn keys_of_a_dictionary_are_those_of_its_texts(
        columns in prop::collection::vec(texts(), 1..3), step in 1..3_u32, skip in 0..40_u32,
        order in any::<bool>(),
    ) {
        let rows: Vec<u32> = (skip..ROWS as u32).step_by(step as usize).collect();
        let coded: Vec<ArrayRef> = columns.iter().map(|column| dictionary(column, order)).collect();
        let codes: Vec<_> = coded.iter().map(|column| {
            let dictionary = column.as_dictionary::<UInt32Type>();
            ColumnCodes::of_dictionary(dictionary.keys().values(), dictionary.values().len())
        }).collect();
        prop_assert!(!order || codes.iter().all(Option::is_some));
        let known: Vec<_> = codes.iter().map(Option::as_ref).collect();
        for known in [&known, &vec![None; known.len()]] {
            let (keys, found) =
                (RowKeys::with_codes(&coded, known, &rows), RowKeys::new(&columns, &rows));
            for row in 0..rows.len() {
                prop_assert_eq!(keys.key(row), found.key(row));
                prop_assert_eq!(keys.hash(row), found.hash(row));
                prop_assert_eq!(keys.shard(row), found.shard(row));
            }
        }
    }

    #[test]
    fn rows_find_the_same_groups_by_code_as_by_hash(
        calls in prop::collection::vec((texts(), places()), 1..4),
    ) {
        let (mut by_code, mut by_hash) = (KeyedState::default(), KeyedState::default());
        let (mut coded, mut hashed) = (Touched::default(), Touched::default());
        for (column, places) in calls {
            let rows: Vec<u32> = (0..ROWS.min(places.len()) as u32).collect();
            let keys = RowKeys::new(&[column], &rows);
            by_code.begin(&mut coded);
            by_hash.begin(&mut hashed);
            let mut start = 0;
            for run in places[..rows.len()].chunk_by(|one, next| one == next) {
                by_code.touch_run(run[0], &keys, start..start + run.len(), &mut coded);
                for row in start..start + run.len() {
                    by_hash.touch(run[0], keys.hash(row), keys.key(row), &mut hashed);
                }
                start += run.len();
            }
            prop_assert_eq!(outcome(&mut coded, &mut by_code), outcome(&mut hashed, &mut by_hash));
        }
    }
}

#[test]
fn few_keys_have_codes_and_many_have_none() {
    let rows: Vec<u32> = (0..400).collect();
    let column = |key: &dyn Fn(u32) -> u32| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| format!("key-{}", key(*row)))))
    };
    let is_coded = |columns: &[ArrayRef]| RowKeys::new(columns, &rows).codes().is_some();
    assert!(is_coded(&[column(&|_| 7)]));
    assert!(is_coded(&[column(&|row| row / 4)]));
    assert!(!is_coded(&[column(&|row| row / 3)]), "134 keys of 400 rows");
    assert!(!is_coded(&[column(&|row| row % 100)]), "the first 50 rows have 50 keys");
    let pairs = [column(&|row| row / 4 % 7), column(&|row| row / 4 % 11)];
    assert_eq!(RowKeys::new(&pairs, &rows).distinct(), 77);
    assert!(!is_coded(&[column(&|row| row / 2 % 13), column(&|row| row / 2 % 11)]));
    // Sliced, as a part of a batch is.
    let sliced = [column(&|row| row / 4 % 5).slice(3, 20)];
    let keys = RowKeys::new(&sliced, &rows[..20]);
    assert_eq!((keys.distinct(), &keys.key(1)[5..]), (5, b"key-1".as_slice()));
}

#[test]
fn more_places_and_keys_than_have_room_are_found_by_hash() {
    let keys = (0..8_192).map(|row| row / 4);
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(keys));
    let rows: Vec<u32> = (0..8_192).collect();
    let keys = RowKeys::new(&[column], &rows);
    assert_eq!(keys.distinct(), 2_048);
    let (mut state, mut touched) = (KeyedState::default(), Touched::default());
    state.begin(&mut touched);
    for (start, rows) in (0..).zip(rows.chunks(100)) {
        let place = Place { bounds: window(start, start + 1), skipped: 0 };
        let rows = rows.iter().map(|row| *row as usize);
        state.touch_run(place, &keys, rows, &mut touched);
    }
    // In each place other keys, of four rows each.
    let expected: Vec<u32> = rows.iter().map(|row| row / 4).collect();
    assert_eq!(touched.groups, expected);
}
