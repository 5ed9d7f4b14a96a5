//! `verify` finds what was taken away, changed, left over or brought in, and nothing where nothing is wrong.

use object_store::memory::InMemory;

use super::super::body::SlotBody;
use super::super::inspect;
use super::super::record::{ChainRecord, DataFile};
use super::super::resolve::LOOK_BACK;
use super::super::store::LaneStore;
use super::super::verify::report::{Matter, Report};
use super::super::verify::{TableLogs, verify};
use super::*;

const COUNT: i64 = 5;

/// Of tables without logs.
pub(super) struct NoLogs;

impl TableLogs for NoLogs {
    fn excuse(&self, _: &ChainRecord, _: &DataFile) -> Option<String> {
        None
    }

    fn has(&self, _: &str, _: &str) -> bool {
        false
    }
}

/// One that names everything.
struct InLog;

impl TableLogs for InLog {
    fn excuse(&self, _: &ChainRecord, _: &DataFile) -> Option<String> {
        None
    }

    fn has(&self, _: &str, _: &str) -> bool {
        true
    }
}

struct Lane {
    runtime: Runtime,
    storage: LaneStorage,
    records: Vec<ChainRecord>,
}

impl Lane {
    fn new(count: i64) -> Self {
        let (runtime, storage) = (runtime(), storage(Arc::new(InMemory::new())));
        assert_eq!(live(&runtime, &storage, count), Ended::Done);
        let read = |epoch| runtime.block_on(inspect::record(&storage, Epoch(epoch)));
        let records = (0..=count as u64).map(|epoch| read(epoch).unwrap().unwrap()).collect();
        Self { runtime, storage, records }
    }

    fn verify(&self, hashes: bool) -> Report {
        self.runtime.block_on(verify(&self.storage, hashes, &NoLogs, |_, _| {})).unwrap().unwrap()
    }

    fn found(&self) -> Vec<(Matter, String)> {
        let report = self.verify(true);
        let found = report.findings.into_iter().map(|it| (it.matter, it.object));
        found.collect()
    }

    fn table(&self) -> &Location {
        &self.storage.tables["numbers"]
    }

    fn file(&self, epoch: usize) -> (object_store::path::Path, String) {
        let path = &self.records[epoch].files[0].path;
        (self.table().path(path), format!("numbers: {path}"))
    }

    fn put(&self, path: &object_store::path::Path, bytes: &str) {
        let put = self.storage.chain.store.put(path, bytes.to_owned().into());
        self.runtime.block_on(put).unwrap();
    }

    fn delete(&self, path: &object_store::path::Path) {
        self.runtime.block_on(self.storage.chain.store.delete(path)).unwrap();
    }

    fn below(&self, below: &str) -> object_store::path::Path {
        LaneStore::new(&self.storage.chain, "toy", "0").folder.path(below)
    }
}

#[test]
fn a_whole_chain_has_no_findings_also_where_old_states_are_gone() {
    let lane = Lane::new(LOOK_BACK as i64 + 20);
    let key = &lane.records[3].state.as_ref().unwrap().pieces[0].key;
    lane.delete(&lane.below(key));
    let report = lane.verify(true);
    assert_eq!(report.findings, []);
    assert!(!report.has_defects());
    let count = LOOK_BACK as u64 + 20;
    assert_eq!((report.epochs, report.files, report.blobs), (count + 1, count, LOOK_BACK as u64));
}

#[test]
fn what_is_missing_or_changed_is_named() {
    let lane = Lane::new(COUNT);
    let ((gone, gone_name), (changed, changed_name), (longer, longer_name)) =
        (lane.file(1), lane.file(2), lane.file(3));
    lane.delete(&gone);
    lane.put(&changed, "7");
    lane.put(&longer, "22");
    let key_of = |epoch: usize| {
        let state = lane.records[epoch].state.as_ref().unwrap();
        &state.pieces.last().unwrap().key
    };
    let (state, other_state) = (key_of(4), key_of(5));
    lane.delete(&lane.below(state));
    lane.put(&lane.below(other_state), "nonsense");
    let expected = [
        (Matter::Missing, gone_name),
        (Matter::Damaged, changed_name.clone()),
        (Matter::Damaged, longer_name),
        (Matter::Missing, state.clone()),
        (Matter::Damaged, other_state.clone()),
    ];
    assert_eq!(lane.found(), expected);
    let sizes = lane.verify(false);
    assert!(sizes.has_defects() && !sizes.hashed);
    let is_seen = sizes.findings.iter().any(|finding| finding.object == changed_name);
    assert!(!is_seen, "its size is the same");
}

