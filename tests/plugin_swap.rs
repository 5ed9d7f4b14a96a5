//! A filter is swapped under load: no row is lost or doubled, the old logic decides up to the recorded epoch and the
//! new logic from there on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::exactly_once::wait_for_the_end;
use crate::harness::host::Host;
use crate::harness::oracle::{Rules, Sale, valid};
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, seed, services, wait_until};
use crate::kafka_to_parquet::assert_answer;

/// What `premium-sale` keeps without a setting of its own.
fn premium(sale: &Sale) -> bool {
    sale.price >= 25_000 && sale.store.starts_with("store-")
}

/// `valid-sale` as it was built for version 0.1.2 of the contract.
fn older_filter() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.join("../host/sandbox/src/tests/older/valid-sale-0.1.2.wasm")
}

/// A release as the host answered it.
struct Release {
    epoch: u64,
    digest: String,
    keeps: fn(&Sale) -> bool,
}

#[test]
fn a_filter_swapped_under_load_decides_from_the_recorded_epoch_on() {
    let topic = Topic::create(services::kafka(), "swap", 3);
    let place = Place::local();
    let host = Host::serve(&place, &Pipeline::sales(kafka(&topic)).write(&place));
    let mut sales = Sales::new(seed(51), 3);
    let enough = AtomicBool::new(false);
    let mut releases = Vec::new();

    std::thread::scope(|threads| {
        let feeder = threads.spawn(|| {
            while !enough.load(Ordering::Relaxed) {
                sales.send(&topic, 100);
                wait_until(Duration::from_millis(10), || {
                    enough.load(Ordering::Relaxed).then_some(())
                });
            }
            sales.close(&topic);
        });
        host.upload("premium-sale", "premium-sale");
        host.upload("plain-sale", "valid-sale");
        // That of today takes stores by code, that of before row by row.
        host.upload_file("older-sale", &older_filter());
        for swap in 0..6 {
            let read = chain::head(&place).map_or(0, |head| head.fates().read);
            eventually("records are read between two swaps", || {
                (chain::head(&place)?.fates().read > read).then_some(())
            });
            let (name, keeps): (_, fn(&Sale) -> bool) = match swap % 3 {
                0 => ("premium-sale", premium),
                1 => ("older-sale", valid),
                _ => ("plain-sale", valid),
            };
            let answer = host.activate("sales", "valid", name);
            releases.push(Release {
                epoch: answer["epoch"].as_u64().unwrap(),
                digest: answer["digest"].as_str().unwrap().to_owned(),
                keeps,
            });
        }
        enough.store(true, Ordering::Relaxed);
        feeder.join().unwrap();
    });

    let records = topic.read_back();
    wait_for_the_end(&place, &topic, &records);
    host.stop();
    let flips = flips(&place, &releases);
    let keeps = |record: &crate::harness::topic::StoredRecord, sale: &Sale| {
        let flipped = flips
            .iter()
            .rev()
            .find(|(positions, _)| record.offset >= positions[&i64::from(record.partition)]);
        flipped.map_or(valid as fn(&Sale) -> bool, |(_, keeps)| *keeps)(sale)
    };
    let answer = Rules { keeps: &keeps, ..Rules::sales() }.judge(&records);
    assert_answer(&place, &answer);
}

type Flip = (BTreeMap<i64, i64>, fn(&Sale) -> bool);

/// Where each release took effect: the positions of the record that pins its module first.
fn flips(place: &Place, releases: &[Release]) -> Vec<Flip> {
    let records = chain::records(place);
    releases
        .iter()
        .map(|release| {
            let epoch = usize::try_from(release.epoch).unwrap();
            let pinned = |epoch: usize| records[epoch].module("valid").unwrap();
            assert_eq!(pinned(epoch), release.digest, "epoch {epoch}");
            assert_ne!(pinned(epoch - 1), release.digest, "epoch {epoch} is the first");
            (records[epoch].positions(), release.keeps)
        })
        .collect()
}

