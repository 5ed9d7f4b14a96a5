//! Comparing what the chain says with what lies in the store: which objects are missing, damaged, left over or another's.
//!
//! [`Comparison`] is pure: it is shown what was listed, then record by record what ought to be there. [`verify`] does the
//! requests. It reads beside a lane that runs, and changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use futures::StreamExt;
use serde::Serialize;

use super::body::SlotBody;
use super::files::all_files;
use super::open::files_id;
use super::paths::{DataFileName, LaneTag};
use super::record::{ChainRecord, DataFile, Epoch, Parent, RecordKind};
use super::reset::own_chains;
use super::resolve::{FoundFile, LOOK_BACK};
use super::store::{LaneStore, REQUESTS_AT_ONCE};
use super::{ChainError, LaneStorage};
use sluicegate_store::Location;
use sluicegate_store::failure::is_absent;
use sluicegate_store::once::holds;

/// More of them say nothing that the first do not; all are counted.
const FINDINGS_MAX: usize = 1_000;

/// What is the matter with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Matter {
    /// A record names it, and it is not there.
    Missing,
    /// It is not what a record says.
    Damaged,
    /// It is this chain's, and no record names it: readers of the table see its rows. The next start removes it.
    LeftOver,
    /// It has the pipeline's name and another chain's, or none that a record proves.
    Foreign,
    /// It is of a chain of this pipeline that was `reset` and whose data were kept.
    Earlier,
    /// It is of an epoch that is being committed, or that a dead process has left, or whose record cannot be read.
    Undecided,
}

impl Matter {
    /// Whether the chain and what it names are not whole.
    pub fn is_defect(self) -> bool {
        matches!(self, Self::Missing | Self::Damaged | Self::LeftOver)
    }
}

impl fmt::Display for Matter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Damaged => "damaged",
            Self::LeftOver => "left over",
            Self::Foreign => "foreign",
            Self::Earlier => "earlier",
            Self::Undecided => "undecided",
        })
    }
}

/// An object that is not as it would be in a store that holds this chain and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// By what it is counted.
    pub matter: Matter,
    /// The object: `record of epoch 7`, `state/…`, `table: path`.
    pub object: String,
    /// What was expected and what was found, for a person; may be empty.
    pub detail: String,
}

/// What a comparison came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Records that were read, the genesis included.
    pub epochs: u64,
    /// States and outboxes that were compared.
    pub blobs: u64,
    /// Data files that records name.
    pub files: u64,
    /// Bytes of those data files, by the records.
    pub bytes: u64,
    /// Whether hashes were compared, and not only sizes.
    pub hashed: bool,
    /// How many findings there are of each matter.
    pub counts: BTreeMap<Matter, u64>,
    /// The first of them, in the order of the epochs: a broken store has too many for one answer.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether something is missing, damaged or left over.
    pub fn has_defects(&self) -> bool {
        self.counts.keys().any(|matter| matter.is_defect())
    }

    fn add(&mut self, matter: Matter, object: impl Into<String>, detail: impl Into<String>) {
        *self.counts.entry(matter).or_default() += 1;
        if self.findings.len() < FINDINGS_MAX {
            let (object, detail) = (object.into(), detail.into());
            self.findings.push(Finding { matter, object, detail });
        }
    }
}

/// A data file whose size is right and whose hash is to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// A sink's id, or that of late rows or dead letters.
    pub table: String,
    /// Path below the table's root, as the record names it.
    pub path: String,
    /// Bytes, by the record and the listing alike.
    pub bytes: u64,
    /// That which its bytes must have, 64 hex digits.
    pub sha256: String,
}

/// The comparison of one chain.
#[derive(Debug)]
pub struct Comparison {
    job: String,
    lane: String,
    latest: Epoch,
    tables: BTreeSet<Arc<str>>,
    /// Files that were listed and that no record has named yet: by table and path below it.
    listed: BTreeMap<(Arc<str>, String), (DataFileName, u64)>,
    /// Epochs whose records could not be read.
    unread: BTreeSet<Epoch>,
    parent: Option<Parent>,
    report: Report,
}

impl Comparison {
    /// Of the chain of a lane that ends at `latest`, with all files in the folders of its tables.
    pub fn new(storage: &LaneStorage, latest: Epoch, files: Vec<FoundFile>) -> Self {
        let listed = files.into_iter().map(|file| {
            let below = storage.tables[&file.table].below(&file.path);
            ((file.table, below), (file.name, file.bytes))
        });
        Self {
            job: storage.job.clone(),
            lane: storage.lane.clone(),
            latest,
            tables: storage.tables.keys().map(Arc::clone).collect(),
            listed: listed.collect(),
            unread: BTreeSet::new(),
            parent: None,
            report: Report::default(),
        }
    }

