//! A chain in a store in memory whose records name files of dead letters, for tests.

use std::collections::BTreeMap;

use super::*;
use sluicegate_chain::body::SlotBody;
use sluicegate_chain::paths::{lane_folder, slot};
use sluicegate_chain::record::{
    ChainRecord, DataFile, Parent, RecordKind, SourceKind, SourceState, Term, Writer,
};
use sluicegate_connect::sink::dead_letters::{self, DeadLetter};
use sluicegate_connect::sink::{Table, Tables};
use sluicegate_model::identity::SourceIdentity;
use sluicegate_model::time::Watermark;
use sluicegate_store::once::{Created, Immutable, put_once};

/// Commits an epoch whose record names a file for each of these lists of dead letters.
pub(crate) async fn commit(storage: &LaneStorage, epoch: u64, files: &[&[DeadLetter<'_>]]) {
    let table = &storage.tables[DEAD_LETTERS];
    let mut named = Vec::new();
    for (index, letters) in files.iter().enumerate() {
        let bytes = file_of(letters);
        let path = format!("file-{epoch}-{index}.parquet");
        let object = Immutable::new(bytes.into());
        named.push(DataFile {
            null_partitions: Vec::new(),
            table: DEAD_LETTERS.to_owned(),
            path: path.clone(),
            bytes: object.len(),
            sha256: object.sha256().to_owned(),
            rows: letters.len() as u64,
            event_time_range: None,
            partition_values: BTreeMap::new(),
            statistics: BTreeMap::new(),
        });
        put(table, &path, &object).await;
    }
    let body = SlotBody::freeze(record(epoch, named)).unwrap();
    let folder = storage.chain.child(&lane_folder(&storage.job, &storage.lane));
    put(&folder, &slot(Epoch(epoch)), body.object()).await;
}

async fn put(folder: &sluicegate_store::Location, path: &str, object: &Immutable) {
    assert!(matches!(put_once(folder, &folder.path(path), object).await, Created::Ours));
}

fn file_of(letters: &[DeadLetter<'_>]) -> Vec<u8> {
    let mut tables = Tables::new(vec![Table {
        id: DEAD_LETTERS.into(),
        schema: dead_letters::schema(),
        partition_by: Vec::new(),
        event_time_column: Some("at".to_owned()),
        shape: None,
        file_bytes_max: 1 << 30,
    }]);
    let mut rows = dead_letters::DeadLetters::default();
    letters.iter().for_each(|letter| rows.push(letter));
    tables.write(0, &rows.finish(), None).unwrap();
    tables.freeze().unwrap().remove(0).bytes.to_vec()
}

fn record(epoch: u64, files: Vec<DataFile>) -> ChainRecord {
    let hash = "0".repeat(64);
    let parent = epoch.checked_sub(1);
    ChainRecord {
        v: 0,
        job: "sales".to_owned(),
        lane: "0".to_owned(),
        epoch: Epoch(epoch),
        chain: "0c4a7b91e2d3".to_owned(),
        earlier: Vec::new(),
        apart: false,
        kind: if epoch == 0 { RecordKind::Genesis } else { RecordKind::Data },
        held: false,
        parent: parent.map(|epoch| Parent { epoch: Epoch(epoch), sha256: hash }),
        term: Term(1),
        writer: Writer { instance: "test".to_owned(), nonce: "a1b2".to_owned() },
        source: SourceState {
            kind: SourceKind::Files,
            ended: false,
            identity: SourceIdentity::default(),
            partitions: Vec::new(),
            jumps: Vec::new(),
            finished: None,
        },
        watermark: Watermark::None,
        state: None,
        files,
        outbox: None,
        modules: Vec::new(),
        activations: Vec::new(),
        tables: BTreeMap::new(),
        config: BTreeMap::new(),
    }
}
