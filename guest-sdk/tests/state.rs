//! States as bytes, their fingerprints, and what a refused row leaves behind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluicegate_sdk::prelude::*;
use sluicegate_sdk::testing::aggregate;
use sluicegate_sdk::{AggregatePlugin, Batch, Column, Layout, Plain, Values, Varlen};

#[derive(Clone, Copy, Debug, Default, PartialEq, PlainState)]
struct Numbers {
    small: u8,
    flag: bool,
    wide: i128,
    real: f64,
    money: Decimal,
    days: [Date; 2],
    last: Timestamp,
}

#[test]
fn a_plain_state_lies_at_fixed_places() {
    let state = Numbers {
        small: 1,
        flag: true,
        wide: -2,
        real: 0.5,
        money: Decimal::new(1234, 2),
        days: [Date(3), Date(-4)],
        last: Timestamp(5),
    };
    let mut bytes = vec![0xff];
    state.encode(&mut bytes);
    assert_eq!(bytes.len(), 1 + Numbers::SIZE);
    assert_eq!(Numbers::SIZE, 1 + 1 + 16 + 8 + 9 + 8 + 8);
    assert_eq!(bytes[1..5], [1, 1, 0xfe, 0xff]);
    assert_eq!(Numbers::decode(&bytes[1..]), Ok(state));
}

#[test]
fn no_bytes_are_the_default_and_wrong_bytes_an_error() {
    assert_eq!(Numbers::decode(&[]), Ok(Numbers::default()));
    assert_eq!(Numbers::decode(&[0; 50]), Err("50 bytes instead of 51".to_owned()));
    assert_eq!(Seen::decode(&[]).unwrap().0.len(), 0);
    assert_eq!(Seen::decode(&[0, 9]).err(), Some("1 bytes too many".to_owned()));
    assert!(Seen::decode(&[1]).is_err());
}

mod layouts {
    use super::*;

    #[derive(Clone, Copy, Default, PlainState)]
    pub(super) struct Base {
        pub(super) count: i64,
        pub(super) sum: f64,
    }
    #[derive(Clone, Copy, Default, PlainState)]
    pub(super) struct OtherName {
        pub(super) count: i64,
        pub(super) total: f64,
    }
    #[derive(Clone, Copy, Default, PlainState)]
    pub(super) struct OtherType {
        pub(super) count: u64,
        pub(super) sum: f64,
    }
    #[derive(Clone, Copy, Default, PlainState)]
    pub(super) struct OtherOrder {
        pub(super) sum: f64,
        pub(super) count: i64,
    }
    #[derive(Clone, Copy, Default, PlainState)]
    pub(super) struct Longer {
        pub(super) count: i64,
        pub(super) sum: f64,
        pub(super) max: f64,
    }
    #[derive(Clone, Copy, Default, PlainState)]
    pub(super) struct Renamed {
        pub(super) count: i64,
        pub(super) sum: f64,
    }
    #[derive(Default, Serialize, Deserialize, State)]
    pub(super) struct Encoded {
        pub(super) count: i64,
        pub(super) sum: f64,
    }
    #[derive(Default, Serialize, Deserialize, State)]
    pub(super) struct OfMap {
        pub(super) inner: BTreeMap<String, Kind>,
    }
    #[derive(Default, Serialize, Deserialize, Layout)]
    pub(super) enum Kind {
        #[default]
        None,
        Some(i64),
    }
    #[derive(Default, Serialize, Deserialize, Layout)]
    pub(super) struct Foreign {
        #[layout("range-v1")]
        pub(super) range: Option<std::ops::Range<u8>>,
    }
}

