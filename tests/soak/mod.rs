//! Sales, three hosts, a real Kafka, a real S3 server, and faults drawn from a seed: in the end the table is compared with a
//! recomputation, and a ledger says what happened. `cargo xtask soak --minutes N --seed S` runs it for longer.

mod ahead;
mod crash;
mod fleet;
mod gap;
mod ledger;
mod modules;
mod plan;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sluicegate_model::time::Clock;
use xtask::services::{Kafka, Ministack};

use self::ahead::{Ahead, Pieces};
use self::fleet::{Fleet, HOSTS};
use self::ledger::{Ledger, Told};
use self::plan::{Fault, Plan};
use crate::harness::delta::Poller;
use crate::harness::pipeline::Pipeline;
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::{StoredRecord, Topic};
use crate::harness::wire::Wire;
use crate::harness::{PATIENCE, chain, seed, services, wait_until};

/// Those with sales, and one more that is ahead of them.
const PARTITIONS: i32 = 4;
const AHEAD: i32 = 3;
/// Between two looks at the hosts.
const PAUSE: Duration = Duration::from_millis(50);
/// How long it may take after the last fault until all is read and committed.
const RECOVERED: Duration = PATIENCE;
/// Old slots go on the way, so that collecting is hurt too. A call that never answers is ended soon.
const SETTINGS: &str = "retain = \"0s\"\n[leadership]\nttl = \"3s\"\nmargin = \"500ms\"\n[limits]\ncall_deadline = \"100ms\"\n";

/// What was done so far.
#[derive(Default)]
struct Done {
    faults: Vec<Fault>,
    passed_over: u64,
    pieces: Pieces,
}

/// How long faults come. The short form is part of the end-to-end tests.
#[expect(clippy::disallowed_methods, reason = "a longer soak is asked for by the environment")]
fn lasts() -> Duration {
    const SHORT: u64 = 30;
    let seconds = std::env::var("SLUICEGATE_SOAK_SECONDS");
    Duration::from_secs(seconds.map_or(SHORT, |text| text.parse().unwrap()))
}

#[test]
fn nothing_is_missing_or_doubled_after_faults_of_every_kind() {
    let (seed, lasts) = (seed(1_400), lasts());
    let folder = tempfile::tempdir().unwrap();
    let wires = [(); HOSTS].map(|()| Wire::new());
    let mut broker = services::own_kafka_behind(&folder.path().join("kafka"), &wires.each_ref());
    let mut store = services::own_s3(&folder.path().join("s3"));
    let place = Place::s3(&store.endpoint());
    let topic = Topic::create(&broker.address(), "soak", PARTITIONS);
    let more = SETTINGS.to_owned();
    let sales_of = Pipeline::sales(String::new());
    let compaction = "compact_after_files = 5\n";
    let pipeline =
        Pipeline { checkpoint: "500ms", tables: "delta", of_sink: compaction, more, ..sales_of };
    let mut fleet = Fleet::start(&place, &pipeline, &topic, &store.endpoint(), wires);
    let mut reader = Poller::start(&place, "revenue", &["store", "window_start"]);
    let (mut sales, mut ahead) = (Sales::new(seed, AHEAD), Ahead::begin(seed, &topic, AHEAD));
    let enough = AtomicBool::new(false);
    let done = std::thread::scope(|threads| {
        let feeder = threads.spawn(|| {
            while !enough.load(Ordering::Relaxed) {
                sales.send(&topic, 40);
                ahead.send(&topic, 100);
                wait_until(Duration::from_millis(200), || {
                    enough.load(Ordering::Relaxed).then_some(())
                });
            }
        });
        let done = hurt(&mut fleet, &mut broker, &mut store, &place, seed, lasts);
        enough.store(true, Ordering::Relaxed);
        feeder.join().unwrap();
        done
    });
    let clock = Clock::system();
    ahead.close(&topic);
    let records = topic.read_back();
    fleet.heal();
    let recovered = wait_until(RECOVERED, || {
        fleet.tend(false);
        is_read(&place, &records).then(|| clock.monotonic())
    });
    let told = Told { seed, lasts, recovered };
    let ledger = Ledger::close(told, done, fleet, &mut reader, &place, &records);
    println!("{ledger}");
    assert!(ledger.is_good(), "see the ledger above");
    assert!(reader.stop() > 0, "the reader has looked");
}

