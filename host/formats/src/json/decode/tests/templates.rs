//! Records that are written as those before them, for as long as they are.

use proptest::prelude::*;
use proptest::sample::select;

use super::plain::{decoder, each_as_alone};
use crate::json::decode::plain::Sight;
use crate::json::decode::template::{Followed, Template};
use crate::json::decode::{Decoder, plain};

/// What a sender writes before each value, in its order: some keys are longer than what is compared at once.
const FORMS: [&[&str]; 5] = [
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
        lead if lead.contains("store") => "\"[a-z]{0,20}\"",
        lead if lead.contains("\"q\"") => "\"[1-9][0-9]{0,9}\"",
        lead if lead.contains("deep") => "\\{\"er\":[1-9]\\}",
        _ => "(0|[1-9][0-9]{0,5})(\\.[0-9]{1,2})?",
    };
    prop_oneof![12 => ordinary, 1 => value()].boxed()
}

/// A record of a form, or one that stops being so somewhere.
fn record() -> impl Strategy<Value = String> {
    let form = select(FORMS.to_vec());
    let of_form = form.prop_flat_map(|form| {
        let entry = |lead: &&'static str| (Just(*lead), value_of(lead));
        let entries: Vec<_> = form.iter().map(entry).collect();
        let left_out = prop::option::weighted(0.1, 0..form.len());
        (entries, left_out, select(vec!["}", "}", "}", "}\n", " }", ",\"n\":1}", "", "}}"]))
    });
    of_form.prop_map(|(mut entries, left_out, end)| {
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

/// How far a record is as the template of a decoder says: bytes, and None where it is to its end.
fn followed(decoder: &mut Decoder, record: &str) -> Option<usize> {
    let padded = format!("{record}{}", " ".repeat(plain::BYTES_BEHIND));
    decoder.shape.begin_record();
    let Decoder { shape, template, columns, .. } = decoder;
    match template.follow(padded.as_bytes(), shape, columns).expect("its values are good") {
        Followed::Whole { end, .. } => {
            assert_eq!(end, record.len());
            None
        }
        Followed::Part(left) => Some(left.at),
    }
}

/// Decodes a record with nothing else.
fn read(decoder: &mut Decoder, record: &str) {
    let padded = format!("{record}{}", " ".repeat(plain::BYTES_BEHIND));
    decoder.shape.begin_record();
    let sight = Sight { bytes: padded.as_bytes(), length: record.len() };
    let Decoder { shape, template, columns, .. } = decoder;
    plain::decode(sight, template, shape, columns).expect("a plain record");
}

#[test]
fn a_record_like_the_last_is_followed_to_its_end_and_another_as_far_as_it_is_like_it() {
    let mut decoder = decoder();
    let record = r#"{"store":"s","a key that nobody wants to have":"t","price":1,"n":2}"#;
    assert_eq!(followed(&mut decoder, record), Some(0), "nothing was learned");
    read(&mut decoder, record);
    assert_eq!(followed(&mut decoder, record), None);
    let same = r#"{"store":"a longer text than sixteen","a key that nobody wants to have":[{}],"price":-1.5,"n":null}"#;
    assert_eq!(followed(&mut decoder, same), None, "whatever the values are");
    let others = [
        (r#"{"store":"s""#, r#","a key that nobody has":"t","price":1,"n":2}"#),
        (r#"{"store":"s","a key that nobody wants to have":"t","price":1"#, "}"),
        (r#"{"store":"s","a key that nobody wants to have":"t","price":1,"n":2"#, " }"),
        ("", r#"{ "store":"s"}"#),
    ];
    for (same, other) in others {
        assert_eq!(followed(&mut decoder, &format!("{same}{other}")), Some(same.len()), "{other}");
    }
}

#[test]
fn a_stream_that_is_written_in_another_way_from_some_record_on_is_learned() {
    let mut decoder = decoder();
    let (old, new) = (r#"{"store":"s","price":1,"n":2}"#, r#"{"store":"s","n":2,"price":1}"#);
    read(&mut decoder, old);
    let learned = (1..100).find(|_| {
        read(&mut decoder, new);
        followed(&mut decoder, new).is_none()
    });
    assert_eq!(learned, Some(8));
    assert_eq!(followed(&mut decoder, old), Some(r#"{"store":"s""#.len()));
}

#[test]
fn what_nobody_could_remember_is_learned_by_nobody() {
    // The first key of the last record has no place, and where it led nobody knows: not where the first key before it did.
    let many: String = (0..100).map(|number| format!(",\"k{number}\":{number}")).collect();
    let first = format!("{{\"store\":\"s\",\"price\":1{many}}}");
    let unknown = r#"{"k99":"t","store":"s","price":1}"#.to_owned();
    let records: Vec<String> = std::iter::once(first.clone())
        .chain(std::iter::repeat_n(unknown, 20))
        .chain([first, r#"{"store":"u","price":1}"#.to_owned()])
        .collect();
    each_as_alone(&records).unwrap();
    let keys = |count: usize| (0..count).map(|_| ",\"store x\":1").collect::<String>();
    let long = format!("{{\"store\":\"s\",\"price\":1{}}}", keys(2_000));
    let mut decoder = decoder();
    read(&mut decoder, &long);
    assert_eq!(followed(&mut decoder, &long), Some(0), "a record of too many keys is not kept");
}

#[test]
fn a_template_of_no_record_says_nothing() {
    let mut decoder = decoder();
    let Decoder { shape, columns, .. } = &mut decoder;
    let followed = Template::new().follow(b"}                ", shape, columns);
    assert!(matches!(followed, Some(Followed::Part(left)) if left.at == 0));
}
