//! Records that are written as those before them, for as long as they are.

use proptest::prelude::*;
use proptest::sample::select;

use super::plain::{decoder, each_as_alone, parsed};
use crate::json::decode::plain::Sight;
use crate::json::decode::template::Followed;
use crate::json::decode::{Decoder, plain};
use sluicegate_model::varlen::Varlen;

/// What a sender writes before each value, in its order: some keys are longer than what is compared at once.
const FORMS: [&[&str]; 11] = [
    &["{\"store\":", ",\"price\":", ",\"n\":"],
    &["{\"store\":", ",\"n\":", ",\"price\":"],
    &["{ \"price\" : ", " , \"a key of more than eight bytes\" : ", " , \"store\" : "],
    &[
        "{\"a key that nobody wants to have\":",
        ",\"store\":",
        ",\"deep\":",
        ",\"price\":",
        ",\"a key that nobody wants to have\":",
    ],
    &["{\"price\":", ",\"price_text\":", ",\"q\":", ",\"store\":"],
    &["{\"deep\":{\"x\":", ",\"er\":", "},\"store\":", ",\"price\":"],
    &["{\"store\":", ",\"price\":", ",\"deep\" : { \"er\":", " } ,\"flat\":{\"a\":"],
    &["{\"deep\":{\"in\":{\"a\":", "},\"er\":", ",\"z\":", "},\"store\":", ",\"price\":"],
    &["{\"store\":", ",\"price\":", ",\"deep\":{\"z\":", ",\"in\":{\"b\":", ",\"a\":"],
    &["{\"store\":", ",\"deep\":null,\"price\":", ",\"n\":"],
    &["{\"deep\":{\"in\":null,\"er\":", "},\"store\":", ",\"price\":"],
];

fn value() -> impl Strategy<Value = String> {
    let texts = ["\"s\"", "\"\"", "\"a text of sixteen \"", "\"\\u00fc\"", "\"null\"", "\"7\""];
    let numbers = ["0", "-1", "4.20", "5.0", "123456789.5", "1234567890123456", "1e2", "01", "-"];
    let others = ["null", "true", "{\"er\":3}", "{\"er\":3,\"er\":4}", "[1,[]]", "{}", " 1", ""];
    let texts = select(texts.to_vec());
    prop_oneof![6 => texts, 6 => select(numbers.to_vec()), 2 => select(others.to_vec())]
        .prop_map(str::to_owned)
}

/// A value that the columns of that key take, mostly.
fn value_of(lead: &str) -> BoxedStrategy<String> {
    let ordinary = match lead {
        lead if lead.contains("store") || lead.ends_with("\"a\":") => "\"[a-z]{0,20}\"",
        lead if lead.contains("\"q\"") => "\"[1-9][0-9]{0,9}\"",
        lead if lead.ends_with("\"deep\":") => "\\{\"er\":[1-9]\\}",
        _ => "(0|[1-9][0-9]{0,5})(\\.[0-9]{1,2})?",
    };
    prop_oneof![12 => ordinary, 1 => value()].boxed()
}

