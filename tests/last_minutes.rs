//! What a host tells of the last minutes: rates, commits and marks agree with what was produced and with the chain.

use serde_json::Value;

use crate::harness::host::Host;
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, seed, services};

/// What a rate of the history sums up to. Rates are over the monotonic clock and rounded, times are of the wall in
/// milliseconds: the sum is off by far less than a record in a hundred.
fn total(history: &Value, rates: &Value) -> f64 {
    let numbers = |list: &Value| -> Vec<f64> {
        list.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let (at, rates) = (numbers(&history["at"]), numbers(rates));
    let first = history["interval_seconds"].as_f64().unwrap();
    let lengths = std::iter::once(first).chain(at.windows(2).map(|pair| pair[1] - pair[0]));
    lengths.zip(rates).map(|(length, rate)| length * rate).sum()
}

fn is_about(found: f64, expected: u64) -> bool {
    let expected = expected as f64;
    (found - expected).abs() <= 1.0 + expected / 50.0
}

#[test]
fn rates_commits_and_marks_tell_what_was_produced_and_what_the_chain_says() {
    let topic = Topic::create(services::kafka(), "last-minutes", 2);
    let place = Place::local();
    let host = Host::serve(&place, &Pipeline::sales(kafka(&topic)).write(&place));
    let history = || host.get("/v1/pipelines/sales/history");
    eventually("the host has begun to take samples", || {
        history()["at"].as_array().unwrap().first().map(drop)
    });
    Sales::new(seed(71), 2).send(&topic, 400);
    eventually("all sales are committed", || {
        (chain::head(&place)?.fates().read == 800).then_some(())
    });
    host.upload("valid-sale", "valid-sale");
    host.upload("premium-sale", "premium-sale");
    let answer = host.activate("sales", "valid", "premium-sale");

    let shown = eventually("the samples have all records, and the marks the activation", || {
        let shown = history();
        let marks = shown["marks"].as_array().unwrap().clone();
        let is_marked = marks.iter().any(|mark| mark["kind"] == "activation");
        (is_marked && is_about(total(&shown, &shown["read"]), 800)).then_some(shown)
    });
    let fates = chain::head(&place).unwrap().fates();
    for (fate, count) in [
        ("read", fates.read),
        ("accepted", fates.accepted),
        ("filtered", fates.filtered),
        ("late", fates.late),
        ("dead_lettered", fates.dead_lettered),
    ] {
        let found = total(&shown, &shown[fate]);
        assert!(is_about(found, count), "{fate}: {found}, not {count}: {shown:#}");
    }
    let written: u64 = chain::records(&place).iter().map(|record| record.rows("revenue")).sum();
    let found = total(&shown, &shown["written_rows"]);
    assert!(written > 0 && is_about(found, written), "{found} rows, not {written}: {shown:#}");
    let stages = &shown["stages"];
    let came = total(&shown, &stages["valid"]["rows"]);
    let went_on = came - total(&shown, &stages["valid"]["dropped"]);
    // Not what was no record, and not what the filter refused; each row of the others is one of a record.
    assert!(came < 801.0 && is_about(went_on, fates.accepted + fates.late), "{stages:#}");
    let micros = stages["valid"]["micros_per_row"].as_array().unwrap();
    assert!(micros.iter().any(|value| value.as_f64().is_some_and(|micros| micros > 0.0)));

    let mark = marked(&shown, "activation");
    assert_eq!(mark["epoch"], answer["epoch"]);
    assert_eq!((&mark["digest"], &mark["previous"]), (&answer["digest"], &answer["previous"]));
    assert_eq!((&mark["stage"], &mark["module"]), (&"valid".into(), &"premium-sale".into()));
    assert_eq!(marked(&history(), "opened")["epoch"], 0);

    let status = eventually(
        "the status has the rates of the last ten seconds and the number of the module",
        || {
            let status = host.get("/v1/pipelines/sales");
            let is_told = status["rates"]["read"].is_f64() && status["stages"][0]["version"] == 1;
            is_told.then_some(status)
        },
    );
    assert_commits(&status, &place, answer["epoch"].as_u64().unwrap());
    // Of all there were, those that a slow machine has read within the last minute.
    assert!(status["late_a_minute"].as_u64().unwrap() <= fates.late, "{status:#}");
    let of_kind = status["dead_letters"].as_array().unwrap().iter();
    let letters: u64 = of_kind.map(|kind| kind["count"].as_u64().unwrap()).sum();
    assert!(status["dead_letters_a_minute"].as_u64().unwrap() <= letters, "{status:#}");
    let holding = status["partitions"].as_array().unwrap().iter();
    assert_eq!(holding.filter(|partition| partition["holds_watermark"] == true).count(), 1);
    host.stop();
}

fn marked(history: &Value, kind: &str) -> Value {
    let marks = history["marks"].as_array().unwrap();
    marks.iter().find(|mark| mark["kind"] == kind).unwrap_or_else(|| panic!("{marks:?}")).clone()
}

/// The commits of a status are the last records of the chain, the newest first.
fn assert_commits(status: &Value, place: &Place, activated: u64) {
    let records = chain::records(place);
    let commits = status["commits"].as_array().unwrap();
    assert!(commits.len() == records.len().min(60), "{} of {}", commits.len(), records.len());
    for (commit, record) in commits.iter().zip(records.iter().rev()) {
        assert_eq!(commit["epoch"], record.epoch());
        let (files, rows, bytes) = record.written();
        assert_eq!(commit["files"], files, "{commit}");
        assert_eq!(commit["rows"], rows, "{commit}");
        assert_eq!(commit["bytes"], bytes, "{commit}");
        assert_eq!(commit["state_bytes"], record.state_bytes(), "{commit}");
        assert!(commit["seconds"].as_f64().unwrap() > 0.0, "{commit}");
        let activates = if record.epoch() == activated { vec!["valid"] } else { Vec::new() };
        assert_eq!(commit["activates"], serde_json::json!(activates), "{commit}");
    }
}
