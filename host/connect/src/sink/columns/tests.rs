//! Whoever encodes: the bytes are the same, and the rows are those that were given.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, ListArray, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use sluicegate_delta::bounds::writer_properties;

use super::*;

/// A thread for each piece of work.
#[derive(Debug)]
struct Threads;

impl Spread for Threads {
    fn each(&self, work: Vec<Box<dyn FnOnce() + Send + '_>>) {
        std::thread::scope(|scope| {
            for work in work {
                scope.spawn(work);
            }
        });
    }
}

/// Numbers, texts of which some are missing, and lists: three columns, one of them with levels.
fn rows(first: i64, count: usize) -> RecordBatch {
    let numbers: Vec<i64> = (first..).take(count).collect();
    let text = |n: &i64| (n % 7 != 0).then(|| format!("text {}", n % 1_000));
    let list = |n: &i64| (n % 5 != 0).then(|| (0..n % 3).map(Some).collect::<Vec<_>>());
    let columns: [(&str, ArrayRef); 3] = [
        ("n", Arc::new(Int64Array::from(numbers.clone()))),
        ("text", Arc::new(numbers.iter().map(text).collect::<StringArray>())),
        (
            "list",
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(numbers.iter().map(list))),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .unwrap()
}

/// Row groups of few rows or bytes, so that batches end in the middle of them.
fn options(rows_max: Option<usize>, bytes_max: usize) -> ArrowWriterOptions {
    let properties = writer_properties().unwrap().into_builder();
    let properties = properties
        .set_max_row_group_row_count(rows_max)
        .set_max_row_group_bytes(Some(bytes_max))
        .build();
    ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true)
}

fn written(batches: &[RecordBatch], options: ArrowWriterOptions, spread: &dyn Spread) -> Vec<u8> {
    let mut file = ColumnFile::new(&batches[0].schema(), options).unwrap();
    for batch in batches {
        file.write(batch, spread).unwrap();
        assert!(file.held_bytes() >= file.bytes());
    }
    file.finish(spread).unwrap().0
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_file_is_the_same_whoever_encodes_its_columns(
        sizes in prop::collection::vec(1..12_000usize, 1..5),
        rows_max in prop::option::of(500..20_000usize),
        bytes_max in 20_000..400_000usize,
    ) {
        let mut first = 0;
        let batches: Vec<RecordBatch> = sizes
            .into_iter()
            .map(|count| {
                let batch = rows(first, count);
                first += count as i64;
                batch
            })
            .collect();
        let options = || options(rows_max, bytes_max);
        let alone = written(&batches, options(), &Alone);
        prop_assert!(alone == written(&batches, options(), &Threads));
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(alone)).unwrap();
        let groups = reader.metadata().row_groups().iter().map(|group| group.num_rows() as usize);
        prop_assert!(groups.max().unwrap() <= rows_max.unwrap_or(usize::MAX));
        let read: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
        let schema = read[0].schema();
        let (read, given) = [read, batches].map(|all| concat_batches(&schema, &all).unwrap()).into();
        prop_assert!(read == given);
    }
}

#[test]
fn rows_of_another_width_are_refused() {
    let mut file = ColumnFile::new(&rows(0, 1).schema(), options(None, 100_000)).unwrap();
    assert!(file.write(&rows(0, 1).project(&[0, 1]).unwrap(), &Alone).is_err());
}
