//! The broker goes away and comes back: the job waits, says so, and goes on where it was.

use crate::exactly_once::wait_for_the_end;
use crate::harness::host::Host;
use crate::harness::oracle::Rules;
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, seed, services};
use crate::kafka_to_parquet::assert_answer;

#[test]
fn a_broker_that_is_killed_and_comes_back_costs_nothing_but_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = services::own_kafka(folder.path());
    let topic = Topic::create(&broker.address(), "broker-outage", 2);
    let mut sales = Sales::new(seed(41), 2);
    sales.send(&topic, 500);
    let place = Place::local();
    let host = Host::serve(&place, &Pipeline::sales(kafka(&topic)).write(&place));
    eventually("the first commits", || {
        chain::head(&place).filter(|head| head.fates().read > 0).map(|_| ())
    });

    broker.kill();
    let problem = eventually("the status names the broker's problem", || {
        host.get("/v1/pipelines/sales")["problem"].as_str().map(str::to_owned)
    });
    assert!(problem.contains(&broker.address()), "{problem}");

    broker.restart().unwrap();
    sales.send(&topic, 500);
    sales.close(&topic);
    let records = topic.read_back();
    wait_for_the_end(&place, &topic, &records);
    assert_said_once(&host);
    host.stop();
    assert_answer(&place, &Rules::sales().judge(&records));
}

/// A broker that is not there at the start is waited for; it is no error.
#[test]
fn a_job_may_be_started_before_its_broker() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = services::own_kafka(folder.path());
    let topic = Topic::create(&broker.address(), "early", 1);
    Sales::new(seed(42), 1).send(&topic, 500);
    let records = topic.read_back();
    broker.kill();

    let place = Place::local();
    let host = Host::serve(&place, &Pipeline::sales(kafka(&topic)).write(&place));
    let problem = eventually("the status names the broker's problem", || {
        host.get("/v1/pipelines/sales")["problem"].as_str().map(str::to_owned)
    });
    assert!(problem.contains(&broker.address()), "{problem}");
    broker.restart().unwrap();
    wait_for_the_end(&place, &topic, &records);
    assert_said_once(&host);
    host.stop();
}

/// An outage is two lines of the log: it begins, and it has passed.
#[track_caller]
fn assert_said_once(host: &Host) {
    eventually("the log says that it has passed", || {
        host.log().contains("the problem has passed").then_some(())
    });
    let log = host.log();
    // Some sales are dead letters, which have warnings of their own.
    let is_of_outage = |line: &&str| {
        !line.contains(" dead letters ")
            && ["WARN", "not reachable", "has passed"].iter().any(|words| line.contains(words))
    };
    let lines: Vec<_> = log.lines().filter(is_of_outage).collect();
    let is_told_once =
        matches!(lines[..], [begins, ends] if begins.contains("WARN") && ends.contains("INFO"));
    assert!(is_told_once, "{lines:#?}");
}
