//! The main job: a topic goes through a filter and an aggregate into a Parquet table, and the table is what the
//! rules say.

use crate::harness::host::{self, run_to_end};
use crate::harness::oracle::{Answer, Rules};
use crate::harness::pipeline::{Pipeline, kafka_bounded};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::table::{assert_same_rows, files, rows};
use crate::harness::topic::Topic;
use crate::harness::{chain, seed, services};

/// The columns of the oracle's results.
pub const RESULTS: [&str; 5] = ["store", "revenue", "sales", "window_start", "window_end"];

/// Compares everything a job has left behind with the oracle's answer.
#[track_caller]
pub fn assert_answer(place: &Place, answer: &Answer) {
    assert_answer_to_readers(place, answer);
    let mut lying = place.list("revenue");
    lying.retain(|path| path.ends_with(".parquet"));
    assert_eq!(lying, files(place, "revenue"), "nothing else is left");
}

/// The same as far as readers of Delta tables see it: a put of an owner before may land at any time, and nobody has named it.
#[track_caller]
pub fn assert_answer_to_readers(place: &Place, answer: &Answer) {
    assert!(answer.results.len() > 10, "too little happened: {:?}", answer.fates);
    assert_same_rows("results", &rows(place, "revenue", &RESULTS), &answer.results);
    let dead = rows(place, "dead", &["partition", "offset"]);
    assert_same_rows("dead letters", &dead, &answer.dead_letters);
    let late = rows(place, "late", &["store", "window_start"]);
    assert_eq!(u64::try_from(late.len()).unwrap(), answer.fates.late, "late rows");
    let chain = chain::records(place);
    assert_eq!(chain.last().unwrap().fates(), answer.fates);
    let mut named: Vec<_> = chain.iter().flat_map(|record| record.files("revenue")).collect();
    named.sort();
    assert_eq!(files(place, "revenue"), named, "the table's files are those that the chain names");
}

/// docs/design/time.md, rules 1, 2, 4, 6, 7 on a bounded range of a topic.
#[test]
fn a_bounded_run_gives_what_the_rules_say() {
    let topic = Topic::create(services::kafka(), "bounded", 3);
    Sales::new(seed(1), 3).send(&topic, 4_000);
    let place = Place::local();
    run_to_end(&place, &Pipeline::sales(kafka_bounded(&topic)).write(&place));

    let answer = Rules { ended: true, ..Rules::sales() }.judge(&topic.read_back());
    assert!(answer.fates.late > 0 && answer.fates.filtered > 0, "{:?}", answer.fates);
    assert_answer(&place, &answer);
    assert!(chain::head(&place).unwrap().ended());
}

/// docs/design/decisions.md#d1: neither the number of cores nor the size of turns and calls changes
/// a result.
#[test]
fn cores_and_batch_sizes_change_nothing() {
    let topic = Topic::create(services::kafka(), "batches", 3);
    Sales::new(seed(2), 3).send(&topic, 600);
    let answer = Rules { ended: true, ..Rules::sales() }.judge(&topic.read_back());
    for limits in [
        "workers = 1\nturn_records = 65536",
        "workers = 1\nturn_records = 7\ncall_rows = 3",
        "workers = 5\nturn_records = 129\ncall_rows = 16",
    ] {
        let place = Place::local();
        let mut pipeline = Pipeline::sales(kafka_bounded(&topic));
        pipeline.more = format!("[limits]\n{limits}\n");
        run_to_end(&place, &pipeline.write(&place));
        assert_answer(&place, &answer);
    }
}

/// docs/design/decisions.md#d5: a bounded job that has ended is not run again.
#[test]
fn a_finished_job_run_again_changes_nothing() {
    let topic = Topic::create(services::kafka(), "again", 2);
    let mut sales = Sales::new(seed(3), 2);
    sales.send(&topic, 500);
    let place = Place::local();
    let pipeline = Pipeline::sales(kafka_bounded(&topic)).write(&place);
    run_to_end(&place, &pipeline);
    // But for who leads: whoever runs the job takes a term of leadership first.
    let is_kept = |path: &String| !path.contains("/terms/") && !path.contains("/beats/");
    let objects = || place.list("").into_iter().filter(is_kept).collect::<Vec<_>>();
    let (before, head) = (objects(), chain::head(&place).unwrap().epoch());
    sales.send(&topic, 500);
    run_to_end(&place, &pipeline);
    assert_eq!(objects(), before);
    assert_eq!(chain::head(&place).unwrap().epoch(), head);
}

/// The product's own producer, with everything it can do wrong, through the job and the oracle.
#[test]
fn what_produce_makes_is_judged_alike() {
    let topic = Topic::create(services::kafka(), "produced", 3);
    let place = Place::local();
    let mut produce = host::sluicegate(&place);
    produce.args(["produce", "sales", "--topic", &topic.name, "--brokers", &topic.brokers]);
    produce.args(["--count", "20000", "--seed", "4", "--late", "5%/1m", "--bad", "1%"]);
    let made = host::ended(&mut produce);
    assert!(made.status.success(), "{made:?}");

    let records = topic.read_back();
    assert_eq!(records.len(), 20_000);
    run_to_end(&place, &Pipeline::sales(kafka_bounded(&topic)).write(&place));
    let answer = Rules { ended: true, ..Rules::sales() }.judge(&records);
    assert_same_rows("results", &rows(&place, "revenue", &RESULTS), &answer.results);
    assert_eq!(chain::head(&place).unwrap().fates(), answer.fates);
    assert!(answer.fates.dead_lettered > 0 && answer.fates.late > 0, "{:?}", answer.fates);
}
