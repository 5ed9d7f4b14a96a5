//! Delta tables: what readers that are not ours say of them, and that a reader who looks all the while sees no row vanish
//! or come twice, whatever is killed.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::exactly_once::wait_for_the_end;
use crate::harness::delta::{Poller, optimize, read};
use crate::harness::host::{Host, ended, run_to_end, sluicegate};
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

/// A line more for the sink.
fn add_to_sink(file: &Path, line: &str) {
    const TYPE: &str = "type = \"delta\"\n";
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, text.replace(TYPE, &format!("{TYPE}{line}\n"))).unwrap();
}

/// The epochs in the names of the files of the results.
fn epochs_of_files(place: &Place) -> BTreeSet<String> {
    let files = place.list("revenue").into_iter().filter(|path| path.ends_with(".parquet"));
    let files = files.filter(|path| !path.contains("_delta_log"));
    let epoch = |path: String| path.split('-').rev().nth(3).unwrap().parse::<u64>().unwrap();
    files.map(|path| epoch(path).to_string()).collect()
}

#[test]
fn other_readers_see_the_rows_that_the_rules_say() {
    let topic = Topic::create(services::kafka(), "delta-readers", 3);
    Sales::new(seed(31), 3).send(&topic, 3_000);
    let place = Place::local();
    let mut pipeline = Pipeline::sales(kafka_bounded(&topic));
    pipeline.tables = "delta";
    let file = pipeline.write(&place);
    add_to_sink(&file, "epoch_column = true");
    run_to_end(&place, &file);
    for reader in READERS {
        let epochs = read(&place, reader, "revenue", &["_epoch"]);
        assert_eq!(BTreeSet::from_iter(epochs), epochs_of_files(&place), "epochs by {reader}");
    }
    let answer = Rules { ended: true, ..Rules::sales() }.judge(&topic.read_back());
    assert!(answer.fates.late > 0 && !answer.dead_letters.is_empty(), "{:?}", answer.fates);
    assert_tables(&place, &answer, &READERS);
    // A file that no log names is no row.
    let stray = place.list("revenue").into_iter().find(|path| path.ends_with(".parquet")).unwrap();
    assert_eq!(rows_shown(&place, &[&stray, "revenue", "dead"]), 3, "of a file alone, too");
    place.write("revenue/stray.parquet", place.read(&stray));
    assert_tables(&place, &answer, &READERS);
    // What has ended has nothing to add, however often it is started.
    run_to_end(&place, &file);
    assert_tables(&place, &answer, &READERS[..1]);
}

#[test]
fn readers_see_the_values_by_which_a_table_is_parted() {
    let topic = Topic::create(services::kafka(), "delta-parted", 2);
    Sales::new(seed(35), 2).send(&topic, 1_000);
    let place = Place::local();
    let mut pipeline = Pipeline::sales(kafka_bounded(&topic));
    pipeline.tables = "delta";
    let file = pipeline.write(&place);
    add_to_sink(&file, "partition_by = [\"store\"]");
    run_to_end(&place, &file);
    let shown = ended(sluicegate(&place).args(["table", "show"]).arg(&file));
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("partitions: by store"), "{shown}");
    let answer = Rules { ended: true, ..Rules::sales() }.judge(&topic.read_back());
    assert_tables(&place, &answer, &READERS);
}

/// How many rows `sluicegate table` shows of tables by their places, of one that is wanted.
#[track_caller]
fn rows_shown(place: &Place, tables: &[&str]) -> usize {
    let shown = |table: &&str| {
        let url = format!("{}/{table}", place.url);
        let shown = ended(sluicegate(place).args(["table", "--rows", "1", &url]));
        let said = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(shown.status.success() && said.contains("1 rows shown"), "{shown:?}");
    };
    tables.iter().map(shown).count()
}

