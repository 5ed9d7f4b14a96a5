//! What a look at a table finds whose log does not fit the chain.

use sluicegate_chain::record::Epoch;
use sluicegate_chain::verify::report::Matter;
use sluicegate_chain::{DataFiles, forget};

use super::*;
use crate::actions::{Add, Remove};
use crate::claim::release;
use crate::compare::compare;
use crate::contents::{Contents, Uneven};
use crate::paths;

/// A lane of three epochs with a file each, all in the log.
fn lane() -> Lane {
    let mut lane = Lane::new();
    (0..3).for_each(|_| lane.commit(1, &["n"]));
    catch_up(&lane, &mut open(&lane, &["n"]).unwrap()).unwrap();
    lane
}

fn path(lane: &Lane, epoch: usize) -> String {
    lane.records[epoch].files[0].path.clone()
}

/// Of which matter what is, and why.
fn findings(lane: &Lane) -> Vec<(Matter, String)> {
    let compared = lane.runtime.block_on(async {
        let log = contents(lane.table()).await.unwrap();
        compare(&lane.storage, "numbers", &log).await.unwrap().unwrap()
    });
    assert_eq!(compared.head, lane.head.as_ref().unwrap().epoch);
    compared.findings.into_iter().map(|finding| (finding.matter, finding.detail)).collect()
}

fn take_out(lane: &Lane, path: String) -> Line {
    let add = lane.runtime.block_on(contents(lane.table())).unwrap().files[&path].clone();
    let remove = Remove {
        path,
        deletion_timestamp: Some(5_000),
        data_change: false,
        extended_file_metadata: None,
        partition_values: None,
        size: Some(add.size),
    };
    Line { remove: Some(remove), ..Line::default() }
}

fn put_in(path: &str) -> Line {
    let add = Add {
        path: path.to_owned(),
        partition_values: BTreeMap::new(),
        size: 1,
        modification_time: 5_000,
        data_change: false,
        stats: None,
        tags: None,
    };
    Line { add: Some(add), ..Line::default() }
}

#[test]
fn a_log_that_fits_and_one_that_is_behind_have_nothing_amiss() {
    let mut lane = lane();
    assert_eq!(findings(&lane), []);
    lane.commit(1, &["n"]);
    assert_eq!(findings(&lane), [], "it is only behind");
    lane.let_go_below(Epoch(3));
    assert_eq!(findings(&lane), [], "files whose records are gone are known by their names");
}

#[test]
fn a_file_that_is_gone_is_missing_to_readers() {
    let lane = lane();
    let gone = lane.table().path(&path(&lane, 2));
    lane.runtime.block_on(lane.table().store.delete(&gone)).unwrap();
    let [(matter, detail)] = findings(&lane).try_into().unwrap();
    assert_eq!(matter, Matter::Missing);
    assert!(detail.contains("readers of the table fail"), "{detail}");
}

#[test]
fn a_file_that_the_log_left_out_is_missing_and_one_that_was_compacted_is_not() {
    let lane = lane();
    put_foreign(&lane, vec![take_out(&lane, path(&lane, 1)), put_in("compacted.parquet")]);
    let compacted = lane.table().path("compacted.parquet");
    let store = lane.store.untroubled();
    lane.runtime.block_on(store.put(&compacted, "1".into())).unwrap();
    assert_eq!(findings(&lane), [], "somebody has compacted it");
    let state = |lines: &[Line]| {
        let log = Log { table: lane.table().clone() };
        let text = Bytes::from(write(lines));
        lane.runtime.block_on(store.put(&log.commit_path(1), text.into())).unwrap();
    };
    // The commit of all epochs is written again, without the file of the second.
    let mut lines = commits(&lane).remove(1);
    let left_out = path(&lane, 2);
    lines.retain(|line| line.add.as_ref().is_none_or(|add| add.path != left_out));
    state(&lines);
    let [(matter, detail)] = findings(&lane).try_into().unwrap();
    assert_eq!(matter, Matter::Undecided);
    assert!(
        detail.contains("does not name 1 files of the chain, and whether their rows"),
        "{detail}"
    );
}

#[test]
fn a_file_that_no_record_names_is_left_over() {
    let lane = lane();
    let stray = path(&lane, 2).replace("-0.parquet", "-7.parquet");
    assert_ne!(stray, path(&lane, 2));
    let store = lane.store.untroubled();
    lane.runtime.block_on(store.put(&lane.table().path(&stray), "1".into())).unwrap();
    assert_eq!(findings(&lane), [], "no reader sees it");
    put_foreign(&lane, vec![put_in(&stray)]);
    let [(matter, detail)] = findings(&lane).try_into().unwrap();
    assert_eq!(matter, Matter::LeftOver);
    assert!(detail.contains("the record of epoch 2 does not"), "{detail}");
}

