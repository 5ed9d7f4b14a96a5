//! One epoch on its way into the store: data files, then state and outbox, then the slot, which is the commit.

mod blobs;
mod standing;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;

use super::activations::History;
use super::beat::Beat;
use super::body::{SlotBody, VERSION};
use super::folders;
use super::frozen::{EncodedFile, FrozenEpoch, shapes_of};
use super::housekeeping::Housekeeping;
use super::mark;
use super::outcome::{CommitOutcome, LostSlot};
use super::paths::{DataFileName, LaneTag};
use super::problem::CommitProblem;
use super::record::{ChainRecord, DataFile, Epoch, RecordKind};
use super::retire::Recent;
use super::store::{LaneStore, SlotAttempt, delete};
use super::{Chain, ChainError, LaneStorage, parent_of};
use sluicegate_model::time::{Clock, EventTime};
use sluicegate_store::backoff::Backoff;
use sluicegate_store::failure::StoreFailure;
use sluicegate_store::once::{Created, Immutable, in_time};
use sluicegate_store::upload::{Aborts, Upload};
use sluicegate_store::{Location, failure};

/// Data files on their way at a time: enough to fill a connection of 1 Gbit/s at 50 ms a request, few enough that
/// a lane with hundreds of date folders does not open hundreds of connections.
const UPLOADS_AT_ONCE: usize = 8;

/// Whose a slot is.
enum SlotPut {
    Ours,
    /// What lies there is another's.
    Taken(Bytes),
    /// Nobody knows, and the head does not seem to be there any more.
    Headless,
}

/// Owns the right to add to the chain.
pub(super) struct ChainWriter {
    chain: Chain,
    storage: LaneStorage,
    store: LaneStore,
    problem: CommitProblem,
    clock: Clock,
    /// For [`super::housekeeping`].
    recent: Arc<Mutex<Recent>>,
    aborts: Aborts,
    /// The hash of the chain's genesis, once it was seen.
    genesis: Option<String>,
}

impl ChainWriter {
    pub(super) fn new(
        chain: Chain,
        storage: LaneStorage,
        problem: CommitProblem,
        clock: Clock,
    ) -> Self {
        let store = chain.store(&storage);
        let recent = Arc::new(Mutex::new(chain.recent.clone()));
        Self { chain, storage, store, problem, clock, recent, aborts: Aborts::new(), genesis: None }
    }

    /// What the owner of the lane does beside its commits.
    pub(super) fn housekeeping(&self) -> Housekeeping {
        Housekeeping {
            storage: self.storage.clone(),
            store: self.store.clone(),
            chain: self.chain.files_id.clone(),
            recent: Arc::clone(&self.recent),
        }
    }

    /// Makes an epoch durable. Ends when it is, when its slot is lost, or never.
    pub(super) async fn commit(&mut self, frozen: FrozenEpoch) -> CommitOutcome {
        match self.try_commit(frozen).await {
            Ok(outcome) => outcome,
            Err(error) => CommitOutcome::Failed(error),
        }
    }

    /// The epoch in hand will not be committed: what was sent of it in parts goes.
    pub(super) async fn give_up(&self) {
        self.aborts.finish().await;
    }

    /// Says that the owner lives, or that it has ended. Answers with the slot of the next epoch if somebody else has it.
    pub(super) async fn beat(&self, count: u64, released: bool) -> Option<LostSlot> {
        let epoch = self.chain.next_epoch();
        match self.store.slot(epoch).await {
            Ok(None) => {}
            Ok(Some(taken)) => {
                let record = SlotBody::thaw(epoch, taken).ok().map(|body| Box::new(body.record));
                return Some(LostSlot { epoch, record });
            }
            Err(_) => return None,
        }
        // A chain that was forgotten has no owner. The next commit says so.
        if !self.has_head().await.unwrap_or(false) {
            return self.overtaken().await.ok().flatten();
        }
        let beat = Beat { writer: self.chain.writer.clone(), count, released, is_led: true };
        if let Err(error) = self.store.put_beat(&beat).await {
            tracing::debug!(%error, "a beat did not get through");
        }
        None
    }

