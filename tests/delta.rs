//! Delta tables: what readers that are not ours say of them, and that a reader who looks all the while sees no row vanish
//! or come twice, whatever is killed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::exactly_once::wait_for_the_end;
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

fn readers(place: &Place, arguments: &[&str]) -> Command {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/delta_readers.py");
    let mut command = Command::new(services::delta_readers());
    command.arg(script).args(arguments).envs(place.environment.iter().cloned());
    command
}

/// The rows of a table, those columns of them, as a reader gives them.
#[track_caller]
fn read(place: &Place, reader: &str, table: &str, columns: &[&str]) -> Vec<String> {
    let url = format!("{}/{table}", place.url);
    let output = readers(place, &["rows", reader, &url]).args(columns).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{reader} reads {url}: {errors}");
    let mut rows: Vec<String> =
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    rows.sort();
    rows
}

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
        (reader.rows() == answer.results.len()).then_some(())
    });
    host.stop();
    let looks = reader.stop();
    println!("{looks} looks, {} epochs", chain::head(&place).unwrap().epoch());
    assert!(looks >= 5, "the reader hardly looked: {looks}");
    assert_tables(&place, &answer, &READERS[..1]);
}

/// A reader in a process of its own that looks at a table again and again. It ends with an error if a row is gone, or there
/// twice.
struct Poller {
    process: Child,
    lines: BufReader<std::process::ChildStdout>,
    looks: usize,
}

impl Poller {
    fn start(place: &Place, table: &str, columns: &[&str]) -> Self {
        let url = format!("{}/{table}", place.url);
        let mut command = readers(place, &["poll", &url]);
        let mut process =
            command.args(columns).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines, looks: 0 }
    }

    /// How many rows the next look shows.
    #[track_caller]
    fn rows(&mut self) -> usize {
        let mut line = String::new();
        writeln!(self.process.stdin.as_mut().unwrap(), "look").unwrap();
        self.lines.read_line(&mut line).unwrap();
        let (looks, rows) =
            line.trim().split_once(' ').expect("the reader found a row gone or doubled");
        self.looks = looks.parse().unwrap();
        rows.parse().unwrap()
    }

    /// How often it has looked.
    #[track_caller]
    fn stop(mut self) -> usize {
        drop(self.process.stdin.take());
        assert!(self.process.wait().unwrap().success(), "a row vanished or came twice");
        self.looks
    }
}
