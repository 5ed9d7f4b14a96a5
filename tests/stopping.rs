//! SIGTERM ends a host within ten seconds, whatever goes on.

use std::fs::OpenOptions;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::host::Host;
use crate::harness::pipeline::{Pipeline, kafka, kafka_at};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::Topic;
use crate::harness::{PATIENCE, chain, eventually, seed, services, wait_until};

/// The exit code of the watchdog.
const OVERDUE: i32 = 3;

#[test]
fn a_host_without_a_broker_ends_well() {
    let place = Place::local();
    let pipeline = Pipeline::sales(kafka_at("127.0.0.1:1", "nowhere", "")).write(&place);
    let host = Host::serve(&place, &pipeline);
    eventually("it says what it waits for", || {
        host.get("/v1/pipelines/sales")["problem"].as_str().map(drop)
    });
    host.stop();
}

/// The store takes the connection and does not answer: the last commit does not get through.
#[test]
fn a_host_whose_store_hangs_ends_without_its_last_commit() {
    let folder = tempfile::tempdir().unwrap();
    let server = services::own_s3(folder.path());
    let place = Place::s3(&server.endpoint());
    let topic = Topic::create(services::kafka(), "stopping", 2);
    let mut sales = Sales::new(seed(71), 2);
    sales.send(&topic, 500);
    let host = Host::serve(&place, &Pipeline::sales(kafka(&topic)).write(&place));
    eventually("the first commits", || {
        chain::head(&place).filter(|head| head.fates().read > 0).map(|_| ())
    });
    server.freeze().unwrap();
    sales.send(&topic, 500);
    let mut host = host;
    let status = host.daemon.stop(PATIENCE).unwrap();
    server.thaw().unwrap();
    assert!(status.success(), "{status}:\n{}", host.log());
    assert!(host.log().contains("stopped before the last commit"), "{}", host.log());
}

/// As a service manager or a terminal does: everything that the host has started hears it too. A host that does not listen yet
/// is ended by the signal itself.
#[test]
fn a_host_that_is_told_to_stop_while_it_starts_ends_well_whenever_that_is() {
    let place = Place::local();
    let pipeline = Pipeline::sales(kafka_at("127.0.0.1:1", "nowhere", "")).write(&place);
    let (mut unheard, mut well) = (0, 0);
    for moment in 0..16 {
        // Nothing is compiled yet: the compiler is among those that hear the signal.
        let cache = place.folder.path().join(format!("cache-{moment}")).display().to_string();
        let more = [("SLUICEGATE_PLUGIN_CACHE", &*cache)];
        let mut host = Host::launch(&place, &pipeline, &format!("host-{moment}.log"), &more);
        wait_until(Duration::from_millis(moment * 40), || None::<()>);
        host.daemon.signal_all(Signal::TERM).unwrap();
        let status = host.daemon.wait(PATIENCE).unwrap();
        match status.signal() == Some(Signal::TERM.as_raw()) {
            true => unheard += 1,
            false => well += 1,
        }
        let ended = status.success() || status.signal() == Some(Signal::TERM.as_raw());
        assert!(ended, "after {} ms: {status}\n{}", moment * 40, host.log());
    }
    println!("{well} ended well, {unheard} did not listen yet");
}

/// Nobody writes the module that it reads, and a read hears no signal: that is what the watchdog is for.
#[test]
fn a_host_that_hears_nothing_is_ended_by_its_watchdog() {
    let place = Place::local();
    let module = place.folder.path().join("hangs.wasm");
    assert!(Command::new("mkfifo").arg(&module).status().unwrap().success());
    let filter = module.display().to_string();
    let pipeline = Pipeline { filter, ..Pipeline::sales(kafka_at("127.0.0.1:1", "nowhere", "")) };
    let mut host = Host::run(&place, &pipeline.write(&place));
    // Opens when the host has opened it to read.
    let _nothing_comes = OpenOptions::new().write(true).open(&module).unwrap();
    let status = host.daemon.stop(PATIENCE).unwrap();
    assert_eq!(status.code(), Some(OVERDUE), "{}", host.log());
    assert!(host.log().contains("did not end within 9 s of the signal"), "{}", host.log());
}
