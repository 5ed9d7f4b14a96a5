//! A store that does what it is asked and does not say so, refuses, or never answers: nothing is lost or doubled, and nobody
//! stops in silence.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::exactly_once::wait_for_the_end;
use crate::harness::host::Host;
use crate::harness::middleman::{Fate, Middleman, Request};
use crate::harness::oracle::Rules;
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, seed, services};
use crate::kafka_to_parquet::{assert_answer, assert_answer_to_readers};

/// Epochs that are committed under a fault, and after it.
const EPOCHS: u64 = 3;

/// Runs one host behind a middleman with that rule; the table is right, and the rule was met at least once. How often the
/// chain was opened. The rule is told of how many requests of its kind, those that create or the others, came before.
fn survives(
    label: &str,
    own_seed: u64,
    rule: impl Fn(&Request, u64) -> Fate + Send + Sync + 'static,
) -> u64 {
    let middleman = Middleman::before(services::s3());
    let place = Place::s3(services::s3());
    let topic = Topic::create(services::kafka(), label, 2);
    let mut sales = Sales::new(seed(own_seed), 2);
    let pipeline = Pipeline::sales(kafka(&topic)).write(&place);
    let more = [("AWS_ENDPOINT_URL", &*middleman.endpoint)];
    let host = Host::launch(&place, &pipeline, "host.log", &more);
    let committed = |at_least: u64| {
        eventually("commits", || {
            chain::head(&place).map(|head| head.epoch()).filter(|epoch| *epoch >= at_least)
        })
    };
    sales.send(&topic, 500);
    let before = committed(1);
    // Counted together, a host that looks after each refusal would always meet the same.
    let counts = [AtomicU64::new(0), AtomicU64::new(0)];
    middleman.rule(move |request| {
        rule(request, counts[usize::from(request.creates())].fetch_add(1, Ordering::Relaxed))
    });
    for epoch in 1..=EPOCHS {
        sales.send(&topic, 300);
        committed(before + epoch);
    }
    assert!(middleman.count(|fate| *fate != Fate::Passed) > 0, "{:?}", middleman.counts());
    middleman.pass();
    sales.close(&topic);
    let records = topic.read_back();
    wait_for_the_end(&place, &topic, &records);
    host.stop();
    assert_answer(&place, &Rules::sales().judge(&records));
    chain::head(&place).unwrap().term()
}

/// The host finds its own record in the slot, and is not fenced by itself.
#[test]
fn a_create_whose_answer_is_lost_is_recognised_as_ones_own() {
    let terms = survives("unanswered", 142, |request, _| {
        if request.creates() { Fate::AnswerLost } else { Fate::Passed }
    });
    assert_eq!(terms, 1, "nobody opened the chain again");
}

#[test]
fn a_create_that_meets_409_is_tried_again() {
    survives("conflict", 143, |request, number| {
        if request.creates() && number.is_multiple_of(2) { Fate::Conflict } else { Fate::Passed }
    });
}

#[test]
fn a_storm_of_503_costs_only_time() {
    survives("slow-down", 144, |_, number| {
        if number.is_multiple_of(4) { Fate::Passed } else { Fate::SlowDown }
    });
}

/// Only the leader's store hangs: the other host takes over, and the first stands by when its store answers again.
#[test]
fn a_store_that_hangs_for_the_leader_alone_hands_the_pipeline_over() {
    let middlemen = [Middleman::before(services::s3()), Middleman::before(services::s3())];
    let place = Place::s3(services::s3());
    let topic = Topic::create(services::kafka(), "hung", 2);
    let mut sales = Sales::new(seed(145), 2);
    let more = "[leadership]\nttl = \"3s\"\nmargin = \"500ms\"\n".to_owned();
    let sales_of = Pipeline::sales(kafka(&topic));
    let pipeline = Pipeline { checkpoint: "500ms", tables: "delta", more, ..sales_of };
    let pipeline = pipeline.write(&place);
    let start = |number: usize| {
        let more = [("AWS_ENDPOINT_URL", &*middlemen[number].endpoint)];
        Host::launch(&place, &pipeline, &format!("host-{number}.log"), &more)
    };
    let hosts = [start(0), start(1)];
    let leads = |number: usize| {
        let url = format!("{}/v1/pipelines/sales", hosts[number].url);
        let status: serde_json::Value = reqwest::blocking::get(url).ok()?.json().ok()?;
        let leads = status["phase"] == "running" && status["leadership"]["role"] == "leader";
        leads.then_some(number)
    };
    sales.send(&topic, 500);
    let first = eventually("one leads", || (0..2).find_map(leads));
    middlemen[first].rule(|_| Fate::Hung);
    sales.send(&topic, 500);
    eventually("the other one leads", || leads(1 - first));
    let problem = hosts[first].get("/v1/pipelines/sales");
    assert_ne!(problem["phase"], "running", "the one that hangs says so: {problem}");
    middlemen[first].pass();
    eventually("the first stands by", || {
        let status = hosts[first].get("/v1/pipelines/sales");
        (status["leadership"]["role"] == "standby").then_some(Duration::ZERO)
    });
    sales.send(&topic, 500);
    sales.close(&topic);
    let records = topic.read_back();
    wait_for_the_end(&place, &topic, &records);
    hosts.into_iter().for_each(Host::stop);
    // What the first one had sent may land long after.
    assert_answer_to_readers(&place, &Rules::sales().judge(&records));
}
