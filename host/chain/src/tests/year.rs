//! An opening of a chain that has run for a year at an epoch every ten seconds: what it asks of the store, counted.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    GetOptions, GetResult, ListResult, ObjectMeta, PutOptions, PutPayload, PutResult, Result,
};

use super::super::resolve::LOOK_BACK;
use super::super::store::LIST_PAGE;
use super::*;
use crate::body::SlotBody;
use crate::fates::Fates;
use crate::record::ChainRecord;

/// A year of epochs of ten seconds.
const YEAR: u64 = 365 * 24 * 360;
/// Those of a day, which stay by default.
const DAY: u64 = 24 * 360;

/// Lists slots that nobody has put, from the first that stayed to the newest. Those that an opening reads are there.
#[derive(Debug)]
struct YearStore {
    inner: InMemory,
    folder: Path,
    first: u64,
    requests: AtomicUsize,
    listed: Arc<AtomicUsize>,
}

impl fmt::Display for YearStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("year store")
    }
}

impl YearStore {
    fn slots(&self, after: Option<u64>) -> BoxStream<'static, Result<ObjectMeta>> {
        let begin = after.map_or(0, |after| after + 1);
        // The genesis stays.
        let genesis = (begin == 0).then_some(0);
        let (folder, listed) = (self.folder.clone(), Arc::clone(&self.listed));
        let slots = genesis.into_iter().chain(begin.max(self.first).max(1)..=YEAR);
        let slots = slots.map(move |epoch| {
            listed.fetch_add(1, Ordering::SeqCst);
            let name = paths::slot(Epoch(epoch));
            Ok(ObjectMeta {
                location: folder.parts().chain(Path::from(name).parts()).collect(),
                last_modified: chrono::DateTime::UNIX_EPOCH,
                size: 1_000,
                e_tag: None,
                version: None,
            })
        });
        futures::stream::iter(slots).boxed()
    }

    fn ask(&self) {
        self.requests.fetch_add(1, Ordering::SeqCst);
    }

    fn is_of_chain(&self, prefix: Option<&Path>) -> bool {
        prefix.is_some_and(|prefix| prefix.as_ref().ends_with("/lanes/0/chain"))
    }
}

#[async_trait]
impl ObjectStore for YearStore {
    sluicegate_testing::passes_on!(inner: put_multipart_opts, delete_stream, copy_opts);

    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.ask();
        self.inner.put_opts(path, payload, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.ask();
        self.inner.get_opts(path, options).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.ask();
        if self.is_of_chain(prefix) { self.slots(None) } else { self.inner.list(prefix) }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.ask();
        let after = offset.filename().and_then(paths::parse_slot);
        match after.filter(|_| self.is_of_chain(prefix)) {
            Some(after) => self.slots(Some(after.0)),
            None => {
                let listed = Arc::clone(&self.listed);
                let count = move |_: &Result<ObjectMeta>| {
                    listed.fetch_add(1, Ordering::SeqCst);
                };
                self.inner.list_with_offset(prefix, offset).inspect(count).boxed()
            }
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.ask();
        self.inner.list_with_delimiter(prefix).await
    }
}

fn record(epoch: u64, parent: Parent) -> ChainRecord {
    ChainRecord {
        v: body::VERSION,
        job: "toy".to_owned(),
        lane: "0".to_owned(),
        epoch: Epoch(epoch),
        chain: "0c4a7b91e2d3".to_owned(),
        earlier: Vec::new(),
        apart: false,
        kind: RecordKind::Data,
        held: false,
        parent: Some(parent),
        term: Term(1),
        writer: Writer { instance: INSTANCE.to_owned(), nonce: "a1b2c3d4e5f6".to_owned() },
        source: SourceState {
            partitions: vec![PartitionState {
                fates: Fates::default(),
                ..source_at(epoch as i64).partitions.remove(0)
            }],
            ..source_at(epoch as i64)
        },
        watermark: Watermark::None,
        state: None,
        files: Vec::new(),
        tables: BTreeMap::new(),
        outbox: None,
        modules: Vec::new(),
        activations: Vec::new(),
        config: BTreeMap::new(),
    }
}

/// What an opening takes: requests, and names listed. `first` is the oldest slot that stayed, and `files` old ones lie in the
/// table, each in folders of its own.
fn opening(first: u64, files: u64) -> (usize, usize) {
    let runtime = runtime();
    let folder = Path::from("chain/toy/lanes/0");
    let store = Arc::new(YearStore {
        inner: InMemory::new(),
        folder: folder.clone(),
        first,
        requests: AtomicUsize::new(0),
        listed: Arc::default(),
    });
    let storage = storage(Arc::clone(&store) as Arc<dyn ObjectStore>);
    let genesis = ChainRecord {
        kind: RecordKind::Genesis,
        parent: None,
        ..record(0, Parent { epoch: Epoch::GENESIS, sha256: String::new() })
    };
    let slot = folder.parts().chain(Path::from(paths::slot(Epoch::GENESIS)).parts()).collect();
    let genesis = SlotBody::freeze(genesis).unwrap().object().bytes().clone();
    runtime.block_on(store.inner.put(&slot, genesis.into())).unwrap();
    let mut parent = Parent { epoch: Epoch(YEAR - LOOK_BACK as u64), sha256: "0".repeat(64) };
    for epoch in YEAR - LOOK_BACK as u64 + 1..=YEAR {
        let body = SlotBody::freeze(record(epoch, parent)).unwrap();
        parent = parent_of(&body);
        let slot = paths::slot(Epoch(epoch));
        let path: Path = folder.parts().chain(Path::from(slot).parts()).collect();
        let put = store.inner.put(&path, body.object().bytes().clone().into());
        runtime.block_on(put).unwrap();
    }
    for number in 0..files {
        let epoch = format!("toy.0-0c4a7b91e2d3-{:020}", YEAR - LOOK_BACK as u64 - number / 9);
        let name =
            format!("epochs/{epoch}/store=s{number}/{epoch}-1-a1b2c3d4e5f6-{number}.parquet");
        let path = storage.tables["numbers"].path(&name);
        runtime.block_on(store.inner.put(&path, "7".into())).unwrap();
    }
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    assert_eq!(opened.head.unwrap().epoch, Epoch(YEAR));
    (store.requests.load(Ordering::SeqCst), store.listed.load(Ordering::SeqCst))
}

#[test]
fn an_opening_after_a_year_asks_for_a_few_pages_and_the_newest_records() {
    let (requests, listed) = opening(YEAR - DAY, 0);
    println!("a day of records: {requests} requests, {listed} names");
    assert!(requests <= LOOK_BACK + 60, "{requests} requests");
    assert!(listed <= 40_000, "{listed} names");
}

/// Of each value there is a folder, and nobody asks what lies in those of old epochs.
#[test]
fn nor_does_it_matter_how_many_values_a_table_has_ever_had() {
    let (requests, listed) = opening(YEAR - DAY, 0);
    let (requests_with, listed_with) = opening(YEAR - DAY, 5_000);
    assert_eq!(requests_with, requests);
    assert!(listed_with <= listed + LIST_PAGE, "{listed_with} names, {listed} without the files");
}

/// An earlier version has let go of nothing.
#[test]
fn nor_does_it_read_three_million_names_where_all_records_are_there() {
    let (requests, listed) = opening(1, 0);
    println!("a year of records: {requests} requests, {listed} names");
    assert!(requests <= LOOK_BACK + 100, "{requests} requests");
    assert!(listed <= 80_000, "{listed} names");
}
