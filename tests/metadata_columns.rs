//! What Kafka knows of a record beside its value comes into the columns that ask for it.

use crate::harness::host::run_to_end;
use crate::harness::pipeline::kafka_bounded;
use crate::harness::place::Place;
use crate::harness::services;
use crate::harness::table::rows;
use crate::harness::topic::{HeaderList, Topic};

const SCHEMA: &str = r#"
[schema]
n = "int64"
topic = { type = "string", from = "topic" }
part = { type = "int64", from = "partition" }
place = { type = "int64", from = "offset" }
sent = { type = "timestamp(ms)", from = "timestamp" }
who = { type = "string", from = "key", nullable = true }
trace = { type = "string", from = "header:trace", nullable = true }
raw = { type = "binary", from = "header:raw", nullable = true }
all = { type = "json", from = "headers" }
"#;

const SENT_MS: i64 = 1_700_000_000_123;

/// A key and an empty one and none, a header twice and one without a value; with and without the table of dead letters, which
/// reads keys and headers as well.
#[test]
fn what_a_topic_knows_of_a_record_stands_in_columns() {
    let topic = Topic::create(services::kafka(), "beside", 2);
    let header = |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec));
    let twice = vec![
        header("trace", Some(b"first")),
        header("raw", Some(b"\xff\x00")),
        header("trace", Some(b"last")),
    ];
    let none = vec![header("trace", None)];
    topic.send_with_key(0, SENT_MS, Some(b"anna"), br#"{"n":1}"#, &twice);
    topic.send_with_key(0, SENT_MS, Some(b""), br#"{"n":2}"#, &HeaderList::new());
    topic.send_with_key(1, SENT_MS, None, br#"{"n":3}"#, &none);
    topic.flush();
    for dead_letters in ["", "[dead_letters]\nenabled = false\n"] {
        let place = Place::local();
        let url = &place.url;
        let text = format!(
            "name = \"beside\"\n{}{SCHEMA}[event_time]\ncolumn = \"sent\"\n\
             [[sinks]]\nid = \"rows\"\ntype = \"parquet\"\npath = \"{url}/rows\"\n{dead_letters}\
             [checkpoint]\npath = \"{url}/chain\"\n",
            kafka_bounded(&topic)
        );
        let path = place.folder.path().join("beside.toml");
        std::fs::write(&path, text).unwrap();
        run_to_end(&place, &path);

        let columns = ["n", "topic", "part", "place", "sent", "who", "trace", "raw", "all"];
        let (name, sent) = (&topic.name, "2023-11-14T22:13:20.123Z");
        let all = r#"[{"name":"trace","value":"first"},{"hex":"ff00","name":"raw"},{"name":"trace","value":"last"}]"#;
        let expected = [
            format!("1 | {name} | 0 | 0 | {sent} | anna | last | ff00 | {all}"),
            format!("2 | {name} | 0 | 1 | {sent} |  | null | null | []"),
            format!(
                "3 | {name} | 1 | 0 | {sent} | null | null | null | {}",
                r#"[{"name":"trace","value":null}]"#
            ),
        ];
        assert_eq!(rows(&place, "rows", &columns), expected);
    }
}