#[test]
fn fingerprints_tell_layouts_apart_and_stay_what_they_are() {
    use layouts::*;
    let all = [
        Base::LAYOUT,
        OtherName::LAYOUT,
        OtherType::LAYOUT,
        OtherOrder::LAYOUT,
        Longer::LAYOUT,
        Encoded::LAYOUT,
        OfMap::LAYOUT,
        Kind::LAYOUT,
        Foreign::LAYOUT,
        <BTreeMap<String, i64>>::LAYOUT,
        <BTreeMap<String, Option<i64>>>::LAYOUT,
        <[i64; 2]>::LAYOUT,
        <[i64; 3]>::LAYOUT,
        <(i64, u8)>::LAYOUT,
        <(u8, i64)>::LAYOUT,
    ];
    for (index, layout) in all.iter().enumerate() {
        assert!(!all[..index].contains(layout), "layout {index} is that of another");
    }
    assert_eq!(Base::LAYOUT, Renamed::LAYOUT, "the name of the struct is not in the bytes");
    // Stored in chain records: a change of the hash would refuse every module that is built anew.
    assert_eq!(Base::LAYOUT, 0x6bb9_011e_68fb_f778);
}

#[derive(Row)]
struct Word<'a> {
    word: &'a str,
}

#[derive(Debug, Default, Serialize, Deserialize, State)]
struct Seen(BTreeMap<String, u32>);

#[derive(OutputRow)]
struct Times<'a> {
    word: &'a str,
    times: i64,
}

/// Changes the state before it refuses, as no author should.
struct Careless;

impl Aggregate for Careless {
    type Row<'a> = Word<'a>;
    type State = Seen;
    type Output = Times<'static>;
    const STATE_VERSION: u32 = 2;
    const MIGRATES_FROM: &'static [u32] = &[1];

    fn new(_: &Config) -> Result<Self, String> {
        Ok(Self)
    }

    fn update(&self, seen: &mut Seen, row: Word<'_>) -> Result<(), Refused> {
        let times = seen.0.entry(row.word.to_owned()).or_default();
        *times += 1;
        if *times > 2 { Err(format!("`{}` is boring", row.word).into()) } else { Ok(()) }
    }

    fn merge(&self, seen: &mut Seen, later: Seen) {
        for (word, times) in later.0 {
            *seen.0.entry(word).or_default() += times;
        }
    }

    fn evaluate(&self, _: Window, seen: &Seen, out: &mut Emit<Times<'static>>) {
        for (word, times) in &seen.0 {
            out.push(Times { word, times: (*times).into() });
        }
    }

    fn migrate(&self, from_version: u32, bytes: &[u8]) -> Result<Seen, String> {
        assert_eq!(from_version, 1);
        let words = std::str::from_utf8(bytes).map_err(|why| why.to_string())?;
        Ok(Seen(words.split(' ').map(|word| (word.to_owned(), 1)).collect()))
    }
}

export!(aggregate: Careless);

#[test]
fn a_refused_row_leaves_no_trace_whatever_the_plugin_did() {
    let rows = "
        group | word
        0     | a
        1     | a
        0     | b
        0     | a
        0     | a
        0     | a
        0     | b
    ";
    let answer = aggregate(Plugin, &[], rows).unwrap();
    assert_eq!(answer.rows, ["0 | a | 2", "0 | b | 2", "1 | a | 1"]);
    assert_eq!(answer.rejects, ["row 4: `a` is boring", "row 5: `a` is boring"]);
}

#[test]
fn empty_states_stay_empty_in_merge_and_migrate() {
    let plugin = Plugin::init(&Config::default()).unwrap();
    let mut old = Varlen::new();
    old.push(b"x y");
    old.push(b"");
    let new = plugin.migrate(1, old.borrow()).unwrap();
    assert_eq!(Seen::decode(new.borrow().get(0)).unwrap().0.len(), 2);
    assert!(new.borrow().get(1).is_empty());

    let nothing = Varlen { offsets: vec![0; 3], bytes: Vec::new() };
    assert_eq!(plugin.merge(new.borrow(), nothing.borrow()), new);
    assert_eq!(plugin.merge(nothing.borrow(), new.borrow()), new);
}

#[test]
fn the_description_names_the_state() {
    let description = Plugin::describe();
    assert_eq!((description.state_version, description.migrates_from), (2, &[1][..]));
    assert_eq!(description.state_fingerprint, Seen::LAYOUT);
    assert!(!description.keeps_other_columns);
}

/// Counts how often a row is taken, and refuses every second one.
struct Counting;

