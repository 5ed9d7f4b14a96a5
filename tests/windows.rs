//! Windows other than tumbling ones, over files and over Kafka, against the oracle.

use std::fmt::Write;
use std::ops::Range;

use crate::files_equals_kafka::write_files;
use crate::harness::host::run_to_end;
use crate::harness::oracle::{Answer, Rules, time};
use crate::harness::pipeline::{Pipeline, kafka_bounded};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::table::{assert_same_rows, rows};
use crate::harness::topic::Topic;
use crate::harness::{chain, seed, services};
use crate::kafka_to_parquet::RESULTS;

/// docs/design/time.md, rules 2, 4 and 8. The size is no multiple of the slide, and rows are late
/// for some windows only.
#[test]
fn sliding_windows_are_what_the_rules_say_over_files_and_kafka() {
    let windows = "type = \"sliding\"\nsize = \"25s\"\nslide = \"7s\"\n";
    let rules = Rules { window_size: 25, slide: 7, ..Rules::sales() };
    let answer = run_both("sliding", 31, windows, "5s", rules);
    assert!(answer.fates.late > 0 && answer.results.len() > 100, "{:?}", answer.fates);
}

/// docs/design/time.md#rule-5. Stores sell in every partition, so nothing may be late: see
/// `docs/windows.md`.
#[test]
fn sessions_are_what_the_rules_say_over_files_and_kafka() {
    let windows = "type = \"session\"\ngap = \"1s\"\n";
    let rules = Rules { gap: Some(1), max_out_of_orderness: 600, ..Rules::sales() };
    let answer = run_both("sessions", 32, windows, "10m", rules);
    assert!(answer.fates.late == 0 && answer.results.len() > 50, "{:?}", answer.fates);
}

/// docs/design/time.md#rule-8. Two sums of which each has the 18 digits that the plugin can hold,
/// and both together have not: the window over both panes is lost, every other one and the other
/// store are what they are.
#[test]
fn a_window_whose_panes_cannot_be_merged_is_dead_lettered_and_holds_nothing_back() {
    let windows = "type = \"sliding\"\nsize = \"20s\"\nslide = \"10s\"\n";
    let sales = [("a", HUGE, 1), ("b", "1.00", 1), ("a", HUGE, 11), ("b", "2.00", 11)];
    let (found, dead) = run_lines(windows, &[&sales[..], &[("a", "5.00", 61)]].concat());
    let expected = [
        result("a", HUGE, 1, -10..10),
        result("a", HUGE, 1, 10..30),
        result("a", "5.00", 1, 50..70),
        result("a", "5.00", 1, 60..80),
        result("b", "1.00", 1, -10..10),
        result("b", "3.00", 2, 0..20),
        result("b", "2.00", 1, 10..30),
    ];
    assert_same_rows("sliding", &found, &expected);
    assert_eq!(dead, ["revenue | merge"; 2], "both accumulators");
}

/// docs/design/time.md#rule-5. The row between two sessions makes them one; what they held is lost,
/// the row itself is not.
#[test]
fn sessions_that_cannot_be_merged_are_dead_lettered_and_hold_nothing_back() {
    let windows = "type = \"session\"\ngap = \"10s\"\n";
    let sales = [("a", HUGE, 0), ("b", "1.00", 0), ("a", HUGE, 20), ("b", "2.00", 20)];
    let then = [("a", "5.00", 10), ("b", "4.00", 10), ("a", "6.00", 61)];
    let (found, dead) = run_lines(windows, &[&sales[..], &then].concat());
    let expected = [
        result("a", "5.00", 1, 0..30),
        result("a", "6.00", 1, 61..71),
        result("b", "7.00", 3, 0..30),
    ];
    assert_same_rows("sessions", &found, &expected);
    assert_eq!(dead, ["revenue | merge"; 2], "both accumulators");
}

const HUGE: &str = "9000000000000000.00";
/// When the sales of [`run_lines`] begin: a window begins there.
const BEGIN: i64 = 1_700_000_000;

fn result(store: &str, revenue: &str, sales: u32, window: Range<i64>) -> String {
    let [start, end] = [window.start, window.end].map(|at| time(BEGIN + at));
    format!("store-{store} | {revenue} | {sales} | {start} | {end}")
}

/// Runs a pipeline over sales of (store, price, seconds since [`BEGIN`]) in one file, to the end. Its results, and stage
/// and kind of its dead letters.
fn run_lines(windows: &'static str, sales: &[(&str, &str, i64)]) -> (Vec<String>, Vec<String>) {
    let place = Place::local();
    let mut lines = String::new();
    for (store, price, at) in sales {
        let ts = BEGIN + at;
        writeln!(lines, "{{\"store\":\"store-{store}\",\"price\":\"{price}\",\"ts\":{ts}}}")
            .unwrap();
    }
    let input = place.folder.path().join("sales.ndjson");
    std::fs::write(&input, lines).unwrap();
    let path = input.display();
    let source = format!("[source]\ntype = \"files\"\n[source.files]\npath = \"{path}\"\n");
    let event_time = "max_out_of_orderness = \"10m\"\nidle_after = \"off\"\n".to_owned();
    let pipeline = Pipeline { windows: Some(windows), event_time, ..Pipeline::sales(source) };
    run_to_end(&place, &pipeline.write(&place));
    let fates = chain::head(&place).unwrap().fates();
    assert_eq!(
        (fates.accepted, fates.dead_lettered),
        (sales.len() as u64, 0),
        "rows are no groups"
    );
    (rows(&place, "revenue", &RESULTS), rows(&place, "dead", &["stage", "kind"]))
}

/// Runs a bounded pipeline over a topic of three partitions and over the same records in files.
fn run_both(
    name: &str,
    own_seed: u64,
    windows: &'static str,
    out_of_orderness: &str,
    rules: Rules<'_>,
) -> Answer {
    let topic = Topic::create(services::kafka(), name, 3);
    Sales::new(seed(own_seed), 3).send(&topic, 1_500);
    let records = topic.read_back();
    let rules = Rules { ended: true, ..rules };
    let answer = rules.judge(&records);
    let mut pipeline = Pipeline::sales(kafka_bounded(&topic));
    pipeline.windows = Some(windows);
    pipeline.event_time =
        format!("max_out_of_orderness = \"{out_of_orderness}\"\nidle_after = \"off\"\n");
    let (over_kafka, over_files) = (Place::local(), Place::local());
    run_to_end(&over_kafka, &pipeline.write(&over_kafka));
    // Lines of a file have no timestamp that would tell a sale from the future.
    let sales: Vec<_> = records.into_iter().filter(|record| rules.is_sale(record)).collect();
    let input = write_files(&over_files, &sales);
    pipeline.source = format!("[source]\ntype = \"files\"\n[source.files]\npath = \"{input}\"\n");
    run_to_end(&over_files, &pipeline.write(&over_files));
    for place in [&over_kafka, &over_files] {
        assert_same_rows(name, &rows(place, "revenue", &RESULTS), &answer.results);
    }
    assert_eq!(chain::head(&over_kafka).unwrap().fates(), answer.fates);
    answer
}
