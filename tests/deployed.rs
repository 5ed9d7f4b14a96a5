//! A deployment of docker-compose.yml, seen as its user sees it: through the published ports. `cargo xtask compose`
//! brings it up, says by the environment where it is, and runs these tests in the order in which they stand here.

#![expect(
    clippy::unwrap_used,
    reason = "a test that fails shows the line; an error handed on hides it"
)]
#![expect(
    unreachable_pub,
    reason = "nothing is public in a test binary; `pub` says what a module offers"
)]
#![expect(dead_code, reason = "the harness has more than is needed here")]

mod harness;

use reqwest::blocking::{Client, RequestBuilder};
use serde_json::Value;

use harness::chain::{self, Head};
use harness::oracle::{Rules, Sale, valid};
use harness::place::Place;
use harness::table::{assert_same_rows, files, rows};
use harness::topic::{StoredRecord, Topic};
use harness::{PATIENCE, eventually};

const PIPELINE: &str = "/v1/pipelines/sales";
/// As docker-compose.yml has them made.
const PARTITIONS: i32 = 3;

/// What `premium-sale` keeps without a setting of its own.
fn premium(sale: &Sale) -> bool {
    sale.price >= 25_000 && sale.store.starts_with("store-")
}

#[expect(clippy::disallowed_methods, reason = "`cargo xtask compose` says where the deployment is")]
fn told(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("`{variable}` is not set: run this by `cargo xtask compose`"))
}

/// The demo's credentials are part of the compose file.
fn warehouse() -> Place {
    Place::bucket(&told("DEPLOYED_STORE"), "warehouse", "demo-access-key", "demo-secret-key")
}

fn client() -> Client {
    Client::builder().timeout(PATIENCE).build().unwrap()
}

#[track_caller]
fn answer(request: RequestBuilder) -> Value {
    let answer = request.bearer_auth(told("DEPLOYED_TOKEN")).send().unwrap();
    let status = answer.status();
    let text = answer.text().unwrap();
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// What Prometheus has of a metric, if it has it.
fn scraped(query: &str) -> Option<f64> {
    let url = format!("{}/api/v1/query", told("DEPLOYED_PROMETHEUS"));
    let answer: Value = client().get(url).query(&[("query", query)]).send().ok()?.json().ok()?;
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

#[test]
fn metrics_are_scraped() {
    eventually("both hosts are scraped", || {
        (scraped("sum(up{job=\"sluicegate\"})")? == 2.0).then_some(())
    });
    eventually("one of them leads", || (scraped("sum(sluicegate_leader)")? == 1.0).then_some(()));
    let read = || scraped("sum(sluicegate_records_read_total{pipeline=\"sales\"})");
    let before = eventually("records are counted", read);
    eventually("the count rises from scrape to scrape", || (read()? > before).then_some(()));
    let epoch = eventually("an epoch", || scraped("max(sluicegate_epoch{pipeline=\"sales\"})"));
    println!("epoch {epoch} is scraped, {before} records had been read");
}

#[test]
fn a_plugin_is_exchanged_through_the_published_port() {
    let url = told("DEPLOYED_URL");
    let refused = client().get(format!("{url}/v1/modules")).send().unwrap();
    assert_eq!(refused.status().as_u16(), 401, "the port is published: it must want the token");

    let module = client()
        .put(format!("{url}/v1/modules/premium-sale"))
        .header("content-type", "application/wasm")
        .body(std::fs::read(told("DEPLOYED_PLUGIN")).unwrap());
    let uploaded = answer(module);
    let body = serde_json::json!({ "stage": "valid", "module": "premium-sale" });
    let activated = answer(client().post(format!("{url}{PIPELINE}/releases")).json(&body));
    assert_eq!(activated["digest"], uploaded["digest"]);

    let epoch = activated["epoch"].as_u64().unwrap();
    let records = chain::records(&warehouse());
    let pinned = |epoch: u64| records[usize::try_from(epoch).unwrap()].module("valid").unwrap();
    assert_eq!(pinned(epoch), uploaded["digest"].as_str().unwrap());
    assert_ne!(pinned(epoch - 1), pinned(epoch), "the record of the answer is the first");
    println!("premium-sale runs from epoch {epoch} on");
}

/// The producer has been stopped; what it sent is all there is.
#[test]
fn the_table_is_what_a_recomputation_gives() {
    let topic = Topic::existing(&told("DEPLOYED_BROKERS"), "sales", PARTITIONS);
    let place = warehouse();
    let records = topic.read_back();
    eventually("the chain holds the whole topic", || {
        let positions = chain::head(&place)?.positions();
        let is_read =
            |last: &StoredRecord| positions.get(&i64::from(last.partition)) > Some(&last.offset);
        (0..topic.partitions).all(|number| last(&records, number).is_none_or(is_read)).then_some(())
    });

    let chain = chain::records(&place);
    let flip = flip(&chain);
    let from = flip.positions();
    let is_new = |record: &StoredRecord| record.offset >= from[&i64::from(record.partition)];
    let keeps = |record: &StoredRecord, sale: &Sale| {
        if is_new(record) { premium(sale) } else { valid(sale) }
    };
    let judged = Rules { keeps: &keeps, ..Rules::sales() }.judge(&records);

    let found =
        rows(&place, "revenue", &["store", "revenue", "sales", "window_start", "window_end"]);
    assert_same_rows("results", &found, &judged.results);
    let dead = rows(&place, "dead", &["partition", "offset"]);
    assert_same_rows("dead letters", &dead, &judged.dead_letters);
    let late = rows(&place, "late", &["store", "window_start"]);
    assert_eq!(u64::try_from(late.len()).unwrap(), judged.fates.late, "late rows");
    assert_eq!(chain.last().unwrap().fates(), judged.fates);
    let mut named: Vec<_> = chain.iter().flat_map(|record| record.files("revenue")).collect();
    named.sort();
    assert_eq!(files(&place, "revenue"), named, "the table's files are those that the chain names");

    // With the filter as it was the table would be another one: the new version made rows of it.
    let never = Rules::sales().judge(&records);
    let made_by_new = judged.results.iter().filter(|row| never.results.binary_search(row).is_err());
    let made_by_new = made_by_new.count();
    assert!(made_by_new > 0, "the new version made no row that can be told from the old one's");
    println!(
        "{} records, {} epochs, {} rows in {} files equal the recomputation; {made_by_new} of them are the new \
         version's; {:?}",
        records.len(),
        chain.len(),
        found.len(),
        named.len(),
        judged.fates
    );
}

fn last(records: &[StoredRecord], partition: i32) -> Option<&StoredRecord> {
    let end = records.partition_point(|record| record.partition <= partition);
    records[..end].last().filter(|record| record.partition == partition)
}

/// The record that pins another filter than the one before it. There is one.
fn flip(chain: &[Head]) -> &Head {
    let flips: Vec<_> = chain
        .windows(2)
        .filter(|pair| pair[0].module("valid") != pair[1].module("valid"))
        .map(|pair| &pair[1])
        .collect();
    assert_eq!(flips.len(), 1, "the filter was exchanged once");
    flips[0]
}