thread_local! {
    static TAKEN: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Aggregate for Counting {
    type Row<'a> = Word<'a>;
    type State = Seen;
    type Output = Times<'static>;

    fn new(_: &Config) -> Result<Self, String> {
        Ok(Self)
    }

    fn update(&self, seen: &mut Seen, row: Word<'_>) -> Result<(), Refused> {
        TAKEN.set(TAKEN.get() + 1);
        *seen.0.entry(row.word.to_owned()).or_default() += 1;
        if row.word == "no" { Err("no".into()) } else { Ok(()) }
    }

    fn merge(&self, _: &mut Seen, _: Seen) {}

    fn evaluate(&self, _: Window, seen: &Seen, out: &mut Emit<Times<'static>>) {
        for (word, times) in &seen.0 {
            out.push(Times { word, times: (*times).into() });
        }
    }
}

mod counting {
    sluicegate_sdk::export!(aggregate: super::Counting);

    pub(super) type Counted = Plugin;
}

/// Each row is taken once more at most, however many are refused: a hot group must not run into the deadline.
#[test]
fn what_refused_rows_cost_grows_with_their_number_only() {
    const ROWS: usize = 2_000;
    let plugin = counting::Counted::init(&Config::default()).unwrap();
    for groups in [1, ROWS / 4] {
        let refused = |row: usize| row / groups % 2 == 1;
        let (mut text, mut offsets) = (String::new(), vec![0]);
        for row in 0..ROWS {
            text += if refused(row) { "no" } else { "yes" };
            offsets.push(text.len() as u32);
        }
        let of: Vec<u32> = (0..ROWS).map(|row| (row % groups) as u32).collect();
        let word =
            Column { values: Values::Utf8 { offsets: &offsets, text: &text }, validity: None };
        let batch = Batch { rows: ROWS, columns: vec![word] };
        let none = Varlen { offsets: vec![0; groups + 1], bytes: Vec::new() };
        TAKEN.set(0);
        let answer = plugin.update(&batch, &of, none.borrow());
        assert!(TAKEN.get() <= 2 * ROWS, "{} calls for {ROWS} rows", TAKEN.get());
        let rejects: Vec<usize> = answer.rejects.iter().map(|reject| reject.row as usize).collect();
        assert_eq!(rejects, (0..ROWS).filter(|row| refused(*row)).collect::<Vec<_>>());
        for group in 0..groups {
            let state = Seen::decode(answer.states.borrow().get(group)).unwrap();
            let times = (ROWS / 2 / groups) as u32;
            assert_eq!(state.0.into_iter().collect::<Vec<_>>(), [("yes".to_owned(), times)]);
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, PlainState)]
struct Account {
    balance: Decimal38,
    bookings: i64,
}

#[test]
fn a_long_decimal_takes_seventeen_bytes_of_a_plain_state() {
    let balance = "-99999999999999999999.9999".parse().unwrap();
    let state = Account { balance, bookings: 3 };
    let mut bytes = Vec::new();
    state.encode(&mut bytes);
    assert_eq!((bytes.len(), bytes[16]), (17 + 8, 4));
    assert_eq!(Account::decode(&bytes), Ok(state));
}

#[derive(Clone, Copy, Debug, Default, PartialEq, PlainState)]
struct Total {
    revenue: Decimal,
    sales: i64,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize, State)]
struct Payments(Vec<(Timestamp, Decimal)>);

/// Bytes that chains hold: what an SDK without long decimals has written.
#[test]
fn decimals_lie_in_states_as_they_always_did() {
    let total = [0x46, 0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 3, 0, 0, 0, 0, 0, 0, 0];
    let state = Total { revenue: "-12.10".parse().unwrap(), sales: 3 };
    assert_eq!(Total::decode(&total), Ok(state));
    let payments = [2, 0x80, 0x89, 0x7a, 0xf3, 0x12, 2, 0x0f, 0x01, 0];
    let decoded = Payments::decode(&payments).unwrap();
    let expected = [(Timestamp(1_000_000), "-12.10"), (Timestamp(-8), "-1")];
    assert_eq!(decoded.0, expected.map(|(at, amount)| (at, amount.parse().unwrap())));
    let mut bytes = Vec::new();
    decoded.encode(&mut bytes);
    assert_eq!(bytes, payments);
}