/// Where the runbooks send people whose tables lie in a bucket.
fn assert_commands_take_urls(place: &Place, file: &Path) {
    assert_eq!(rows_shown(place, &["revenue", "dead", "late"]), 3);
    let said = |arguments: &[&str]| {
        let output = ended(sluicegate(place).arg("table").args(arguments));
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let (file, url) = (file.to_str().unwrap(), format!("{}/revenue", place.url));
    let dead = said(&[file, "--table", "dead_letters"]);
    assert!(dead.contains("rows shown") && dead.contains(&format!("{}/dead", place.url)), "{dead}");
    assert!(said(&[file]).contains("revenue\n+"), "all of them, each with its id");
    assert!(said(&["show", &url]).contains("belongs to: sales/revenue"));
    assert!(said(&["compact", &url]).contains("nothing to put together"));
    let refused = said(&["vacuum", &url]);
    assert!(refused.contains(&format!("`{url}` is no pipeline file")), "{refused}");
    assert!(refused.contains("name that of the pipeline which writes the table"), "{refused}");
    let nothing = said(&[&format!("{}/nothing", place.url)]);
    assert!(nothing.contains("holds no file that ends in `.parquet`"), "{nothing}");
}

#[test]
fn a_log_that_is_behind_is_caught_up_by_the_next_start() {
    let topic = Topic::create(services::kafka(), "delta-behind", 2);
    Sales::new(seed(32), 2).send(&topic, 2_000);
    let place = Place::s3(services::s3());
    let mut pipeline = Pipeline::sales(kafka_bounded(&topic));
    // The chain commits all of it before there is a log.
    run_to_end(&place, &pipeline.write(&place));
    assert_eq!(rows_shown(&place, &["revenue"]), 1, "of the files that lie there");
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

/// Others put its files together by their means, the pipeline by its own, and a person by the command.
#[test]
fn a_table_that_is_compacted_while_it_is_written_keeps_its_rows() {
    let place = Place::s3(services::s3());
    let topic = Topic::create(services::kafka(), "delta-compacted", 2);
    let mut pipeline = Pipeline::sales(kafka(&topic));
    pipeline.tables = "delta";
    let file = pipeline.write(&place);
    add_to_sink(&file, "compact_after_files = 4");
    let mut sales = Sales::new(seed(34), 2);
    let mut reader = Poller::start(&place, "revenue", &["store", "window_start"]);
    let host = Host::serve(&place, &file);
    let compacted = || {
        let logs = host.get("/v1/pipelines/sales")["table_logs"].clone();
        let of = |log: &serde_json::Value| log["table"] == "revenue" && log["compacted_files"] != 0;
        logs.as_array().unwrap().iter().any(of).then_some(())
    };
    let mut by_others = 0;
    let mut rounds = 0;
    while by_others == 0 || compacted().is_none() {
        rounds += 1;
        assert!(rounds < 60, "{by_others} files by others, and the pipeline: {:?}", compacted());
        let before = chain::head(&place).map_or(0, |head| head.epoch());
        sales.send(&topic, 200);
        eventually("a commit", || (chain::head(&place)?.epoch() > before).then_some(()));
        // Every time, they would leave the pipeline nothing.
        let has_files = || place.list("revenue").iter().any(|path| path.ends_with(".parquet"));
        if by_others == 0 && has_files() {
            by_others += optimize(&place, "revenue");
        }
    }
    sales.close(&topic);
    let records = topic.read_back();
    wait_for_the_end(&place, &topic, &records);
    let answer = Rules::sales().judge(&records);
    eventually("the reader sees all rows", || {
        let (_, rows) = reader.rows().expect("no row is gone or doubled");
        (rows == answer.results.len()).then_some(())
    });
    let command = |arguments: &[&str]| ended(sluicegate(&place).args(arguments).arg(&file));
    assert!(command(&["table", "compact"]).status.success());
    host.stop();
    reader.stop();
    assert_tables(&place, &answer, &READERS[..1]);
    let verified = command(&["verify"]);
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(verified.status.success() && said.contains("undecided 0"), "{said}");
    let shown = command(&["table", "show"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("belongs to: sales/revenue"));
    let vacuumed = command(&["table", "vacuum"]);
    let said = String::from_utf8_lossy(&vacuumed.stdout);
    assert!(said.contains("revenue: nobody needs 0 files"), "{said}");
    assert_commands_take_urls(&place, &file);
}
