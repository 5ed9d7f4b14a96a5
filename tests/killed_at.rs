//! `kill -9` at every step by which something becomes durable: before its request is done, after it and before its answer is
//! heard, and so that the request lands when its sender is dead and another host works.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::exactly_once::wait_for_the_end;
use crate::harness::delta::read;
use crate::harness::host::{Host, ended, sluicegate};
use crate::harness::middleman::{Fate, Middleman, Request};
use crate::harness::oracle::Rules;
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::table::assert_same_rows;
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, seed, services, wait_until};

/// A step by name, and its request.
type Step = (&'static str, fn(&Request) -> bool);

const STEPS: [Step; 10] = [
    ("claim the leadership", |request| request.puts("/terms/")),
    ("show that the leader lives", |request| request.puts("/beats/")),
    ("put a data file", |request| request.puts("/revenue/sales.0-")),
    ("put a state", |request| request.puts("/state/")),
    ("put a record of the chain", |request| request.puts("/lanes/0/chain/")),
    ("commit to the table's log", |request| request.puts("/revenue/_delta_log/0")),
    ("say where the log's checkpoint lies", |request| request.puts("/_last_checkpoint")),
    ("put a compacted file", |request| request.puts("/revenue/compacted-")),
    ("commit to the log of dead letters", |request| request.puts("/dead/_delta_log/0")),
    ("delete what nobody needs", Request::deletes),
];

/// What becomes of its request.
const FATES: [Fate; 3] = [Fate::Hung, Fate::Unheard, Fate::Late(Duration::from_secs(2))];

#[test]
fn kill_9_at_every_step_that_makes_something_durable() {
    let middleman = Middleman::before(services::s3());
    let place = Place::s3(services::s3());
    let topic = Topic::create(services::kafka(), "killed-at", 2);
    let mut pipeline = Pipeline::sales(kafka(&topic));
    (pipeline.tables, pipeline.of_sink) = ("delta", "compact_after_files = 4\n");
    let file = pipeline.write(&place);
    let mut sales = Sales::new(seed(161), 2);
    let enough = AtomicBool::new(false);
    std::thread::scope(|threads| {
        // Sales come all the while, so that every step comes again.
        let feeder = threads.spawn(|| {
            while !enough.load(Ordering::Relaxed) {
                sales.send(&topic, 100);
                wait_until(Duration::from_millis(50), || {
                    enough.load(Ordering::Relaxed).then_some(())
                });
            }
            sales.close(&topic);
        });
        let kills = STEPS.iter().flat_map(|(step, is_it)| FATES.map(|fate| (*step, *is_it, fate)));
        for (number, (step, is_it, fate)) in kills.enumerate() {
            kill_at(&middleman, &place, &file, step, is_it, fate);
            // Behind three that died one after the other without a commit the next one would wait.
            if number % 2 == 1 {
                live_well(&place, &file);
            }
        }
        enough.store(true, Ordering::Relaxed);
        feeder.join().unwrap();
    });
    let host = Host::run(&place, &file);
    let records = topic.read_back();
    wait_for_the_end(&place, &topic, &records);
    host.stop();
    let answer = Rules::sales().judge(&records);
    let columns = ["store", "revenue", "sales", "window_start", "window_end"];
    let results = read(&place, "deltalake", "revenue", &columns);
    assert_same_rows("results", &results, &answer.results);
    let dead = read(&place, "deltalake", "dead", &["partition", "offset"]);
    assert_same_rows("dead letters", &dead, &answer.dead_letters);
    let verified = ended(sluicegate(&place).arg("verify").arg(&file));
    assert!(verified.status.success(), "{verified:?}");
    println!("{} kills, epoch {}", STEPS.len() * FATES.len(), chain::head(&place).unwrap().epoch());
}

/// Starts a host that commits and ends by itself.
fn live_well(place: &Place, file: &Path) {
    let epoch = || chain::head(place).map_or(0, |head| head.epoch());
    let (before, host) = (epoch(), Host::run(place, file));
    eventually("commits", || (epoch() > before + 1).then_some(()));
    host.stop();
}

/// Starts a host, and kills it as soon as the request of a step has met its fate.
fn kill_at(
    middleman: &Middleman,
    place: &Place,
    file: &Path,
    step: &str,
    is_it: fn(&Request) -> bool,
    fate: Fate,
) {
    let met = || middleman.count(|of| *of == fate);
    let (before, is_taken) = (met(), AtomicBool::new(false));
    middleman.rule(move |request| {
        match is_it(request) && !is_taken.swap(true, Ordering::Relaxed) {
            true => fate,
            false => Fate::Passed,
        }
    });
    let more = [("AWS_ENDPOINT_URL", &*middleman.endpoint)];
    let host = Host::launch(place, file, "host.log", &more);
    eventually(&format!("{step}: {fate:?}"), || (met() > before).then_some(()));
    host.kill();
    middleman.pass();
}