    /// A slot that could not be read.
    pub fn unreadable(&mut self, epoch: Epoch, matter: Matter, detail: String) {
        self.report.add(matter, format!("record of epoch {epoch}"), detail);
        self.unread.insert(epoch);
        self.parent = None;
    }

    /// The next record. Returns its data files that are there with the right size. `elsewhere` as for [`verify`].
    pub fn record(
        &mut self,
        body: &SlotBody,
        elsewhere: impl Fn(&ChainRecord, &str) -> Option<String>,
    ) -> Vec<Expected> {
        let record = &body.record;
        if let Some(reason) = self.contradiction(record) {
            self.report.add(Matter::Damaged, format!("record of epoch {}", record.epoch), reason);
        }
        self.parent = Some(super::parent_of(body));
        self.report.epochs += 1;
        let mut expected = Vec::new();
        for file in &record.files {
            self.report.files += 1;
            self.report.bytes = self.report.bytes.saturating_add(file.bytes);
            let object = format!("{}: {}", file.table, file.path);
            let Some(id) = self.table_of(file) else {
                let detail = "the pipeline file has no such table any more; not looked for";
                self.report.add(Matter::Foreign, object, detail);
                continue;
            };
            match self.listed.remove(&(Arc::clone(&id), file.path.clone())) {
                None => match elsewhere(record, &file.table) {
                    Some(place) => {
                        let detail = format!("the table was in {place} then; not looked for there");
                        self.report.add(Matter::Foreign, object, detail);
                    }
                    None => {
                        let detail = format!("named by epoch {}", record.epoch);
                        self.report.add(Matter::Missing, object, detail);
                    }
                },
                Some((_, bytes)) if bytes != file.bytes => {
                    let detail =
                        format!("{bytes} bytes, epoch {} says {}", record.epoch, file.bytes);
                    self.report.add(Matter::Damaged, object, detail);
                }
                Some(_) => expected.push(Expected {
                    table: id.to_string(),
                    path: file.path.clone(),
                    bytes: file.bytes,
                    sha256: file.sha256.clone(),
                }),
            }
        }
        expected
    }

    /// In which table's folder a file that a record names is to be looked for: in that of its sink, or, where the sink has
    /// another id now, in the one where a file of that name lies. None if there is none of both.
    fn table_of(&self, file: &DataFile) -> Option<Arc<str>> {
        let own = self.tables.get(&*file.table).map(Arc::clone);
        own.or_else(|| {
            let lies_in =
                |id: &&Arc<str>| self.listed.contains_key(&(Arc::clone(id), file.path.clone()));
            self.tables.iter().find(lies_in).map(Arc::clone)
        })
    }

    /// What contradicts the record before, if anything.
    fn contradiction(&self, record: &ChainRecord) -> Option<String> {
        if record.job != self.job || record.lane != self.lane {
            return Some(format!("it belongs to lane `{}/{}`", record.job, record.lane));
        }
        if (record.kind == RecordKind::Genesis) != record.parent.is_none() {
            return Some("it is not a genesis but has no parent, or the reverse".to_owned());
        }
        // Of one that could not be read nothing is known.
        let parent = self.parent.as_ref()?;
        (record.parent.as_ref() != Some(parent))
            .then(|| format!("it names another parent than epoch {}", parent.epoch))
    }

    /// What is left of the listing, sorted by what it is. `chain` is the chain's id in names, `earlier` those before it.
    pub fn finish(mut self, chain: &str, earlier: &[String]) -> Report {
        for ((table, path), (name, _)) in std::mem::take(&mut self.listed) {
            let object = format!("{table}: {path}");
            let (matter, detail) = match &name.chain {
                Some(of) if of == chain && name.epoch > self.latest => {
                    (Matter::Undecided, format!("of epoch {}, which no record has yet", name.epoch))
                }
                Some(of) if of == chain && self.unread.contains(&name.epoch) => (
                    Matter::Undecided,
                    format!("the record of epoch {} cannot be read", name.epoch),
                ),
                Some(of) if of == chain => (
                    Matter::LeftOver,
                    format!("the record of epoch {} does not name it", name.epoch),
                ),
                Some(of) if earlier.contains(of) => {
                    (Matter::Earlier, format!("of chain {of}, which was reset"))
                }
                Some(of) => (Matter::Foreign, format!("of chain {of}")),
                None => {
                    (Matter::Foreign, "its name has no chain, and no record names it".to_owned())
                }
            };
            self.report.add(matter, object, detail);
        }
        self.report
    }
}

