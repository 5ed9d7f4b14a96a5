//! A broker is taken for dead while it sleeps. Until it is taken back it lists no broker at all, and clients let go of it.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::host::{Host, sluicegate};
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::Topic;
use crate::harness::{PATIENCE, chain, eventually, seed, services, wait_until};

/// Each loses its broker for good in about one of five times, if nobody gives it back.
const PRODUCERS: usize = 12;

/// Longer than the controller waits for a sign of life.
const SLEEP: Duration = Duration::from_secs(8);

/// Long enough to be taken back and to produce again.
const BETWEEN: Duration = Duration::from_secs(5);

#[test]
fn clients_find_a_broker_again_that_was_taken_for_dead() {
    let folder = tempfile::tempdir().unwrap();
    let mut led = services::led_kafka(folder.path());
    let brokers = led.broker.address();
    let place = Place::local();
    let topic = Topic::create(&brokers, "fenced", 2);
    let mut pipeline = Pipeline::sales(kafka(&topic));
    pipeline.source += "fetch = \"librdkafka\"\n";
    let mut sales = Sales::new(seed(101), 2);
    sales.send(&topic, 500);
    let host = Host::serve(&place, &pipeline.write(&place));
    let read = || chain::head(&place).map_or(0, |head| head.fates().read);
    eventually("the first commits", || (read() > 0).then_some(()));

    let produced = Topic::create(&brokers, "produced", 4);
    let mut producers: Vec<_> = (0..PRODUCERS)
        .map(|number| {
            let log = File::create(folder.path().join(format!("producer-{number}.log"))).unwrap();
            let mut command = sluicegate(&place);
            command.args(["produce", "sales", "--brokers", &brokers, "--topic", &produced.name]);
            command.args(["--rate", "100", "--count", "2500", "--paced"]);
            command.stdout(Stdio::null()).stderr(log).spawn().unwrap()
        })
        .collect();
    for _ in 0..2 {
        wait_until(BETWEEN, || None::<()>);
        led.broker.daemon().signal(Signal::STOP).unwrap();
        wait_until(SLEEP, || None::<()>);
        led.broker.daemon().signal(Signal::CONT).unwrap();
    }

    for producer in &mut producers {
        let ended = wait_until(PATIENCE, || producer.try_wait().unwrap());
        if ended.is_none() {
            producer.kill().unwrap();
        }
        assert!(ended.is_some_and(|status| status.success()), "a producer ended with {ended:?}");
    }
    let said =
        |number| fs::read_to_string(folder.path().join(format!("producer-{number}.log"))).unwrap();
    let bereft = (0..PRODUCERS).filter(|number| said(*number).contains("AllBrokersDown")).count();
    println!("{bereft} of {PRODUCERS} producers lost their only broker");
    assert_eq!(produced.read_back().len(), PRODUCERS * 2_500);
    let before = read();
    sales.send(&topic, 500);
    eventually("the host reads again", || (read() > before).then_some(()));
    host.stop();
}