/// An activation that is answered is durable: `kill -9` behind it, and the new logic goes on.
#[test]
fn an_answered_activation_survives_kill_9() {
    let topic = Topic::create(services::kafka(), "swap-kill", 2);
    let mut sales = Sales::new(seed(52), 2);
    sales.send(&topic, 300);
    let place = Place::local();
    let pipeline = Pipeline::sales(kafka(&topic)).write(&place);
    let host = Host::serve(&place, &pipeline);
    eventually("the first sales are committed", || {
        (chain::head(&place)?.fates().read > 0).then_some(())
    });
    host.upload("premium-sale", "premium-sale");
    let answer = host.activate("sales", "valid", "premium-sale");
    host.kill();

    sales.send(&topic, 300);
    sales.close(&topic);
    let records = topic.read_back();
    let host = Host::run(&place, &pipeline);
    wait_for_the_end(&place, &topic, &records);
    host.stop();
    let epoch = usize::try_from(answer["epoch"].as_u64().unwrap()).unwrap();
    let chain = chain::records(&place);
    assert_eq!(chain.last().unwrap().module("valid"), chain[epoch].module("valid"));
    let from = chain[epoch].positions();
    let keeps = |record: &crate::harness::topic::StoredRecord, sale: &Sale| {
        if record.offset < from[&i64::from(record.partition)] { valid(sale) } else { premium(sale) }
    };
    assert_answer(&place, &Rules { keeps: &keeps, ..Rules::sales() }.judge(&records));
}

/// An aggregate whose state has another layout takes over: the sums of open windows go with it, and after `kill -9` it
/// goes on with its own.
#[test]
fn an_aggregate_with_another_state_takes_over_open_windows() {
    let topic = Topic::create(services::kafka(), "swap-state", 3);
    let place = Place::local();
    let pipeline = Pipeline::sales(kafka(&topic)).write(&place);
    let host = Host::serve(&place, &pipeline);
    let mut sales = Sales::new(seed(54), 3);
    sales.send(&topic, 3_000);
    let groups = eventually("windows are open", || {
        chain::head(&place).map(|head| head.groups()).filter(|groups| *groups > 0)
    });
    host.upload("revenue-wide", "revenue-wide");
    let answer = host.activate("sales", "revenue", "revenue-wide");
    println!("{groups} groups were open before the takeover");
    sales.send(&topic, 3_000);
    let epoch = answer["epoch"].as_u64().unwrap();
    eventually("the new module has committed", || {
        chain::head(&place).filter(|head| head.epoch() > epoch).map(drop)
    });
    host.kill();

    sales.send(&topic, 3_000);
    sales.close(&topic);
    let records = topic.read_back();
    // The pipeline file names `revenue` as before; what was activated stays.
    let host = Host::run(&place, &pipeline);
    wait_for_the_end(&place, &topic, &records);
    host.stop();
    assert_answer(&place, &Rules::sales().judge(&records));
    let chain = chain::records(&place);
    let at = usize::try_from(epoch).unwrap();
    assert!(chain[at].groups() > 0, "no window was open");
    let versions = [at - 1, at, chain.len() - 1].map(|epoch| chain[epoch].state_version("revenue"));
    assert_eq!(versions, [1, 2, 2]);
    // The way back is not there: the state has no version that `revenue` knows.
    let host = Host::serve(&place, &pipeline);
    eventually("the pipeline runs", || {
        (host.get("/v1/pipelines/sales")["phase"] == "running").then_some(())
    });
    host.upload("revenue", "revenue");
    let body = serde_json::json!({ "stage": "revenue", "module": "revenue" });
    let (status, answer) = host.post("/v1/pipelines/sales/releases", &body);
    let said = answer.to_string();
    assert!(status >= 400 && said.contains("cannot migrate from version 2"), "{status}: {said}");
    host.stop();
}

/// What does not fit is refused, and the running stage stays as it is.
#[test]
fn a_module_that_does_not_fit_is_refused_and_changes_nothing() {
    let topic = Topic::create(services::kafka(), "swap-unfit", 1);
    Sales::new(seed(53), 1).send(&topic, 100);
    let place = Place::local();
    let host = Host::serve(&place, &Pipeline::sales(kafka(&topic)).write(&place));
    eventually("the first sales are committed", || {
        (chain::head(&place)?.fates().read > 0).then_some(())
    });
    let before = chain::head(&place).unwrap().module("valid");
    host.upload("revenue", "revenue");
    let (status, answer) = host.post(
        "/v1/pipelines/sales/releases",
        &serde_json::json!({
            "stage": "valid", "module": "revenue"
        }),
    );
    assert_eq!(status, 422, "{answer}");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("revenue") && message.contains("filter"), "{message}");
    assert_eq!(host.get("/v1/pipelines/sales")["phase"], "running");
    host.stop();
    assert_eq!(chain::head(&place).unwrap().module("valid"), before);
}
