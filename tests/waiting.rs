//! What a host needs is not there yet: it waits, says once what for and what to do, and goes on when it is there.

use serde_json::Value;

use crate::harness::host::{self, Host};
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::topic::Topic;
use crate::harness::{eventually, services};

#[test]
fn a_host_waits_for_store_bucket_and_topic_and_says_each_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = services::own_s3(folder.path());
    let place = Place::bucket(&server.endpoint(), "not-yet", "test", "test");
    let topic = Topic::existing(services::kafka(), "not-yet", 2);
    let pipeline = Pipeline::sales(kafka(&topic)).write(&place);
    server.kill();
    let host = Host::serve(&place, &pipeline);

    waits_for(&host, "Connection refused");
    server.restart().unwrap();
    waits_for(&host, "create the bucket, or correct its name");
    server.create_bucket("not-yet").unwrap();
    waits_for(&host, "topic `not-yet` does not exist");
    provision(&place, &pipeline);
    eventually("the host is ready", || reasons(&host).is_none().then_some(()));

    let log = host.daemon.log();
    for said in ["Connection refused", "create the bucket", "does not exist on"] {
        let lines = log.lines().filter(|line| line.contains("WARN") && line.contains(said));
        assert_eq!(lines.count(), 1, "`{said}` in\n{log}");
    }
    host.stop();
}

#[test]
fn provision_makes_what_is_missing_and_leaves_what_is_there() {
    let place = Place::bucket(services::s3(), "provisioned", "test", "test");
    let topic = Topic::existing(services::kafka(), "provisioned", 4);
    let pipeline = Pipeline::sales(kafka(&topic)).write(&place);
    let made = provision(&place, &pipeline);
    assert!(made.contains("Created"), "{made}");
    topic.wait_until_shown();
    assert!(place.list("").is_empty());
    provision(&place, &pipeline);
    topic.wait_until_shown();
}

/// What it says.
#[track_caller]
fn provision(place: &Place, pipeline: &std::path::Path) -> String {
    let mut provision = host::sluicegate(place);
    let done = host::ended(provision.arg("provision").arg(pipeline).args(["--partitions", "4"]));
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stderr).unwrap()
}

#[track_caller]
fn waits_for(host: &Host, what: &str) {
    eventually(what, || reasons(host)?.contains(what).then_some(()));
}

/// Why a host is not ready; none if it is.
fn reasons(host: &Host) -> Option<String> {
    let answer = reqwest::blocking::get(format!("{}/health/ready", host.url)).unwrap();
    let ready = answer.status().is_success();
    let body: Value = answer.json().unwrap();
    (!ready).then(|| body["reasons"][0].as_str().unwrap().to_owned())
}
