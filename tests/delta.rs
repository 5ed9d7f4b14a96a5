//! Delta tables: what readers that are not ours say of them, and that a reader who looks all the while sees no row vanish
//! or come twice, whatever is killed.

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::exactly_once::wait_for_the_end;
use crate::harness::delta::{Poller, read};
use crate::harness::host::{Host, run_to_end};
use crate::harness::oracle::{Answer, Rules};
use crate::harness::pipeline::{Pipeline, kafka, kafka_bounded};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::table::assert_same_rows;
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, seed, services, wait_until};

/// The readers, each with its way of reading the log.
const READERS: [&str; 3] = ["deltalake", "polars", "duckdb"];

const RESULTS: [&str; 5] = ["store", "revenue", "sales", "window_start", "window_end"];

#[track_caller]
fn assert_tables(place: &Place, answer: &Answer, readers: &[&str]) {
    for reader in readers {
        let results = read(place, reader, "revenue", &RESULTS);
        assert_same_rows(&format!("results by {reader}"), &results, &answer.results);
        let dead = read(place, reader, "dead", &["partition", "offset"]);
        assert_same_rows(&format!("dead letters by {reader}"), &dead, &answer.dead_letters);
        let late = read(place, reader, "late", &["store"]);
        assert_eq!(u64::try_from(late.len()).unwrap(), answer.fates.late, "late rows by {reader}");
    }
}

#[test]
fn other_readers_see_the_rows_that_the_rules_say() {
    let topic = Topic::create(services::kafka(), "delta-readers", 3);
    Sales::new(seed(31), 3).send(&topic, 3_000);
    let place = Place::local();
    let mut pipeline = Pipeline::sales(kafka_bounded(&topic));
    pipeline.tables = "delta";
    let file = pipeline.write(&place);
    run_to_end(&place, &file);
    let answer = Rules { ended: true, ..Rules::sales() }.judge(&topic.read_back());
    assert!(answer.fates.late > 0 && !answer.dead_letters.is_empty(), "{:?}", answer.fates);
    assert_tables(&place, &answer, &READERS);
    // A file that no log names is no row.
    let stray = place.list("revenue").into_iter().find(|path| path.ends_with(".parquet")).unwrap();
    place.write("revenue/stray.parquet", place.read(&stray));
    assert_tables(&place, &answer, &READERS);
    // What has ended has nothing to add, however often it is started.
    run_to_end(&place, &file);
    assert_tables(&place, &answer, &READERS[..1]);
}

#[test]
fn a_log_that_is_behind_is_caught_up_by_the_next_start() {
    let topic = Topic::create(services::kafka(), "delta-behind", 2);
    Sales::new(seed(32), 2).send(&topic, 2_000);
    let place = Place::s3(services::s3());
    let mut pipeline = Pipeline::sales(kafka_bounded(&topic));
    // The chain commits all of it before there is a log.
    run_to_end(&place, &pipeline.write(&place));
    pipeline.tables = "delta";
    run_to_end(&place, &pipeline.write(&place));
    let answer = Rules { ended: true, ..Rules::sales() }.judge(&topic.read_back());
    assert_tables(&place, &answer, &READERS[..1]);
}

#[test]
fn a_reader_who_looks_all_the_while_sees_no_row_vanish_or_come_twice() {
    let place = Place::s3(services::s3());
    let topic = Topic::create(services::kafka(), "delta-killed", 3);
    let mut pipeline = Pipeline::sales(kafka(&topic));
    pipeline.tables = "delta";
    let file = pipeline.write(&place);
    let mut dice = Pcg64Mcg::seed_from_u64(seed(33));
    let mut sales = Sales::new(seed(33), 3);
    let mut reader = Poller::start(&place, "revenue", &["store", "window_start"]);
    for _ in 0..6 {
        let host = Host::run(&place, &file);
        sales.send(&topic, 400);
        wait_until(Duration::from_millis(dice.random_range(400..2_500)), || None::<()>);
        host.kill();
    }
    sales.close(&topic);
    let host = Host::run(&place, &file);
    let records = topic.read_back();
    wait_for_the_end(&place, &topic, &records);
    let answer = Rules::sales().judge(&records);
    eventually("the reader sees all rows", || {
        let (looks, rows) = reader.rows().expect("no row is gone or doubled");
        (looks >= 5 && rows == answer.results.len()).then_some(())
    });
    host.stop();
    let looks = reader.stop();
    println!("{looks} looks, {} epochs", chain::head(&place).unwrap().epoch());
    assert_tables(&place, &answer, &READERS[..1]);
}
