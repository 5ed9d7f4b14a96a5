//! A host that its machine starves: no file descriptor is left, or no byte can be written. It pauses, says why where it can,
//! and goes on by itself when there is some again.

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::exactly_once::wait_for_the_end;
use crate::harness::host::Host;
use crate::harness::oracle::Rules;
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, seed, services};
use crate::kafka_to_parquet::assert_answer;

/// Takes a resource away from a host that works, waits until it says so, and gives it back: nothing is lost or doubled. Its
/// log.
fn starves(
    label: &str,
    own_seed: u64,
    resource: Resource,
    left: u64,
    says: impl Fn(&Host) -> bool,
) -> String {
    let place = Place::local();
    let topic = Topic::create(services::kafka(), label, 2);
    let mut sales = Sales::new(seed(own_seed), 2);
    sales.send(&topic, 500);
    let pipeline = Pipeline::sales(kafka(&topic)).write(&place);
    let mut host = Host::serve_under(&["env", "--ignore-signal=XFSZ"], &place, &pipeline);
    eventually("the first commits", || {
        chain::head(&place).filter(|head| head.fates().read > 0).map(|_| ())
    });
    let process = Pid::from_raw(i32::try_from(host.daemon.id()).unwrap());
    // It has those of this process.
    let before = getrlimit(resource);
    prlimit(process, resource, Rlimit { current: Some(left), ..before }).unwrap();
    sales.send(&topic, 3_000);
    eventually("it says what it lacks", || says(&host).then_some(()));
    assert!(host.daemon.ended().unwrap().is_none(), "it lives: {}", host.log());
    prlimit(process, resource, before).unwrap();
    sales.close(&topic);
    let records = topic.read_back();
    wait_for_the_end(&place, &topic, &records);
    eventually("the status is well again", || {
        host.get("/v1/pipelines/sales")["problem"].is_null().then_some(())
    });
    let log = host.log();
    host.stop();
    assert_answer(&place, &Rules::sales().judge(&records));
    log
}

/// Whoever asks by HTTP cannot be let in then, so the log has to say it.
#[test]
fn a_host_without_file_descriptors_pauses_and_goes_on() {
    let log = starves("no-files", 151, Resource::Nofile, 3, |host| {
        // The kernel takes a connection that the host cannot accept.
        host.is_heard() && host.log().contains("connections cannot be accepted")
    });
    let said = log.matches("connections cannot be accepted").count();
    assert!(said < 5, "said {said} times");
    assert!(log.contains("connections are accepted again"), "{log}");
}

/// As on a disk that is full: each write fails, in the middle of a file.
#[test]
fn a_host_that_cannot_write_pauses_and_goes_on() {
    starves("full-disk", 152, Resource::Fsize, 200, |host| {
        let status = host.get("/v1/pipelines/sales");
        status["problem"].as_str().is_some_and(|problem| problem.contains("File too large"))
    });
}
