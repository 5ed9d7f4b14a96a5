//! A store that hangs while a host reads more than it may hold: the host pauses within its memory, says so, and goes on.

use serde_json::Value;

use crate::harness::host::Host;
use crate::harness::middleman::{Fate, Middleman};
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::BEGIN;
use crate::harness::table::{assert_same_rows, rows};
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, services};

const MIB: u64 = 1 << 20;
/// What the host may hold.
const LIMIT: u64 = 64 * MIB;
/// What the process may take beyond that and what it takes at rest: the allocator's waste, requests, answers of brokers.
const OVERHEAD: u64 = 64 * MIB;
/// Records of the topic, and bytes of each: more than twice the limit.
const RECORDS: usize = 2_560;
const RECORD_BYTES: usize = 64 << 10;

/// Text that no encoder makes much smaller.
fn noise(number: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = number as u64;
    let mut digit = || {
        // A step of splitmix: neighbouring numbers have nothing in common.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        char::from(DIGITS[(mixed >> 58) as usize])
    };
    (0..RECORD_BYTES).map(|_| digit()).collect()
}

fn send(topic: &Topic, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let item = noise(number);
        let value = format!(
            "{{\"store\":\"store-{number}\",\"item\":\"{item}\",\"price\":1.00,\"ts\":{BEGIN}}}"
        );
        topic.send(0, BEGIN * 1_000, value.as_bytes());
    }
    topic.flush();
}

/// A line of the kernel's account of the process, bytes.
fn kernel_says(host: &Host, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.daemon.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.trim_matches([':', '\t', ' ']).strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap()
        << 10
}

#[test]
fn a_host_before_a_store_that_hangs_stays_within_its_memory() {
    let middleman = Middleman::before(services::s3());
    let place = Place::s3(services::s3());
    let topic = Topic::create(services::kafka(), "slow-store", 1);
    let mut pipeline = Pipeline::sales(kafka(&topic));
    // Not the time between commits makes it wait, but what it holds.
    (pipeline.window, pipeline.checkpoint) = (None, "600s");
    let more = [("AWS_ENDPOINT_URL", &*middleman.endpoint), ("SLUICEGATE_MEMORY", "64MiB")];
    let host = Host::launch(&place, &pipeline.write(&place), "host.log", &more);
    send(&topic, 0..10);
    let status = || {
        reqwest::blocking::get(format!("{}/v1/pipelines/sales", host.url))
            .ok()?
            .json::<Value>()
            .ok()
    };
    let has_read =
        |count: usize| move |status: Value| (status["records"]["read"] == count).then_some(());
    eventually("the first records", || status().and_then(has_read(10)));
    let at_rest = kernel_says(&host, "VmRSS");
    // Leadership and chain go on: only what is large hangs.
    middleman.rule(|request| if request.is_for("/revenue/") { Fate::Hung } else { Fate::Passed });
    send(&topic, 10..RECORDS);
    let paused = eventually("it pauses for want of memory", || {
        let status = status()?;
        let problem = status["problem"].as_str()?;
        problem.contains("nothing is read").then_some(status.clone())
    });
    assert_eq!(paused["phase"], "paused");
    let read = paused["records"]["read"].as_u64().unwrap();
    assert!(read < RECORDS as u64, "the topic is larger than what it may hold: {paused}");
    let memory = &paused["memory"];
    assert_eq!(memory["limit"], LIMIT);
    // What an open file's encoder holds is known when it has taken the rows of a turn.
    assert!(memory["used"].as_u64().unwrap() <= LIMIT + MIB, "{memory}");
    assert!(memory["staged"].as_u64().unwrap() > 10 * MIB, "{memory}");
    assert_eq!(status().unwrap()["records"]["read"], read, "nothing is read");

    middleman.pass();
    eventually("all is read", || status().and_then(has_read(RECORDS)));
    let peak = kernel_says(&host, "VmHWM");
    println!("at rest {}, at most {} MiB", at_rest / MIB, peak / MIB);
    host.stop();
    // The last commit of a host that is stopped has only so much time: what it left is read once more.
    pipeline.checkpoint = "200ms";
    let next = Host::serve(&place, &pipeline.write(&place));
    eventually("all is committed", || {
        chain::head(&place).filter(|head| head.fates().read == RECORDS as u64).map(|_| ())
    });
    next.stop();
    assert!(
        peak <= at_rest + LIMIT + OVERHEAD,
        "at rest {} MiB, at most {} MiB",
        at_rest / MIB,
        peak / MIB
    );
    let mut expected: Vec<_> = (0..RECORDS).map(|number| format!("store-{number}")).collect();
    expected.sort();
    assert_same_rows("revenue", &rows(&place, "revenue", &["store"]), &expected);
}