/// A record of a form, or one that stops being so somewhere.
pub(super) fn record() -> impl Strategy<Value = String> {
    let form = select(FORMS.to_vec());
    let of_form = form.prop_flat_map(|form| {
        let entry = |lead: &&'static str| (Just(*lead), value_of(lead));
        let entries: Vec<_> = form.iter().map(entry).collect();
        let left_out = prop::option::weighted(0.1, 0..form.len());
        let more = prop::option::weighted(0.2, 0..form.len());
        (
            entries,
            left_out,
            more,
            select(vec!["}", "}", "}", "}\n", " }", ",\"n\":1}", "", "}}", "}}"]),
        )
    });
    of_form.prop_map(|(mut entries, left_out, more, end)| {
        // Wherever that is, also within an object.
        if let Some(index) = more {
            entries[index].1 += ",\"y\":1";
        }
        if let Some(index) = left_out {
            entries.remove(index);
        }
        let entries = entries.iter().map(|(lead, value)| format!("{lead}{value}"));
        entries.collect::<String>() + end
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_024, ..ProptestConfig::default() })]

    #[test]
    fn a_record_that_others_were_like_is_judged_as_if_it_stood_alone(
        runs in prop::collection::vec((record(), 1..12_usize, record()), 1..6),
    ) {
        // Each long enough for its form to be learned, whichever was before.
        let records = runs.iter().flat_map(|(one, times, other)| {
            std::iter::repeat_n(one, *times).chain([other]).cloned()
        });
        each_as_alone(&records.collect::<Vec<_>>())?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_024, ..ProptestConfig::default() })]

    /// Characters of several bytes stand in keys, in texts that are read, and in what nobody reads; records are cut anywhere.
    #[test]
    fn bytes_that_are_no_utf8_spoil_nothing_but_their_record(
        texts in prop::collection::vec(("[aü😀]{0,9}", "[aü😀]{0,30}", 0..40_usize), 1..24),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..3_usize), 0..4),
    ) {
        let record = |(text, other, long): &(String, String, usize)| {
            let long = other.repeat(*long / 10);
            format!(
                "{{\"store\":\"{text}\",\"ü😀 a key of some length ü\":\"{long}\",\"flat\":[\"{other}\"],\"price\":1}}"
            )
        };
        let mut records: Vec<Vec<u8>> = texts.iter().map(|it| record(it).into_bytes()).collect();
        for (place, way) in cuts {
            let index = place.index(records.len());
            let record = records[index].clone();
            if record.is_empty() {
                continue;
            }
            let at = place.index(record.len());
            match way {
                0 => drop(records[index].remove(at)),
                1 => drop(records[index].split_off(at)),
                _ => {
                    records[index].truncate(at);
                    records.insert(index + 1, record[at..].to_vec());
                }
            }
        }
        let values: Varlen = records.iter().map(Vec::as_slice).collect();
        let decoded = decoder().decode(&values, 0..records.len());
        let rejects: Vec<u32> = decoded.rejects.iter().map(|(record, _)| *record).collect();
        let mut row = 0;
        for (index, record) in records.iter().enumerate() {
            let alone = std::str::from_utf8(record).ok().and_then(|record| parsed(record).ok());
            prop_assert_eq!(alone.is_none(), rejects.contains(&(index as u32)));
            if let Some(alone) = alone {
                prop_assert_eq!(decoded.batch.slice(row, 1), alone);
                row += 1;
            }
        }
    }
}

/// How far a record is as the template of a decoder says: bytes, and None where it is to its end.
fn followed(decoder: &mut Decoder, record: &str) -> Option<usize> {
    let padded = format!("{record}{}", " ".repeat(plain::BYTES_BEHIND));
    decoder.shape.begin_record();
    let Decoder { shape, template, columns, .. } = decoder;
    let rows = columns[0].len();
    let followed = template.follow(padded.as_bytes(), shape, columns).expect("values are good");
    columns.iter_mut().for_each(|column| column.truncate(rows));
    match followed {
        Followed::Whole { end, .. } => {
            assert_eq!(end, record.trim_end().len());
            None
        }
        Followed::Until(left) => Some(left.at),
    }
}

/// Decodes a record with nothing else.
fn read(decoder: &mut Decoder, record: &str) -> bool {
    let padded = format!("{record}{}", " ".repeat(plain::BYTES_BEHIND));
    decoder.shape.begin_record();
    let sight = Sight { bytes: padded.as_bytes(), length: record.len() };
    let Decoder { shape, template, columns, .. } = decoder;
    columns.iter_mut().for_each(|column| column.truncate(0));
    plain::decode(sight, 0, template, shape, columns).is_some()
}