/// Compares the chain of a lane, its retained states and outboxes, and all its data files with what lies in the store: by
/// size, and by hash if `hashes`. None if there is no chain. `elsewhere` says of a record and a table where that was when the
/// record was written, if it is not there any more. `progress` is told how many epochs of how many were compared.
///
/// # Errors
///
/// [`ChainError::Store`].
pub async fn verify(
    storage: &LaneStorage,
    hashes: bool,
    elsewhere: impl Fn(&ChainRecord, &str) -> Option<String>,
    progress: impl Fn(u64, u64),
) -> Result<Option<Report>, ChainError> {
    let store = LaneStore::new(&storage.chain, &storage.job, &storage.lane);
    let failed = |error| ChainError::store("read the chain", &store.folder, &error);
    let Some(latest) = store.latest().await.map_err(failed)? else { return Ok(None) };
    let tag = LaneTag::new(&storage.job, &storage.lane);
    let mut files = Vec::new();
    for (id, table) in &storage.tables {
        let failed = |error| ChainError::store("list data files", table, &error);
        files.extend(all_files(id, table, &tag).await.map_err(failed)?);
    }
    let mut comparison = Comparison::new(storage, latest, files);
    comparison.report.hashed = hashes;
    let slots = (0..=latest.0).map(Epoch).map(|epoch| {
        let store = &store;
        async move { (epoch, store.slot(epoch).await) }
    });
    let mut slots = futures::stream::iter(slots).buffered(REQUESTS_AT_ONCE);
    let mut head = None;
    while let Some((epoch, slot)) = slots.next().await {
        let body = match slot.map_err(failed)?.map(|bytes| SlotBody::thaw(epoch, bytes)) {
            None => {
                comparison.unreadable(epoch, Matter::Missing, "a gap in the chain".to_owned());
                continue;
            }
            Some(Err(error)) => {
                comparison.unreadable(epoch, Matter::Damaged, error.to_string());
                continue;
            }
            Some(Ok(body)) => body,
        };
        let expected = comparison.record(&body, &elsewhere);
        if hashes {
            compare_hashes(storage, expected, &mut comparison.report).await?;
        }
        if epoch.0 + LOOK_BACK as u64 > latest.0 {
            compare_blobs(&store, &body.record, hashes, &mut comparison.report).await?;
        }
        progress(epoch.0 + 1, latest.0 + 1);
        head = Some(body.record);
    }
    let chain = files_id(&store, head.as_ref()).await.unwrap_or_default();
    let earlier = own_chains(&store).await?;
    Ok(Some(comparison.finish(&chain, &earlier)))
}

async fn compare_hashes(
    storage: &LaneStorage,
    expected: Vec<Expected>,
    report: &mut Report,
) -> Result<(), ChainError> {
    let compared = expected.into_iter().map(|file| async move {
        let table = &storage.tables[&*file.table];
        let is_so = holds(table, &table.path(&file.path), file.bytes, &file.sha256).await;
        (file, is_so)
    });
    let mut compared = futures::stream::iter(compared).buffered(REQUESTS_AT_ONCE);
    while let Some((file, is_so)) = compared.next().await {
        let table = &storage.tables[&*file.table];
        let object = format!("{}: {}", file.table, file.path);
        report.compare(table, object, is_so)?;
    }
    Ok(())
}

/// The state and the outbox that a record names, if it is one whose are kept.
async fn compare_blobs(
    store: &LaneStore,
    record: &ChainRecord,
    hashes: bool,
    report: &mut Report,
) -> Result<(), ChainError> {
    let state = record.state.iter().map(|state| (&state.key, state.bytes, &state.sha256));
    let outbox = record.outbox.iter().map(|outbox| (&outbox.key, outbox.bytes, &outbox.sha256));
    for (key, bytes, sha256) in state.chain(outbox) {
        report.blobs += 1;
        let path = store.folder.path(key);
        let is_so = match hashes {
            true => holds(&store.folder, &path, bytes, sha256).await,
            false => store.size(&path).await.map(|size| size == bytes),
        };
        let is_gone = is_so.as_ref().is_err_and(is_absent);
        if is_gone && is_retired(store, record.epoch).await? {
            continue;
        }
        report.compare(&store.folder, key.clone(), is_so)?;
    }
    Ok(())
}

/// Whether the chain went on meanwhile, and what an epoch named was deleted.
async fn is_retired(store: &LaneStore, epoch: Epoch) -> Result<bool, ChainError> {
    let failed = |error| ChainError::store("read the chain", &store.folder, &error);
    let latest = store.latest().await.map_err(failed)?;
    Ok(latest.is_some_and(|latest| epoch.0 + LOOK_BACK as u64 <= latest.0))
}

impl Report {
    fn compare(
        &mut self,
        location: &Location,
        object: String,
        is_so: object_store::Result<bool>,
    ) -> Result<(), ChainError> {
        match is_so {
            Ok(true) => {}
            Ok(false) => {
                let detail = "its size or its hash is another than the chain says";
                self.add(Matter::Damaged, object, detail);
            }
            Err(error) if is_absent(&error) => {
                self.add(Matter::Missing, object, "a record names it");
            }
            Err(error) => {
                return Err(ChainError::store(&format!("read {object}"), location, &error));
            }
        }
        Ok(())
    }
}