/// Plays the plan for so long.
fn hurt(
    fleet: &mut Fleet<'_>,
    broker: &mut Kafka,
    store: &mut Ministack,
    place: &Place,
    seed: u64,
    lasts: Duration,
) -> Done {
    // The ledger names the same times.
    let clock = fleet.clock.clone();
    let (mut done, mut store_returns) = (Done::default(), None::<Duration>);
    for (pause, fault) in Plan::new(seed) {
        let due = clock.monotonic() + pause;
        while clock.monotonic() < due || !fleet.is_led() && clock.monotonic() < lasts {
            fleet.tend(store_returns.is_some());
            if store_returns.is_some_and(|at| at <= clock.monotonic()) {
                store.restart().unwrap();
                store_returns = None;
            }
            wait_until(PAUSE, || None::<()>);
        }
        if clock.monotonic() >= lasts {
            break;
        }
        if store_returns.is_none() {
            chain::newest(place).iter().for_each(|head| done.pieces.see(head));
        }
        println!("{:7.1} s  {fault}", clock.monotonic().as_secs_f64());
        if !play(fault, fleet, broker, store, &mut store_returns, clock.monotonic()) {
            println!("           passed over: nobody is there whom it could hit");
            done.passed_over += 1;
            continue;
        }
        done.faults.push(fault);
    }
    if store_returns.is_some() {
        store.restart().unwrap();
    }
    done
}

/// False if there was nobody to hit.
fn play(
    fault: Fault,
    fleet: &mut Fleet<'_>,
    broker: &mut Kafka,
    store: &mut Ministack,
    store_returns: &mut Option<Duration>,
    now: Duration,
) -> bool {
    match fault {
        Fault::Kill(whom, _)
        | Fault::Stop(whom, _)
        | Fault::Sleep(whom)
        | Fault::Starve(whom, _) => {
            let Some(number) = fleet.find(whom) else { return false };
            match fault {
                Fault::Kill(_, away) => fleet.kill(number, whom, away),
                Fault::Stop(_, away) => fleet.stop(number, whom, away),
                Fault::Starve(_, lasts) => fleet.starve(number, lasts),
                _ => fleet.put_to_sleep(number, whom),
            }
        }
        Fault::Broker => {
            broker.kill();
            broker.restart().unwrap();
            fleet.tend(true);
        }
        Fault::Store(_) if store_returns.is_some() => return false,
        Fault::Store(away) => {
            store.kill();
            *store_returns = Some(now + away);
        }
        Fault::Toxic(toxic, false, lasts) => fleet.poison(toxic, None, lasts),
        Fault::Toxic(toxic, true, lasts) => {
            let Some(leader) = fleet.leader() else { return false };
            fleet.poison(toxic, Some(leader), lasts);
        }
        Fault::Wire(ill, false, lasts) => fleet.cross(ill, None, lasts),
        Fault::Wire(ill, true, lasts) => {
            let Some(leader) = fleet.leader() else { return false };
            fleet.cross(ill, Some(leader), lasts);
        }
        Fault::Stumbles(how, lasts) => return fleet.modules.stumble(how, now + lasts),
    }
    true
}

/// Whether the chain holds all records.
fn is_read(place: &Place, records: &[StoredRecord]) -> bool {
    let Some(positions) = chain::newest(place).map(|head| head.positions()) else { return false };
    (0..PARTITIONS).all(|number| {
        let last = records.iter().rfind(|record| record.partition == number);
        last.is_none_or(|last| positions.get(&i64::from(number)) > Some(&last.offset))
    })
}
