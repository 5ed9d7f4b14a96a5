//! The comparison itself, without a store: it is shown what was listed, then record by record what ought to be there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::TableLogs;
use super::report::{Matter, Report};
use crate::body::SlotBody;
use crate::floor::Floor;
use crate::paths::DataFileName;
use crate::record::{ChainRecord, DataFile, Epoch, Parent, RecordKind};
use crate::resolve::FoundFile;
use crate::{LaneStorage, parent_of};

/// Ends what is said of a file that must not be deleted by hand.
const IN_LOG: &str = "; the table's log names it: without it readers of the table fail";

/// A data file whose size is right and whose hash is to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    /// A sink's id, or that of late rows or dead letters.
    pub(super) table: String,
    /// Path below the table's root, as the record names it.
    pub(super) path: String,
    /// Bytes, by the record and the listing alike.
    pub(super) bytes: u64,
    /// That which its bytes must have, 64 hex digits.
    pub(super) sha256: String,
}

/// The comparison of one chain.
#[derive(Debug)]
pub(super) struct Comparison {
    job: String,
    lane: String,
    latest: Epoch,
    tables: BTreeSet<Arc<str>>,
    /// Files that were listed and that no record has named yet: by table and path below it.
    listed: BTreeMap<(Arc<str>, String), (DataFileName, u64)>,
    /// Epochs whose records could not be read.
    unread: BTreeSet<Epoch>,
    /// Epochs whose records were read.
    read: BTreeSet<Epoch>,
    parent: Option<Parent>,
    pub(super) report: Report,
}

impl Comparison {
    /// Of the chain of a lane that ends at `latest`, with all files in the folders of its tables.
    pub(super) fn new(storage: &LaneStorage, latest: Epoch, files: Vec<FoundFile>) -> Self {
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
            read: BTreeSet::new(),
            parent: None,
            report: Report::default(),
        }
    }

    /// A slot that could not be read.
    pub(super) fn unreadable(&mut self, epoch: Epoch, matter: Matter, detail: String) {
        self.report.add(matter, format!("record of epoch {epoch}"), detail);
        self.unread.insert(epoch);
        self.parent = None;
    }

    /// So many epochs have no records any more: they were let go.
    pub(super) fn let_go(&mut self, epochs: u64) {
        self.report.let_go += epochs;
    }

    /// The record before the next one was not read.
    pub(super) fn skip(&mut self) {
        self.parent = None;
    }

    /// The next record. Returns its data files that are there with the right size.
    pub(super) fn record(&mut self, body: &SlotBody, logs: &impl TableLogs) -> Vec<Expected> {
        let record = &body.record;
        if let Some(reason) = self.contradiction(record) {
            self.report.add(Matter::Damaged, format!("record of epoch {}", record.epoch), reason);
        }
        self.parent = Some(parent_of(body));
        self.read.insert(record.epoch);
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
                None => match logs.excuse(record, file) {
                    Some(detail) => self.report.add(Matter::Foreign, object, detail),
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

    /// What is left of the listing, sorted by what it is. `chain` is the chain's id in names, `earlier` those before it, `floor`
    /// tells who wrote the epochs whose records were let go.
    pub(super) fn finish(
        mut self,
        chain: &str,
        earlier: &[String],
        floor: &Floor,
        logs: &impl TableLogs,
    ) -> Report {
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
                Some(of)
                    if of == chain
                        && floor.has_let_go(name.epoch)
                        && !self.read.contains(&name.epoch) =>
                {
                    let writer = floor.writer(name.epoch);
                    if writer.is_none_or(|writer| writer == (name.term, name.nonce.clone())) {
                        self.report.by_name += 1;
                        continue;
                    }
                    (Matter::LeftOver, format!("epoch {} has another writer", name.epoch))
                }
                Some(of) if of == chain => (
                    Matter::LeftOver,
                    format!("the record of epoch {} does not name it", name.epoch),
                ),
                Some(of) if earlier.contains(of) && logs.has(&table, &path) => {
                    self.report.kept += 1;
                    continue;
                }
                Some(of) if earlier.contains(of) => {
                    (Matter::Earlier, format!("of chain {of}, which was reset"))
                }
                of => {
                    let no_chain = || "its name has no chain, and no record names it".to_owned();
                    let whose = of.as_ref().map_or_else(no_chain, |of| format!("of chain {of}"));
                    let is_seen = if logs.has(&table, &path) { IN_LOG } else { "" };
                    (Matter::Foreign, whose + is_seen)
                }
            };
            self.report.add(matter, object, detail);
        }
        self.report
    }
}
