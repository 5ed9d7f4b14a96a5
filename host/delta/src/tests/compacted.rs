//! Files put together: the rows stay, whoever writes meanwhile and whatever fails.

use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;

use super::faulty::Fault;
use super::*;
use crate::actions::{Add, Remove};
use crate::compact::{Compacted, Planned, Room, Sizes, Unlimited, compact, plan};
use crate::compare::{Rows, compare};
use sluicegate_chain::record::Epoch;
use sluicegate_store::Location;
use sluicegate_testing::held::HeldStore;

const ALL: Sizes = Sizes { target: 1 << 20, after_files: None };

pub(super) fn compacted(lane: &Lane) -> Result<Compacted, LogError> {
    let (clock, names) = (Clock::manual(5_000_000), Names::random());
    lane.runtime.block_on(compact(lane.table(), ALL, usize::MAX, (&clock, &names), &Unlimited))
}

/// The rows of a file.
fn rows_of(lane: &Lane, path: &str) -> Vec<i64> {
    let path = lane.table().path(path);
    let bytes = async { lane.store.untroubled().get(&path).await.unwrap().bytes().await.unwrap() };
    let reader = ParquetRecordBatchReaderBuilder::try_new(lane.runtime.block_on(bytes)).unwrap();
    let mut rows = Vec::new();
    for batch in reader.build().unwrap() {
        rows.extend(batch.unwrap().column(0).as_primitive::<Int64Type>().values());
    }
    rows
}

/// What readers of the newest version see, sorted.
fn seen(lane: &Lane) -> Vec<i64> {
    let table = lane.runtime.block_on(contents(lane.table())).unwrap();
    let mut rows: Vec<i64> = table.files.keys().flat_map(|path| rows_of(lane, path)).collect();
    rows.sort_unstable();
    rows
}

fn lane() -> Lane {
    let mut lane = Lane::new();
    lane.commit_rows(&[&[1, 2], &[3]]);
    lane.commit_rows(&[&[4]]);
    catch_up(&lane, &mut open(&lane, &["n"]).unwrap()).unwrap();
    lane
}

#[test]
fn small_files_become_one_with_the_same_rows_and_the_writer_goes_on() {
    let mut lane = lane();
    let mut log = open(&lane, &["n"]).unwrap();
    let before = lane.runtime.block_on(contents(lane.table())).unwrap();
    lane.commit_rows(&[&[5]]);
    let done = compacted(&lane).unwrap();
    assert_eq!((done.commits, done.files, done.rows, done.overtaken), (1, 3, 4, 0));
    assert_eq!(seen(&lane), [1, 2, 3, 4], "what is not published is not touched");
    let after = lane.runtime.block_on(contents(lane.table())).unwrap();
    assert_eq!(after.state.txns, before.state.txns, "no writer has come further");
    assert_eq!((after.files.len(), after.removed.len()), (1, 3));
    let file = after.files.values().next().unwrap();
    let stats = file.stats.as_deref().unwrap();
    let all = r#"{"numRecords":4,"minValues":{"n":1},"maxValues":{"n":4},"nullCount":{"n":0}}"#;
    assert_eq!(stats, all);
    catch_up(&lane, &mut log).unwrap();
    assert_eq!(seen(&lane), [1, 2, 3, 4, 5]);
    let last = commits(&lane).pop().unwrap();
    assert_eq!(last.iter().filter(|line| line.add.is_some()).count(), 1, "only the new epoch");
    assert_eq!(compacted(&lane).unwrap().files, 2, "the new file goes to the large one");
    assert_eq!(compacted(&lane).unwrap(), Compacted::default(), "and then there is nothing to do");
}

#[test]
fn what_is_planned_is_what_is_done() {
    let lane = lane();
    let before = commits(&lane).len();
    let planned = lane.runtime.block_on(plan(lane.table(), ALL)).unwrap();
    assert_eq!(commits(&lane).len(), before, "nothing is written");
    let Compacted { commits, files, bytes_before, rows, .. } = compacted(&lane).unwrap();
    assert_eq!(planned, Planned { commits, files, bytes_before, rows: Some(rows) });
    assert_eq!((commits, rows), (1, 4));
    let planned = lane.runtime.block_on(plan(lane.table(), ALL)).unwrap();
    assert_eq!(planned, Planned { rows: Some(0), ..Planned::default() });
}