    async fn try_commit(&mut self, frozen: FrozenEpoch) -> Result<CommitOutcome, ChainError> {
        let (epoch, kind) = (self.chain.next_epoch(), frozen.kind);
        let (body, history) = self.put_contents(epoch, frozen).await?;
        match self.check_head().await {
            Ok(None) => {}
            ended => {
                // No slot was ever asked to hold this record.
                self.remove(&body.record).await;
                return ended.map(|lost| CommitOutcome::Lost(lost.expect("it is not in order")));
            }
        }
        let taken = loop {
            match self.put_slot(epoch, &body).await? {
                SlotPut::Ours => break None,
                SlotPut::Taken(found) => break Some(found),
                // An earlier attempt may have landed: nothing is removed.
                SlotPut::Headless => {
                    if let Some(lost) = self.check_head().await? {
                        return Ok(CommitOutcome::Lost(lost));
                    }
                }
            }
        };
        if let Some(taken) = taken {
            let found = SlotBody::thaw(epoch, taken);
            // What cannot be read may be ours.
            let is_anothers = !matches!(found, Err(ChainError::Unreadable { .. }));
            if is_anothers && self.is_decided(epoch).await {
                self.remove(&body.record).await;
            }
            let record = found.ok().map(|body| Box::new(body.record));
            return Ok(CommitOutcome::Lost(LostSlot { epoch, record }));
        }
        if let Some(lost) = self.confirm(epoch).await? {
            return Ok(CommitOutcome::Lost(lost));
        }
        self.chain.head = Some(parent_of(&body));
        self.chain.history = history;
        self.chain.state.clone_from(&body.record.state);
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).push(&body.record);
        if kind == RecordKind::Genesis {
            mark::remove(&self.store).await;
        }
        Ok(CommitOutcome::Committed(Arc::new(body.record)))
    }

    /// Puts all that the record of an epoch names. The record, and what it pins.
    async fn put_contents(
        &mut self,
        epoch: Epoch,
        frozen: FrozenEpoch,
    ) -> Result<(SlotBody, History), ChainError> {
        let FrozenEpoch { kind, source, watermark, state, files, outbox, modules, config } = frozen;
        let tables = shapes_of(&files);
        let files = self.put_files(epoch, files).await?;
        let state = match state {
            Some(state) => Some(self.put_state(epoch, state).await?),
            None => None,
        };
        let outbox = match outbox {
            Some(outbox) => Some(self.put_outbox(epoch, outbox).await?),
            None => None,
        };
        let now = EventTime(self.clock.wall_micros());
        let history = self.chain.history.followed_by(&modules, epoch, now);
        let record = ChainRecord {
            v: VERSION,
            job: self.chain.job.clone(),
            lane: self.chain.lane.clone(),
            epoch,
            chain: self.chain.id.clone(),
            earlier: std::mem::take(&mut self.chain.earlier),
            apart: kind == RecordKind::Genesis && self.chain.apart.is_some(),
            kind,
            held: false,
            parent: self.chain.head.clone(),
            term: self.chain.term,
            writer: self.chain.writer.clone(),
            source,
            watermark,
            state,
            files,
            tables,
            outbox,
            modules,
            activations: history.activations.clone(),
            config,
        };
        Ok((SlotBody::freeze(record)?, history))
    }

    /// Removes what was put for an epoch that is not ours and never will be: readers of the tables would see its rows. What
    /// cannot be removed now, or lands later, is found by a sweep.
    async fn remove(&self, record: &ChainRecord) {
        // The pieces that the head names as well stay.
        let state = record.state.iter().flat_map(|state| state.keys_put_for(record.epoch));
        let outbox = record.outbox.iter().map(|outbox| &outbox.key);
        let blobs = state.chain(outbox).map(|key| self.store.path(key)).collect();
        let mut removals = vec![(&self.store.folder, blobs)];
        for (id, table) in &self.storage.tables {
            let files = record.files.iter().filter(|file| *file.table == **id);
            removals.push((table, files.map(|file| table.path(&file.path)).collect::<Vec<_>>()));
        }
        for (location, paths) in removals {
            let files = paths.len();
            let removed = in_time(delete(location, paths));
            match removed.await {
                Err(error) => {
                    let what = format!("remove what was put for epoch {}", record.epoch);
                    tracing::warn!(pipeline = %record.job, "{}", failure::explain(&what, location, &error));
                }
                Ok(()) if files > 0 => tracing::info!(
                    pipeline = %record.job, epoch = %record.epoch, files, url = location.url,
                    "removed what was put for an epoch that another writer has"
                ),
                Ok(()) => {}
            }
        }
    }

    /// Uploads the data files under their final names, which no record names yet.
    async fn put_files(
        &self,
        epoch: Epoch,
        files: Vec<EncodedFile>,
    ) -> Result<Vec<DataFile>, ChainError> {
        let tag = LaneTag::new(&self.chain.job, &self.chain.lane);
        let uploads = files.into_iter().zip(0..).map(|(file, index)| {
            let term = self.chain.term;
            let nonce = self.chain.writer.nonce.clone();
            let chain = Some(self.chain.files_id.clone());
            let name = DataFileName { tag: tag.clone(), chain, epoch, term, nonce, index };
            self.put_file(epoch, name, file)
        });
        futures::stream::iter(uploads).buffered(UPLOADS_AT_ONCE).try_collect().await
    }

    async fn put_file(
        &self,
        epoch: Epoch,
        name: DataFileName,
        file: EncodedFile,
    ) -> Result<DataFile, ChainError> {
        let folder = folders::of_file(&file.partition, &name.tag, &self.chain.files_id, epoch);
        let path = match folder {
            Some(folder) => format!("{folder}/{name}"),
            None => name.to_string(),
        };
        let location = &self.storage.tables[&file.table];
        let what = format!("put a data file of epoch {epoch}");
        let object = Immutable::new(file.bytes);
        self.put(&what, location, location.path(&path), &object).await?;
        let (mut partition_values, mut null_partitions) = (BTreeMap::new(), Vec::new());
        for (column, value) in file.partition {
            match value {
                Some(value) => drop(partition_values.insert(column, value)),
                None => null_partitions.push(column),
            }
        }
        Ok(DataFile {
            table: file.table.as_ref().to_owned(),
            path,
            bytes: object.len(),
            sha256: object.sha256().to_owned(),
            rows: file.rows,
            event_time_range: file.event_time_range,
            partition_values,
            null_partitions,
            statistics: file.statistics,
        })
    }

    /// Until it is known whose the slot is. Before each repetition it is seen that the head is still there: the store may have been
    /// out of reach for as long as it takes to forget the chain and begin another.
    async fn put_slot(&self, epoch: Epoch, body: &SlotBody) -> Result<SlotPut, ChainError> {
        let what = format!("put the record of epoch {epoch}");
        let mut is_repeated = false;
        self.persist(&what, &self.store.folder, async || {
            if std::mem::replace(&mut is_repeated, true) && !self.has_head().await? {
                return Ok(SlotPut::Headless);
            }
            match self.store.try_put_slot(epoch, body).await {
                SlotAttempt::Ours => Ok(SlotPut::Ours),
                SlotAttempt::Taken(found) => Ok(SlotPut::Taken(found)),
                SlotAttempt::Unknown(error) => Err(error),
            }
        })
        .await
    }

    /// Creates an object under a name that no other writer uses.
    async fn put(
        &self,
        what: &str,
        location: &Location,
        path: Path,
        object: &Immutable,
    ) -> Result<(), ChainError> {
        let mut upload = Upload::new(location, &path, object, &self.aborts);
        let is_ours = self.persist(what, location, async || match upload.attempt().await {
            Created::Ours => Ok(true),
            Created::Taken => Ok(false),
            Created::Unknown(error) => Err(error),
        });
        if is_ours.await? {
            return Ok(());
        }
        Err(ChainError::NameTaken { path: path.to_string(), url: location.url.clone() })
    }

    /// Attempts until it is done, however long that takes. Only what no store will ever do ends it.
    async fn persist<T>(
        &self,
        what: &str,
        location: &Location,
        mut attempt: impl AsyncFnMut() -> object_store::Result<T>,
    ) -> Result<T, ChainError> {
        let mut backoff =
            Backoff::of_store(xxhash_rust::xxh3::xxh3_64(self.chain.writer.nonce.as_bytes()));
        loop {
            // That it went through at last is told by the commit: other requests of it may still fail.
            let error = match attempt().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if StoreFailure::of(&error) == StoreFailure::Impossible {
                return Err(ChainError::store(what, location, &error));
            }
            self.problem.report(failure::explain(what, location, &error));
            tokio::time::sleep(backoff.wait()).await;
        }
    }
}
