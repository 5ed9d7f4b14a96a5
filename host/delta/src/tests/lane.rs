//! A chain with epochs that have files or none, by the real committer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use object_store::ObjectStoreExt;
use parquet::arrow::ArrowWriter;
use serde_json::json;
use tokio::runtime::Runtime;

use sluicegate_chain::frozen::EncodedFile;
use sluicegate_chain::paths;
use sluicegate_chain::record::{
    ChainRecord, Epoch, PartitionState, RecordKind, SourceKind, SourceState,
};
use sluicegate_chain::shape::{ColumnShape, ColumnStatistics, TableShape};
use sluicegate_chain::{CommitOutcome, Committer, FrozenEpoch, Keep, LaneStorage, Opener, fates};
use sluicegate_model::identity::SourceIdentity;
use sluicegate_model::position::{NextOffset, Partition, Position};
use sluicegate_model::time::{Clock, Watermark};
use sluicegate_store::Location;

use super::faulty::FaultyStore;

const LONG: Duration = Duration::from_secs(60);

pub(super) fn shape(columns: &[&str]) -> TableShape {
    let column =
        |name: &&str| ColumnShape { name: (*name).to_owned(), kind: json!("long"), nullable: true };
    TableShape { columns: columns.iter().map(column).collect(), partition_by: Vec::new() }
}

/// A file with the column `n`.
pub(super) fn parquet(rows: &[i64]) -> Vec<u8> {
    let column: ArrayRef = Arc::new(Int64Array::from(rows.to_vec()));
    let batch = RecordBatch::try_from_iter_with_nullable([("n", column, true)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

pub(super) struct Lane {
    pub(super) runtime: Runtime,
    pub(super) store: FaultyStore,
    pub(super) storage: LaneStorage,
    pub(super) head: Option<Arc<ChainRecord>>,
    /// The newest is the last.
    pub(super) records: Vec<Arc<ChainRecord>>,
    committer: Committer,
}

impl Lane {
    pub(super) fn new() -> Self {
        Self::at(&FaultyStore::new(), "chain")
    }

    /// A lane whose chain lies there.
    pub(super) fn at(store: &FaultyStore, chain: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let store = store.clone();
        let root = Location { store: Arc::new(store.clone()), ..Location::in_memory() };
        let storage = LaneStorage {
            chain: root.child(chain),
            tables: BTreeMap::from([(Arc::from("numbers"), root.child("numbers"))]),
            job: "toy".to_owned(),
            lane: "0".to_owned(),
            keep: Keep::default(),
        };
        let opened = runtime.block_on(async {
            let mut opener = Opener::new(&storage, "test");
            let survey = opener.survey().await.unwrap();
            opener.take(survey).await.unwrap().unwrap()
        });
        let committer = Committer::spawn(
            runtime.handle().clone(),
            opened.chain,
            storage.clone(),
            Clock::manual(0),
            Arc::default(),
        );
        let mut lane = Self { runtime, store, storage, head: None, records: Vec::new(), committer };
        lane.submit(RecordKind::Genesis, Vec::new());
        lane
    }

    pub(super) fn table(&self) -> &Location {
        &self.storage.tables["numbers"]
    }

    /// The chain's id.
    pub(super) fn chain(&self) -> &str {
        &self.records[0].chain
    }

    /// Commits an epoch with so many files, of these columns.
    pub(super) fn commit(&mut self, files: usize, columns: &[&str]) {
        let shape = Arc::new(shape(columns));
        let statistics = ColumnStatistics {
            min: Some("-1".to_owned()),
            max: Some("12345678901234567890123".to_owned()),
            nulls: 2,
        };
        let file = |number: usize| EncodedFile {
            table: Arc::from("numbers"),
            partition: Vec::new(),
            bytes: format!("{} {number}", self.records.len()).into(),
            rows: 3,
            event_time_range: None,
            shape: Some(Arc::clone(&shape)),
            statistics: BTreeMap::from([("n".to_owned(), statistics.clone())]),
        };
        let files = (0..files).map(file).collect();
        self.submit(RecordKind::Data, files);
    }

    /// Commits an epoch with a file for each of these lists of numbers, which are the column `n`.
    pub(super) fn commit_rows(&mut self, files: &[&[i64]]) {
        let shape = Arc::new(shape(&["n"]));
        let file = |rows: &&[i64]| EncodedFile {
            table: Arc::from("numbers"),
            partition: Vec::new(),
            bytes: parquet(rows).into(),
            rows: rows.len() as u64,
            event_time_range: None,
            shape: Some(Arc::clone(&shape)),
            statistics: BTreeMap::new(),
        };
        self.submit(RecordKind::Data, files.iter().map(file).collect());
    }

    /// The pipeline file names another path for the table.
    pub(super) fn move_table(&mut self, to: &str) {
        let root = Location { store: Arc::new(self.store.clone()), ..Location::in_memory() };
        self.storage.tables.insert(Arc::from("numbers"), root.child(to));
    }

    /// Deletes the records between the genesis and an epoch, as the owner of a lane does. The head stays.
    pub(super) fn let_go_below(&self, epoch: Epoch) {
        let epoch = epoch.min(self.head.as_ref().unwrap().epoch);
        let store = self.store.untroubled();
        let lane = self.storage.chain.child(&paths::lane_folder("toy", "0"));
        let chain = self.chain();
        let floor =
            format!(r#"{{"v":1,"chain":"{chain}","epoch":{epoch},"since":{epoch},"runs":[]}}"#);
        self.runtime.block_on(async {
            if epoch > Epoch(1) {
                let path = lane.path(&paths::floor(chain, epoch));
                store.put(&path, floor.into()).await.unwrap();
            }
            for gone in 1..epoch.0 {
                let _ = store.delete(&lane.path(&paths::slot(Epoch(gone)))).await;
            }
        });
    }

    fn submit(&mut self, kind: RecordKind, files: Vec<EncodedFile>) {
        let next_offset = NextOffset::at(i64::try_from(self.records.len()).unwrap());
        let partition = PartitionState {
            partition: Partition { stream: Arc::from("numbers"), number: 0 },
            position: Position::at(next_offset),
            max_event_time: None,
            doubted: None,
            fates: fates::Fates::default(),
        };
        let source = SourceState {
            kind: SourceKind::Files,
            ended: false,
            identity: SourceIdentity::default(),
            jumps: Vec::new(),
            partitions: vec![partition],
            finished: None,
        };
        self.committer.submit(FrozenEpoch {
            kind,
            source,
            watermark: Watermark::None,
            state: None,
            files,
            outbox: None,
            modules: Vec::new(),
            config: BTreeMap::new(),
        });
        let Some(CommitOutcome::Committed(record)) = self.committer.wait(LONG) else { panic!() };
        self.records.push(Arc::clone(&record));
        self.head = Some(record);
    }
}