#[test]
fn a_look_compares_the_rows_of_a_compacted_table() {
    let lane = lane();
    compacted(&lane).unwrap();
    let look = || {
        let log = lane.runtime.block_on(contents(lane.table())).unwrap();
        lane.runtime.block_on(compare(&lane.storage, "numbers", &log)).unwrap().unwrap()
    };
    let found = look();
    assert_eq!(found.findings, []);
    assert_eq!(found.rows, Some(Rows { log: Some(4), chain: Some(4) }));
    // Somebody says that a file holds what it does not.
    let table = lane.runtime.block_on(contents(lane.table())).unwrap();
    let whole = table.files.into_values().next().unwrap();
    let half = Add {
        path: "half.parquet".to_owned(),
        stats: Some(r#"{"numRecords":3}"#.to_owned()),
        ..whole.clone()
    };
    put_foreign(&lane, vec![removed(&whole), added(half)]);
    lane.runtime
        .block_on(lane.table().store.put(&lane.table().path("half.parquet"), "1".into()))
        .unwrap();
    let found = look();
    let said: Vec<&str> = found.findings.iter().map(|finding| &*finding.detail).collect();
    assert!(said[0].contains("put files of 3 rows in the place of files of 4"), "{said:?}");
    assert!(
        said[1].contains("has 3 in its files, and the records of the same epochs 4"),
        "{said:?}"
    );
}

fn removed(add: &Add) -> Line {
    let remove = Remove {
        path: add.path.clone(),
        deletion_timestamp: Some(5_000),
        data_change: false,
        extended_file_metadata: None,
        partition_values: None,
        size: Some(add.size),
    };
    Line { remove: Some(remove), ..Line::default() }
}

fn added(add: Add) -> Line {
    Line { add: Some(add), ..Line::default() }
}

/// Compacts the table; when the new file is on its way, something else happens.
fn overtaken(lane: &mut Lane, meanwhile: impl FnOnce(&mut Lane)) -> Compacted {
    let held = Arc::new(HeldStore::new(Arc::clone(&lane.table().store)));
    held.hold("compacted-");
    let table = Location { store: Arc::clone(&held) as _, ..lane.table().clone() };
    let work = lane.runtime.spawn(async move {
        let (clock, names) = (Clock::manual(5_000_000), Names::random());
        compact(&table, ALL, 1, (&clock, &names), &Unlimited).await
    });
    lane.runtime.block_on(held.is_held());
    meanwhile(lane);
    lane.runtime.block_on(async {
        held.land_and_go_on().await.1.unwrap();
        work.await.unwrap().unwrap()
    })
}

#[test]
fn a_log_that_was_deleted_is_not_made_again_without_the_compacted_rows() {
    let lane = lane();
    compacted(&lane).unwrap();
    lane.let_go_below(Epoch(2));
    let delete = async {
        use futures::TryStreamExt;
        let store = lane.store.untroubled();
        let folder = Log { table: lane.table().clone() }.folder();
        let log: Vec<_> = store.list(Some(&folder)).try_collect().await.unwrap();
        for object in log {
            store.delete(&object.location).await.unwrap();
        }
    };
    lane.runtime.block_on(delete);
    let said = open(&lane, &["n"]).unwrap_err().to_string();
    assert!(said.contains("has compacted files and no log"), "{said}");
    lane.runtime.block_on(forget(lane.table(), |_| true)).unwrap();
    let left = lane.runtime.block_on(cleanup::compacted(lane.table())).unwrap();
    assert!(left.is_empty(), "they go with the log");
}

#[test]
fn an_epoch_that_comes_between_stays() {
    let mut lane = lane();
    let done = overtaken(&mut lane, |lane| {
        lane.commit_rows(&[&[5]]);
        catch_up(lane, &mut open(lane, &["n"]).unwrap()).unwrap();
    });
    assert_eq!((done.commits, done.files), (1, 3));
    assert_eq!(seen(&lane), [1, 2, 3, 4, 5]);
}

#[test]
fn whoever_finds_its_files_compacted_by_another_throws_its_own_away() {
    let mut lane = lane();
    let done = overtaken(&mut lane, |lane| {
        assert_eq!(compacted(lane).unwrap().commits, 1);
    });
    assert_eq!((done.commits, done.overtaken), (0, 1));
    assert_eq!(seen(&lane), [1, 2, 3, 4]);
    let files = lane.runtime.block_on(async {
        use futures::TryStreamExt;
        let objects = lane.table().store.list(None).try_collect::<Vec<_>>().await.unwrap();
        let is_compacted = |path: &Path| path.as_ref().contains("compacted-");
        objects.into_iter().filter(|object| is_compacted(&object.location)).count()
    });
    assert_eq!(files, 1, "that of the other");
}

/// So much, of which nothing is left once it was taken.
#[derive(Debug)]
struct Once(u64, AtomicBool);

impl Room for Once {
    fn bytes(&self) -> u64 {
        self.0
    }

    fn take(&self, bytes: u64) -> Option<Box<dyn Send>> {
        assert!(bytes <= self.0, "{bytes} bytes where there are {}", self.0);
        (!self.1.swap(true, Ordering::Relaxed)).then(|| Box::new(()) as Box<dyn Send>)
    }
}

#[test]
fn files_are_put_together_as_far_as_there_is_memory_and_the_others_wait() {
    let mut lane = lane();
    lane.commit_rows(&[&[5], &[6]]);
    catch_up(&lane, &mut open(&lane, &["n"]).unwrap()).unwrap();
    let sizes: Vec<i64> = {
        let table = lane.runtime.block_on(contents(lane.table())).unwrap();
        table.files.values().map(|file| file.size).collect()
    };
    let largest = u64::try_from(*sizes.iter().max().unwrap()).unwrap();
    let with = |room: u64| {
        let (clock, names) = (Clock::manual(5_000_000), Names::random());
        let room = Once(room, AtomicBool::new(false));
        lane.runtime.block_on(compact(lane.table(), ALL, 9, (&clock, &names), &room)).unwrap()
    };
    // Of two files, old and new.
    let none = with(4 * largest - 400);
    assert_eq!((none.commits, none.waiting), (0, 1));
    let some = with(4 * largest + 40);
    assert_eq!((some.commits, some.files, some.waiting), (1, 2, 1));
    assert_eq!(seen(&lane), [1, 2, 3, 4, 5, 6]);
}

/// What it is shown of its own commit is that of another. The log says whose it is.
#[test]
fn a_commit_that_is_taken_for_anothers_keeps_its_file() {
    let lane = lane();
    lane.store.fail(Fault::Misread);
    let done = compacted(&lane).unwrap();
    assert_eq!((done.commits, done.files, done.overtaken), (1, 3, 0));
    assert_eq!(seen(&lane), [1, 2, 3, 4]);
}

#[derive(Clone, Debug)]
enum Step {
    Commit,
    Publish,
    Compact,
    Fail(Fault),
    Land,
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        Just(Fault::Before),
        Just(Fault::After),
        Just(Fault::Late),
        Just(Fault::Misread)
    ];
    prop_oneof![
        3 => Just(Step::Commit),
        3 => Just(Step::Publish),
        3 => Just(Step::Compact),
        2 => fault.prop_map(Step::Fail),
        1 => Just(Step::Land),
    ]
}

