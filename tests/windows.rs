//! Windows other than tumbling ones, over files and over Kafka, against the oracle.

use crate::files_equals_kafka::write_files;
use crate::harness::host::run_to_end;
use crate::harness::oracle::{Answer, Rules};
use crate::harness::pipeline::{Pipeline, kafka_bounded};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::table::{assert_same_rows, rows};
use crate::harness::topic::Topic;
use crate::harness::{chain, seed, services};
use crate::kafka_to_parquet::RESULTS;

/// SEMANTICS.md rules 2, 4 and 8. The size is no multiple of the slide, and rows are late for some windows only.
#[test]
fn sliding_windows_are_what_the_rules_say_over_files_and_kafka() {
    let windows = "type = \"sliding\"\nsize = \"25s\"\nslide = \"7s\"\n";
    let rules = Rules { window_size: 25, slide: 7, ..Rules::sales() };
    let answer = run_both("sliding", 31, windows, "5s", rules);
    assert!(answer.fates.late > 0 && answer.results.len() > 100, "{:?}", answer.fates);
}

/// SEMANTICS.md rule 5. Stores sell in every partition, so nothing may be late: see `docs/windows.md`.
#[test]
fn sessions_are_what_the_rules_say_over_files_and_kafka() {
    let windows = "type = \"session\"\ngap = \"1s\"\n";
    let rules = Rules { gap: Some(1), max_out_of_orderness: 600, ..Rules::sales() };
    let answer = run_both("sessions", 32, windows, "10m", rules);
    assert!(answer.fates.late == 0 && answer.results.len() > 50, "{:?}", answer.fates);
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