#[test]
fn files_that_no_record_names_are_left_over_foreign_earlier_or_undecided() {
    let lane = Lane::new(COUNT);
    let theirs = LaneStorage { chain: lane.storage.chain.child("else"), ..lane.storage.clone() };
    lane.runtime.block_on(forget(&theirs, DataFiles::Keep)).unwrap();
    assert_eq!(live(&lane.runtime, &theirs, 1), Ended::Done);
    assert_eq!(lane.found().iter().map(|found| found.0).collect::<Vec<_>>(), [Matter::Foreign]);
    assert!(!lane.verify(true).has_defects());
    lane.runtime.block_on(forget(&theirs, DataFiles::DeleteOwn)).unwrap();

    let chain = &lane.records[0].chain;
    let left = format!("toy.0-{chain}-{:020}-9-abcdefabcdef-0.parquet", 2);
    let next = format!("toy.0-{chain}-{:020}-9-abcdefabcdef-0.parquet", COUNT + 1);
    let older = format!("toy.0-{:020}-9-abcdefabcdef-0.parquet", 2);
    for name in [&left, &next, &older, &"by-hand.parquet".to_owned()] {
        lane.put(&lane.table().path(name), "1");
    }
    let expected = [
        (Matter::Foreign, format!("numbers: {older}")),
        (Matter::LeftOver, format!("numbers: {left}")),
        (Matter::Undecided, format!("numbers: {next}")),
    ];
    assert_eq!(lane.found(), expected);

    lane.runtime.block_on(forget(&lane.storage, DataFiles::Keep)).unwrap();
    assert_eq!(live(&lane.runtime, &lane.storage, 1), Ended::Done);
    let earlier = lane.found().iter().filter(|found| found.0 == Matter::Earlier).count();
    assert_eq!(earlier as i64, COUNT + 2, "of the chain that was forgotten");
}

#[test]
fn files_of_another_chain_that_a_log_names_are_the_table() {
    let lane = Lane::new(COUNT);
    let lost = LaneStorage { chain: lane.storage.chain.child("lost"), ..lane.storage.clone() };
    lane.runtime.block_on(forget(&lost, DataFiles::Keep)).unwrap();
    assert_eq!(live(&lane.runtime, &lost, 1), Ended::Done);
    lane.runtime.block_on(forget(&lane.storage, DataFiles::Keep)).unwrap();
    assert_eq!(live(&lane.runtime, &lane.storage, 1), Ended::Done);
    let report = lane.runtime.block_on(verify(&lane.storage, true, &InLog, |_, _| {}));
    let report = report.unwrap().unwrap();
    assert_eq!(report.kept as i64, COUNT, "of the chain that was reset");
    let [foreign] = &*report.findings else { panic!("{:?}", report.findings) };
    assert_eq!(foreign.matter, Matter::Foreign);
    assert!(foreign.detail.contains("without it readers of the table fail"), "{foreign:?}");
}

#[test]
fn a_chain_with_a_gap_or_a_changed_record_says_where() {
    let lane = Lane::new(COUNT);
    let slot = |epoch| lane.below(&paths::slot(Epoch(epoch)));
    lane.delete(&slot(2));
    let changed = ChainRecord { term: Term(2), ..lane.records[4].clone() };
    let changed = SlotBody::freeze(changed).unwrap();
    lane.put(&slot(4), str::from_utf8(changed.object().bytes()).unwrap());
    lane.put(&slot(1), "{");
    let found = lane.found();
    for expected in [
        (Matter::Damaged, "record of epoch 1".to_owned()),
        (Matter::Missing, "record of epoch 2".to_owned()),
        (Matter::Damaged, "record of epoch 5".to_owned()),
    ] {
        assert!(found.contains(&expected), "{expected:?} is not in {found:?}");
    }
    lane.put(&slot(0), "{");
    assert!(lane.found().contains(&(Matter::Damaged, "record of epoch 0".to_owned())));
}

#[test]
fn a_sink_that_has_another_id_over_the_same_folder_has_the_same_files() {
    let mut lane = Lane::new(COUNT);
    let folder = lane.storage.tables.remove("numbers").unwrap();
    lane.storage.tables.insert(Arc::from("renamed"), folder);
    let report = lane.verify(true);
    assert_eq!(report.findings, []);
    assert!(!report.has_defects());
    // They are compared all the same.
    let path = lane.storage.tables["renamed"].path(&lane.records[2].files[0].path);
    lane.put(&path, "7");
    assert_eq!(lane.found().first().unwrap().0, Matter::Damaged);
}

/// Of tables that lay in another folder.
struct Elsewhere;

impl TableLogs for Elsewhere {
    fn excuse(&self, _: &ChainRecord, file: &DataFile) -> Option<String> {
        Some(format!("lay in data/{}", file.table))
    }

    fn has(&self, _: &str, _: &str) -> bool {
        false
    }
}

#[test]
fn files_of_a_table_that_has_another_folder_now_are_not_missing() {
    let mut lane = Lane::new(COUNT);
    let elsewhere = lane.storage.chain.child("elsewhere");
    lane.storage.tables.insert(Arc::from("numbers"), elsewhere);
    let report = lane.runtime.block_on(verify(&lane.storage, true, &Elsewhere, |_, _| {}));
    let report = report.unwrap().unwrap();
    assert!(!report.has_defects(), "{:?}", report.findings);
    assert_eq!(report.counts[&Matter::Foreign], COUNT as u64);
    assert_eq!(report.findings[0].detail, "lay in data/numbers");
}
