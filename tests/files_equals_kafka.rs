//! The same events from files and from Kafka give the same rows.

use std::fmt::Write;

use crate::harness::host::run_to_end;
use crate::harness::oracle::Rules;
use crate::harness::pipeline::{Pipeline, kafka_bounded};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::table::{assert_same_rows, rows};
use crate::harness::topic::{StoredRecord, Topic};
use crate::harness::{chain, seed, services};
use crate::kafka_to_parquet::RESULTS;

/// A partition of the topic becomes a file (docs/design/decisions.md#d11). Files have no timestamps
/// of Kafka's, so the guard against the future is off for both.
#[test]
fn a_bounded_run_over_files_gives_the_rows_of_the_run_over_kafka() {
    let topic = Topic::create(services::kafka(), "files", 3);
    Sales::new(seed(21), 3).send(&topic, 2_000);
    let records = topic.read_back();
    let (over_kafka, over_files) = (Place::local(), Place::local());

    let mut pipeline = Pipeline::sales(kafka_bounded(&topic));
    pipeline.event_time += "max_future_skew = \"off\"\n";
    run_to_end(&over_kafka, &pipeline.write(&over_kafka));

    let input = write_files(&over_files, &records);
    pipeline.source = format!("[source]\ntype = \"files\"\n[source.files]\npath = \"{input}\"\n");
    run_to_end(&over_files, &pipeline.write(&over_files));

    let from_kafka = rows(&over_kafka, "revenue", &RESULTS);
    let rules = Rules { ended: true, max_future_skew: None, ..Rules::sales() };
    let answer = rules.judge(&records);
    assert_same_rows("over Kafka", &from_kafka, &answer.results);
    assert_same_rows("over files", &rows(&over_files, "revenue", &RESULTS), &from_kafka);
    assert_eq!(chain::head(&over_files).unwrap().fates(), answer.fates);
    assert!(chain::head(&over_files).unwrap().ended());
}

/// Without a window the rows themselves go to the table.
#[test]
fn a_raw_sink_holds_the_rows_that_the_filter_keeps() {
    let topic = Topic::create(services::kafka(), "raw", 2);
    Sales::new(seed(22), 2).send(&topic, 1_000);
    let place = Place::local();
    let mut pipeline = Pipeline::sales(kafka_bounded(&topic));
    pipeline.window = None;
    run_to_end(&place, &pipeline.write(&place));

    let answer = Rules { ended: true, ..Rules::sales() }.judge(&topic.read_back());
    assert_same_rows("raw rows", &rows(&place, "revenue", &["store", "price", "ts"]), &answer.kept);
    let fates = chain::head(&place).unwrap().fates();
    // Without windows nothing is late.
    assert_eq!(fates.accepted, answer.fates.accepted + answer.fates.late);
    assert_eq!(fates.late, 0);
}

/// One file a partition; returns their folder.
pub fn write_files(place: &Place, records: &[StoredRecord]) -> String {
    let folder = place.folder.path().join("input");
    std::fs::create_dir(&folder).unwrap();
    let mut files: std::collections::BTreeMap<i32, String> = std::collections::BTreeMap::new();
    for record in records {
        let text = std::str::from_utf8(&record.value).unwrap();
        writeln!(files.entry(record.partition).or_default(), "{text}").unwrap();
    }
    for (partition, text) in files {
        std::fs::write(folder.join(format!("{partition}.ndjson")), text).unwrap();
    }
    folder.display().to_string()
}