#[test]
fn a_record_like_the_last_is_followed_to_its_end_and_another_as_far_as_it_is_like_it() {
    let mut decoder = decoder();
    let record = r#"{"store":"s","a key that nobody wants to have":"t","price":1,"n":2}"#;
    assert_eq!(followed(&mut decoder, record), Some(0), "nothing was learned");
    assert!(read(&mut decoder, record));
    assert_eq!(followed(&mut decoder, record), None);
    let same = r#"{"store":"a longer text than sixteen","a key that nobody wants to have":[{}],"price":-1.5,"n":null}"#;
    assert_eq!(followed(&mut decoder, same), None, "whatever the values are");
    let others = [
        (r#"{"store":"s""#, r#","a key that nobody has":"t","price":1,"n":2}"#),
        (r#"{"store":"s""#, r#","a key that nobody wants to take":"t","price":1,"n":2}"#),
        (r#"{"store":"s","a key that nobody wants to have":"t","price":1"#, "}"),
        (r#"{"store":"s","a key that nobody wants to have":"t","price":1,"n":2"#, " }"),
        ("", r#"{ "store":"s"}"#),
    ];
    for (same, other) in others {
        assert_eq!(followed(&mut decoder, &format!("{same}{other}")), Some(same.len()), "{other}");
    }
}

#[test]
fn objects_are_followed_like_the_record_and_one_that_differs_is_read_from_the_beginning() {
    let mut decoder = decoder();
    let record = r#"{"store":"s","deep":{"x":1,"er":2},"price":1}"#;
    assert!(read(&mut decoder, record));
    assert_eq!(followed(&mut decoder, record), None);
    let behind = r#"{"store":"s","deep":{"x":1,"er":2}"#;
    assert_eq!(followed(&mut decoder, &format!("{behind},\"n\":1}}")), Some(behind.len()));
    assert_eq!(followed(&mut decoder, r#"{"store":"s","deep":{"er":2},"price":1}"#), Some(12));
    assert_eq!(followed(&mut decoder, r#"{"store":"s","deep":{"x":1,"y":2},"price":1}"#), Some(0));
    // What was read of an object that goes on otherwise is read again, and not twice.
    for key in ["er", "z"] {
        let one = |end: &str| format!(r#"{{"store":"s","deep":{{"x":1,"{key}":2{end},"price":1}}"#);
        let (whole, more) = (one("}"), one(r#","y":3}"#));
        each_as_alone(&[whole.clone(), more.clone(), whole.clone(), more, whole]).unwrap();
    }
    // However it comes to the second object of that name, it is the second.
    let twice = r#"{"store":"s","deep":{"x":1,"er":2},"deep":{"x":1,"er":3},"price":1}"#;
    assert!(!read(&mut decoder, twice));
    assert!(
        read(&mut decoder, record)
            && read(&mut decoder, &format!("{behind},\"price\":2,\"n\":1}}"))
    );
}

#[test]
fn a_stream_that_is_written_in_another_way_from_some_record_on_is_learned() {
    let (old, new) = (r#"{"store":"s","price":1,"n":2}"#, r#"{"store":"s","n":2,"price":1}"#);
    let other = r#"{"store":"s","x":1,"price":1}"#;
    let until_learned = |decoder: &mut Decoder, record| {
        let is_learned = |_: &usize| {
            read(decoder, record);
            followed(decoder, record).is_none()
        };
        (1..1_000).find(is_learned)
    };
    let mut decoder = decoder();
    assert_eq!(until_learned(&mut decoder, old), Some(1));
    assert_eq!(until_learned(&mut decoder, new), Some(2));
    assert_eq!(until_learned(&mut decoder, other), Some(4));
    assert_eq!(followed(&mut decoder, old), Some(r#"{"store":"s""#.len()));
}

#[test]
fn null_in_the_place_of_an_object_is_followed_like_what_leads_to_a_value() {
    let with = |deep: &str| format!(r#"{{"store":"s","deep":{deep},"price":1}}"#);
    let mut decoder = decoder();
    assert!(read(&mut decoder, &with("null")));
    assert_eq!(followed(&mut decoder, &with("null")), None);
    assert_eq!(followed(&mut decoder, &with(r#"{"er":2}"#)), Some(r#"{"store":"s""#.len()));
    let long = r#"{"store":"s","a key of more than eight bytes":1,"deep":{"in":null},"price":1}"#;
    let records = ["null", "null", r#"{"er":2}"#, "nullx", "null", "nul", "null", "[]", "null"];
    let records = records.iter().flat_map(|deep| [with(deep), long.to_owned()]);
    each_as_alone(&records.collect::<Vec<_>>()).unwrap();
}

#[test]
fn a_record_that_is_given_up_is_learned_by_nobody_and_keeps_nobody_from_it() {
    let (good, bad) = (r#"{"store":"s","price":1}"#, r#"{"store":"s","price":1e2}"#);
    let mut decoder = decoder();
    assert!(!read(&mut decoder, bad) && read(&mut decoder, good));
    assert_eq!(followed(&mut decoder, good), None);
    assert!(!read(&mut decoder, r#"{"store":"s","price":1,"n":1}}"#));
    assert_eq!(followed(&mut decoder, good), None);
}

#[test]
fn a_record_that_ends_with_the_bytes_says_nothing_of_others() {
    let mut decoder = decoder();
    let record = r#"{"store":"s","price":1,"n":2}"#;
    assert!(read(&mut decoder, record));
    for _ in 0..100 {
        decoder.shape.begin_record();
        let sight = Sight { bytes: record.as_bytes(), length: record.len() };
        let Decoder { shape, template, columns, .. } = &mut decoder;
        columns.iter_mut().for_each(|column| column.truncate(0));
        assert!(plain::decode(sight, 0, template, shape, columns).is_some());
    }
    assert_eq!(followed(&mut decoder, record), None);
    let other = r#"{"store":"s","x":1,"price":1}"#;
    assert!(read(&mut decoder, other));
    assert!(read(&mut decoder, other));
    assert_eq!(followed(&mut decoder, other), None, "one in two is learned still");
}

#[test]
fn keys_in_any_order_are_tried_now_and_then() {
    let mut decoder = decoder();
    read(&mut decoder, r#"{"store":"s","price":1}"#);
    // In vain as well: nothing had been learned.
    let other = r#"{"store":"s","price":1,"n":1}"#;
    let mut is_tried = || followed(&mut decoder, other) != Some(0);
    assert!((0..7).all(|_| is_tried()));
    for _ in 0..4 {
        assert!((0..15).all(|_| !is_tried()));
        assert!(is_tried());
    }
}

#[test]
fn what_nobody_could_remember_is_followed_no_further() {
    // The first key of the last record has no place among those that are remembered.
    let many: String = (0..100).map(|number| format!(",\"k{number}\":{number}")).collect();
    let first = format!("{{\"store\":\"s\",\"price\":1{many}}}");
    let unknown = r#"{"k99":"t","store":"s","price":1}"#.to_owned();
    let records: Vec<String> = std::iter::once(first.clone())
        .chain(std::iter::repeat_n(unknown, 20))
        .chain([first, r#"{"store":"u","price":1}"#.to_owned()])
        .collect();
    each_as_alone(&records).unwrap();
    let keys: String = (0..2_000).map(|_| ",\"x\":1").collect();
    let long = format!("{{\"store\":\"s\",\"price\":1{keys}}}");
    let mut decoder = decoder();
    read(&mut decoder, &long);
    let far = followed(&mut decoder, &long);
    assert!(far.is_some_and(|far| (5_000..9_000).contains(&far)), "{far:?}");
    each_as_alone(&[long.clone(), long.clone(), long]).unwrap();
}
