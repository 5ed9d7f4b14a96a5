//! The commands that ask a host at work about its rows: dead letters and open windows.

use std::process::Output;

use serde_json::Value;

use crate::harness::host::{Host, ended, sluicegate};
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, services};

const SENT_MS: i64 = 1_700_000_000_000;

/// A host over a topic with these records, all of them committed.
fn at_work(label: &str, records: &[&[u8]]) -> (Topic, Place, Host) {
    let topic = Topic::create(services::kafka(), label, 1);
    for record in records {
        topic.send(0, SENT_MS, record);
    }
    topic.flush();
    let place = Place::local();
    let host = Host::serve(&place, &Pipeline::sales(kafka(&topic)).write(&place));
    eventually("all records are committed", || {
        (chain::head(&place)?.fates().read == records.len() as u64).then_some(())
    });
    (topic, place, host)
}

fn ask(place: &Place, host: &Host, line: &str) -> Output {
    ended(sluicegate(place).args(line.split(' ')).args(["--url", &host.url]))
}

/// What a command prints that succeeds.
#[track_caller]
fn told(place: &Place, host: &Host, line: &str) -> String {
    let output = ask(place, host, line);
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn refused(place: &Place, host: &Host, line: &str) -> String {
    let output = ask(place, host, line);
    assert_eq!(output.status.code(), Some(1), "{line}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn dead_letters_are_shown_on_the_command_line() {
    let negative = br#"{"store":"store-1","price":-1,"ts":1700000000}"#;
    let records: [&[u8]; 4] = [b"\xff", b"<script>\x1b[2J", b"no JSON", negative];
    let (topic, place, host) = at_work("ask-letters", &records);
    let all = told(&place, &host, "dead-letters sales");
    assert!(all.starts_with("AT "), "{all}");
    assert!(!all.contains('\u{1b}') && all.contains("<script>\\u{1b}[2J"), "{all}");
    for offset in 0..3 {
        assert!(all.contains(&format!("{}[0]@{offset} ", topic.name)), "{all}");
    }
    assert!(all.contains("0xff"), "{all}");

    let json = |line: &str| -> Value { serde_json::from_str(&told(&place, &host, line)).unwrap() };
    let first = json("dead-letters sales --kind decode --limit 2 --json");
    let offsets = |page: &Value| -> Vec<i64> {
        let rows = page["rows"].as_array().unwrap().iter();
        rows.map(|row| row["offset"].as_i64().unwrap()).collect()
    };
    assert_eq!(offsets(&first), [2, 1]);
    let older = first["older"].as_str().unwrap();
    let next = json(&format!("dead-letters sales --kind decode --before {older} --json"));
    assert_eq!(offsets(&next), [0]);
    let none = told(&place, &host, "dead-letters sales --stage nothing-of-the-kind");
    assert!(none.contains("no dead letters"), "{none}");

    let why = refused(&place, &host, "dead-letters sales --kind weird");
    assert!(why.contains("there is no kind `weird`"), "{why}");
    let why = refused(&place, &host, "dead-letters other");
    assert!(why.contains("there is no pipeline `other`: this host runs `sales`"), "{why}");
    host.stop();
}

#[test]
fn open_windows_are_shown_on_the_command_line() {
    let sale = |store: u32| {
        format!("{{\"store\":\"store-{store}\",\"price\":\"2.50\",\"ts\":1700000000}}")
    };
    let sales = [sale(1), sale(2), sale(2)];
    let records: Vec<_> = sales.iter().map(String::as_bytes).collect();
    let (_topic, place, host) = at_work("ask-windows", &records);
    let all = told(&place, &host, "windows sales");
    let mut lines = all.lines();
    let words = |line: Option<&str>| -> Vec<String> {
        line.unwrap().split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(words(lines.next())[..3], ["STORE", "REVENUE", "SALES"], "{all}");
    assert_eq!(words(lines.next())[..3], ["store-1", "2.50", "1"], "{all}");
    assert_eq!(words(lines.next())[..3], ["store-2", "5.00", "2"], "{all}");
    assert_eq!(lines.next(), Some("2 rows, of 2 open groups"));

    let one = told(&place, &host, "windows sales --key store-2 --json");
    let one: Value = serde_json::from_str(&one).unwrap();
    assert_eq!(one["rows"].as_array().unwrap().len(), 1, "{one:#}");
    assert_eq!(one["rows"][0][0], "store-2");
    let little = told(&place, &host, "windows sales --limit 1");
    assert!(little.contains("1 row, of 2 open groups; 1 not looked at"), "{little}");
    let why = refused(&place, &host, "windows sales --limit 0");
    assert!(why.contains("`limit=0` is out of range: 1 to 2000"), "{why}");
    host.stop();
}