#[test]
fn a_file_is_known_by_its_path_below_the_folder() {
    let mut table = Contents::default();
    let (logged, below) = ("city=a%2520b/x.parquet", "city=a%20b/x.parquet");
    table.apply(0, vec![put_in(logged)]);
    assert!(table.has(below) && !table.has(logged) && !table.had(below));
    let remove = Remove {
        path: logged.to_owned(),
        deletion_timestamp: Some(5_000),
        data_change: false,
        extended_file_metadata: None,
        partition_values: None,
        size: None,
    };
    table.apply(1, vec![Line { remove: Some(remove), ..Line::default() }]);
    assert!(table.had(below) && !table.has(below));
}

/// A lane that was reset, whose data were kept, and that has begun again with one epoch.
fn begun_again() -> Lane {
    let before = lane();
    before.runtime.block_on(async {
        let clock = Clock::manual(5_000_000);
        release(&before.storage, "numbers", |_| true, &clock).await.unwrap();
        forget(&before.storage, DataFiles::Keep).await.unwrap();
    });
    let mut lane = Lane::at(&before.store, "chain");
    lane.commit(1, &["n"]);
    let mut log = open(&lane, &["n"]).unwrap();
    lane.runtime.block_on(log.take(&[])).unwrap();
    catch_up(&lane, &mut log).unwrap();
    lane
}

#[test]
fn files_of_a_chain_that_was_reset_are_the_table() {
    let lane = begun_again();
    let log = lane.runtime.block_on(contents(lane.table())).unwrap();
    assert_eq!(log.files.len(), 4, "of both chains");
    assert_eq!(findings(&lane), []);
}

#[test]
fn a_file_that_holds_rows_of_a_chain_that_was_reset_tells_nothing_of_others() {
    let lane = begun_again();
    let log = lane.runtime.block_on(contents(lane.table())).unwrap();
    let name = paths::compacted(&"0a1b".repeat(8));
    let together = |rows: u64| {
        let mut lines: Vec<Line> =
            log.files.keys().map(|path| take_out(&lane, path.clone())).collect();
        let mut line = put_in(&name);
        line.add.as_mut().unwrap().stats = Some(format!("{{\"numRecords\":{rows}}}"));
        lines.push(line);
        lines
    };
    put_foreign(&lane, together(12));
    let file = lane.table().path(&name);
    lane.runtime.block_on(lane.store.untroubled().put(&file, "1".into())).unwrap();
    let [(matter, detail)] = findings(&lane).try_into().unwrap();
    assert_eq!(matter, Matter::Undecided);
    assert!(detail.contains("has 12 in its files") && detail.contains("epochs 3"), "{detail}");
    assert!(detail.contains("chains that were reset may be among them"), "{detail}");
}

#[test]
fn rows_of_another_chain_of_the_pipeline_are_told() {
    let lane = lane();
    let other = Txn { app_id: "sluicegate/toy/0/numbers/abcdefabcdef".to_owned(), ..txn(7) };
    put_foreign(&lane, vec![Line { txn: Some(other), ..Line::default() }, foreign_txn(9)]);
    let [(Matter::Foreign, detail)] = &*findings(&lane) else { panic!("{:?}", findings(&lane)) };
    assert!(detail.contains("epochs up to 7 of another chain, abcdefabcdef"), "{detail}");
}

fn txn(version: i64) -> Txn {
    foreign_txn(version).txn.unwrap()
}

/// As two writers do that compact the same files, of which the second does not look who was faster.
#[test]
fn rows_that_a_second_compaction_brings_once_more_are_seen() {
    let add = |path: &str| {
        format!(
            "{{\"add\":{{\"path\":\"{path}\",\"partitionValues\":{{}},\"size\":1,\"modificationTime\":1,\"dataChange\":false,\
             \"stats\":\"{{\\\"numRecords\\\":7}}\"}}}}\n"
        )
    };
    let remove = |path: &str| {
        format!(
            "{{\"remove\":{{\"path\":\"{path}\",\"deletionTimestamp\":1,\"dataChange\":false}}}}\n"
        )
    };
    let mut contents = Contents::default();
    let texts = [add("a"), remove("a") + &add("b"), remove("a") + &add("c")];
    for (version, text) in (0..).zip(texts) {
        contents.apply(version, actions::parse(&Bytes::from(text)).unwrap());
    }
    assert_eq!(contents.uneven, [Uneven { version: 2, before: 0, after: 7 }]);
}
