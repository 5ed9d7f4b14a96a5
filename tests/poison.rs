//! Rows that make a plugin trap, while hosts die and end over them: each is refused once, whoever leads.

use std::ops::Range;

use crate::exactly_once::wait_for_the_end;
use crate::harness::host::Host;
use crate::harness::place::Place;
use crate::harness::table::{assert_same_rows, rows};
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, services};
use crate::misbehaving;

/// How many records come each time before the leader goes.
const ROUND: i64 = 2_000;
/// One in so many is guilty.
const EVERY: i64 = 50;

fn send(topic: &Topic, numbers: Range<i64>) {
    for number in numbers {
        let i = if number % EVERY == 0 { -1 - number } else { 100 + number };
        let at = 1_700_000_000_000 + number;
        topic.send(0, at, format!("{{\"i\":{i},\"s\":\"s\",\"at\":{at}}}").as_bytes());
    }
    topic.flush();
}

#[test]
fn a_row_that_makes_a_plugin_trap_is_refused_once_whoever_leads() {
    let place = Place::local();
    let topic = Topic::create(services::kafka(), "poison", 1);
    let evil = place.folder.path().join("evil.wasm");
    std::fs::write(&evil, misbehaving::module("filter...", "l.")).unwrap();
    let evil = evil.display().to_string();
    let pipeline = misbehaving::pipeline(&place, &topic, ("filter...", "trap"), "", &evil);
    let start = |number: i64| Host::serve_logging(&place, &pipeline, &format!("host-{number}.log"));
    let mut hosts: Vec<_> = (0..2).map(start).collect();
    let mut terms = Vec::new();
    for round in 0..4 {
        send(&topic, round * ROUND..(round + 1) * ROUND);
        let read = |host: &Host| {
            let status = host.get("/v1/pipelines/evil");
            let leads = status["leadership"]["role"] == "leader";
            let read = status["records"]["read"].as_i64()?;
            (leads && read > round * ROUND).then(|| status["leadership"]["term"].clone())
        };
        let (leader, term) = eventually("one reads of this round", || {
            hosts.iter().enumerate().find_map(|(number, host)| Some((number, read(host)?)))
        });
        terms.push(term);
        let leader = hosts.swap_remove(leader);
        if round % 2 == 0 {
            leader.kill()
        } else {
            leader.stop()
        }
        hosts.push(start(2 + round));
    }
    wait_for_the_end(&place, &topic, &topic.read_back());
    hosts.into_iter().for_each(Host::stop);
    terms.dedup();
    assert_eq!(terms.len(), 4, "a leader each time: {terms:?}");

    let guilty = (0..4 * ROUND).step_by(usize::try_from(EVERY).unwrap());
    let mut expected: Vec<_> = guilty.map(|offset| format!("{offset} | trap")).collect();
    expected.sort();
    assert_same_rows("refused", &rows(&place, "dead", &["offset", "kind"]), &expected);
    let fates = chain::head(&place).unwrap().fates();
    assert_eq!(fates.read, 4 * ROUND.unsigned_abs());
    assert_eq!(fates.dead_lettered, expected.len() as u64);
    assert_eq!(rows(&place, "rows", &["at"]).len() as u64, fates.accepted);
}