fn run(steps: &[Step]) {
    let mut lane = Lane::new();
    let mut log = open(&lane, &["n"]).unwrap();
    let mut next = 0;
    let mut before: Vec<i64> = Vec::new();
    for step in steps {
        match step {
            Step::Commit => {
                lane.commit_rows(&[&[next], &[next + 1]]);
                next += 2;
            }
            // Either may fail, and that must do no harm.
            Step::Publish => drop(catch_up(&lane, &mut log)),
            Step::Compact => drop(compacted(&lane)),
            Step::Fail(fault) => lane.store.fail(*fault),
            Step::Land => lane.runtime.block_on(lane.store.land()),
        }
        let rows = seen(&lane);
        let is_whole =
            rows.iter().copied().eq(0..rows.len() as i64) && rows.len().is_multiple_of(2);
        assert!(is_whole && rows.len() >= before.len(), "{rows:?} after {before:?}");
        before = rows;
    }
    lane.store.mend();
    lane.runtime.block_on(lane.store.land());
    catch_up(&lane, &mut log).unwrap();
    let _ = compacted(&lane);
    assert_eq!(seen(&lane), (0..next).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn no_row_is_lost_or_doubled_whatever_fails(
        steps in proptest::collection::vec(step(), 1..16)
    ) {
        run(&steps);
    }
}
