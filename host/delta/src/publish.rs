//! Adding what the chain has to a table's log: once for each epoch, whoever tries how often.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::try_join;

use super::claim;
use super::cleanup;
use super::compact::{Compactor, Room, Sizes};
use super::decide::{self, Commit, Owner};
use super::log::Log;
use super::problem::LogError;
use super::state::LogState;
use sluicegate_chain::LaneStorage;
use sluicegate_chain::follow;
use sluicegate_chain::record::{ChainRecord, DataFile, Epoch};
use sluicegate_chain::shape::TableShape;
use sluicegate_model::time::Clock;
use sluicegate_runtime::Names;
use sluicegate_store::Location;

/// Epochs that one commit carries at most: what is behind by hours catches up in steps.
const EPOCHS_MAX: u64 = 256;

/// How often another writer may take the place of a commit before it counts as a failure: the next attempt begins anew.
const CONFLICTS_MAX: usize = 32;

/// The log of a table, as its owner writes it.
#[derive(Debug)]
pub struct TableLog {
    log: Log,
    owner: Owner,
    /// What the pipeline writes now.
    shape: Arc<TableShape>,
    clock: Clock,
    names: Names,
    /// As last read or written.
    state: LogState,
    /// Records up to here have nothing that the log lacks. Ahead of the log where they have no files of this table.
    through: Option<Epoch>,
    /// The newest epoch when it was opened, and which files of those that the log lacked then lie in the table's folder.
    found: Option<(Epoch, BTreeSet<String>)>,
}

/// How far a table's log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Every file of this epoch and of all before it is in the log. None: nothing of this chain.
    pub through: Option<Epoch>,
    /// Records from here on are read again by the next opening: they may not be deleted. Behind `through` where the log
    /// does not say yet how far it is, because there was nothing to add.
    pub needed_from: Epoch,
    /// The version that readers see.
    pub version: Option<u64>,
}

impl TableLog {
    /// Reads the log of one of the lane's tables, by its id. A table that is not there is made with the first call of [`Self::create`].
    ///
    /// # Errors
    ///
    /// [`LogError::Store`]; [`LogError::Refused`] if it is not ours to write, or cannot take these columns.
    pub async fn open(
        storage: &LaneStorage,
        table: &str,
        shape: Arc<TableShape>,
        clock: Clock,
        names: Names,
    ) -> Result<Self, LogError> {
        let log = Log { table: storage.tables[table].clone() };
        let owner = Owner::new(storage, table, "");
        let state = log.load(|_, _| {}).await?;
        let opened = Self { log, owner, shape, clock, names, state, through: None, found: None };
        opened.decide_table()?;
        Ok(opened)
    }

    /// Reads what others have added since: one question if there is nothing. Whoever stands by asks now and then, so that not
    /// much is left when it is to write.
    ///
    /// # Errors
    ///
    /// [`LogError::Store`], or a commit that cannot be read.
    pub async fn follow(&mut self) -> Result<(), LogError> {
        let Some(version) = self.state.version else {
            return self.log.follow(&mut self.state, |_, _| {}).await;
        };
        let newest = self.log.commit(version);
        if try_join(newest, self.log.follow(&mut self.state, |_, _| {})).await?.0.is_none() {
            // The log was deleted, and perhaps begun again.
            self.state = self.log.load(|_, _| {}).await?;
        }
        Ok(())
    }

    /// The same log for another opening, as [`Self::open`] would find it.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub async fn reopened(mut self) -> Result<Self, LogError> {
        self.follow().await?;
        self.owner.chain.clear();
        (self.through, self.found) = (None, None);
        self.decide_table()?;
        Ok(self)
    }

    /// What is added from now on comes from this chain, by its id. Before that nothing is.
    #[must_use]
    pub fn of_chain(mut self, chain: &str) -> Self {
        chain.clone_into(&mut self.owner.chain);
        self.through = self.through.max(self.in_log());
        self
    }

    /// Looks at what the log lacks of a chain that is there, up to its head: whether the records that name it are still
    /// there, and whether the files are. A table whose path was changed begins without those of the old place.
    ///
    /// # Errors
    ///
    /// As [`Self::open`]; refused too if files of the table cannot be named any more, because their records are gone.
    pub async fn find_missing(
        mut self,
        storage: &LaneStorage,
        head: &ChainRecord,
    ) -> Result<Self, LogError> {
        self = self.of_chain(&head.chain_id());
        if self.state.version.is_none() && !cleanup::compacted(&self.log.table).await?.is_empty() {
            let reason = "has compacted files and no log: their rows may be in no other file; put back `_delta_log` from a \
                          copy, or write to another path";
            return Err(LogError::refused(&self.log.table, reason));
        }
        let from = self.needed_from();
        if from > head.epoch {
            return Ok(self);
        }
        let found = follow::find(storage, &self.owner.table, from, head).await?;
        let gone_from = from.max(Epoch::GENESIS.next());
        if gone_from < found.kept_from {
            let is_gone = |epoch: &Epoch| (gone_from..found.kept_from).contains(epoch);
            let unnamed = found.files.values().filter(|epoch| is_gone(epoch)).count();
            if unnamed > 0 {
                return Err(self.unnamed(unnamed, gone_from, found.kept_from));
            }
            self.through = self.through.max(Some(Epoch(found.kept_from.0 - 1)));
        }
        // Nothing was written before the first file: a table without rows is not behind, and its records need not be read.
        let written = found.files.values().min().map_or(head.epoch.next(), |first| *first);
        let through = written.0.checked_sub(1).map(|epoch| Epoch(epoch).min(head.epoch));
        self.through = self.through.max(through);
        self.found = Some((head.epoch, found.files.into_keys().collect()));
        Ok(self)
    }

    fn unnamed(&self, files: usize, from: Epoch, to: Epoch) -> LogError {
        let last = to.0 - 1;
        let reason = format!(
            "has {files} files of epochs {from} to {last} that its log does not name, and the records that named them were \
             deleted (`checkpoint.retain`): write to another path, where the table begins without them, or put back \
             `_delta_log` from a copy if it was deleted"
        );
        LogError::refused(&self.log.table, reason)
    }

    /// How far it is.
    pub fn published(&self) -> Published {
        let needed_from = self.needed_from();
        // Another writer of this chain may have been faster.
        let through = self.through.max(self.in_log());
        Published { through, needed_from, version: self.state.version }
    }

    /// Whether a chain with this newest record has all that the log has of it.
    ///
    /// # Errors
    ///
    /// As [`decide::within`].
    pub fn check_ahead(&self, newest: Epoch) -> Result<(), LogError> {
        let checked = decide::within(&self.state, &self.owner, newest);
        checked.map(drop).map_err(|reason| LogError::refused(&self.log.table, reason))
    }

    fn needed_from(&self) -> Epoch {
        self.in_log().map_or(Epoch::GENESIS, Epoch::next)
    }

    /// What puts the small files of the table together.
    pub fn compactor(&self, sizes: Sizes, room: Arc<dyn Room>) -> Compactor {
        let (table, clock) = (self.log.table.clone(), self.clock.clone());
        Compactor { table, sizes, clock, names: self.names.clone(), room }
    }

    /// The table's id.
    pub fn table(&self) -> &str {
        &self.owner.table
    }

    /// As last read or written.
    pub(super) fn state(&self) -> &LogState {
        &self.state
    }

    /// Whom it is written for.
    pub(super) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The table's folder.
    pub(super) fn location(&self) -> &Location {
        &self.log.table
    }

    /// The table's folder, as the pipeline file names it.
    pub fn url(&self) -> &str {
        &self.log.table.url
    }

    fn in_log(&self) -> Option<Epoch> {
        decide::published(&self.state, &self.owner)
    }

    fn decide_table(&self) -> Result<Option<Commit>, LogError> {
        let id = || as_guid(&self.names.next());
        let decided = decide::create(&self.state, &self.owner, &self.shape, id, self.now());
        decided.map_err(|reason| LogError::refused(&self.log.table, reason))
    }

    /// ms since 1970.
    fn now(&self) -> i64 {
        self.clock.wall_micros() / 1_000
    }

    /// Whether this chain may write to the table, as far as its log was read. `own` are the chains that its lane has or had.
    ///
    /// # Errors
    ///
    /// Refused: another chain writes to it.
    pub fn check_writer(&self, own: &[String]) -> Result<(), LogError> {
        let checked = claim::check(&self.state, &self.owner, own);
        checked.map_err(|reason| LogError::refused(&self.log.table, reason))
    }

    /// Whether the log, as far as it was read, names this chain.
    pub fn is_taken(&self) -> bool {
        claim::writer(&self.state) == Some(&*self.owner.chain)
    }

    /// Makes the table, or takes it from nobody or from one of its `own` chains: from then on only this chain adds to it (T7).
    /// Asks for nothing if it has the table already.
    ///
    /// # Errors
    ///
    /// As [`Self::open`], and as [`Self::check_writer`]: who else wanted it was faster.
    pub async fn take(&mut self, own: &[String]) -> Result<(), LogError> {
        for _ in 0..CONFLICTS_MAX {
            let commit = match self.decide_table()? {
                Some(commit) => Some(commit),
                None => claim::take(&self.state, &self.owner, own, self.now())
                    .map_err(|reason| LogError::refused(&self.log.table, reason))?,
            };
            let Some(commit) = commit else { return Ok(()) };
            self.commit(&commit).await?;
        }
        Err(self.crowded())
    }

    fn crowded(&self) -> LogError {
        LogError::Crowded { url: self.log.table.url.clone() }
    }

    /// Makes the table if there is none, so that its readers find no rows rather than no table.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub async fn create(&mut self) -> Result<(), LogError> {
        while let Some(commit) = self.decide_table()? {
            self.commit(&commit).await?;
        }
        Ok(())
    }

    /// Adds what the chain has up to its head and the log lacks. One commit of the log at most: call it until
    /// [`Published::through`] is the head.
    ///
    /// # Errors
    ///
    /// As [`Self::open`]; [`LogError::Chain`] if records are missing that the log still needs.
    pub async fn publish(
        &mut self,
        storage: &LaneStorage,
        head: &ChainRecord,
    ) -> Result<Published, LogError> {
        self.check_ahead(head.epoch)?;
        if self.next() < head.epoch || self.check_writer(&[]).is_err() {
            // Whoever was faster may have let go of records that are to be read here. Whoever had the table may have it no more.
            self.log.follow(&mut self.state, |_, _| {}).await?;
            self.check_ahead(head.epoch)?;
        }
        let next = self.next();
        if next > head.epoch {
            return Ok(self.published());
        }
        let last = head.epoch.min(Epoch(next.0 + EPOCHS_MAX - 1));
        let records = follow::records(storage, next, last, head).await?;
        let records: Vec<Arc<ChainRecord>> =
            records.into_iter().map(|record| self.without_lost(record)).collect();
        let records: Vec<&ChainRecord> = records.iter().map(AsRef::as_ref).collect();
        self.append(&records).await?;
        Ok(self.published())
    }

    /// The first epoch of which the log may lack something. What was looked at since it says how far it is has no files, and
    /// is named by the commit that comes next.
    fn next(&self) -> Epoch {
        self.needed_from().max(self.through.map_or(Epoch::GENESIS, Epoch::next))
    }

    /// A record without the files that were not in the table's folder when it was opened: they lie where the table was then.
    fn without_lost(&self, record: Arc<ChainRecord>) -> Arc<ChainRecord> {
        let Some((opened, found)) = &self.found else { return record };
        let table = &self.owner.table;
        let is_lost = |file: &DataFile| file.table == *table && !found.contains(&file.path);
        if record.epoch > *opened || !record.files.iter().any(is_lost) {
            return record;
        }
        let mut left = ChainRecord::clone(&record);
        left.files.retain(|file| !is_lost(file));
        let lost = record.files.len() - left.files.len();
        let (epoch, url) = (record.epoch, &self.log.table.url);
        tracing::warn!(%epoch, table, url, lost, "files lie in another place, and are not in the table's log");
        Arc::new(left)
    }

    /// Adds these records, which follow each other.
    async fn append(&mut self, records: &[&ChainRecord]) -> Result<(), LogError> {
        for _ in 0..CONFLICTS_MAX {
            self.create().await?;
            let copied = claim::check_place(&self.state, &self.owner);
            copied.map_err(|reason| LogError::copied(&self.log.table, reason))?;
            let commit = decide::append(&self.state, &self.owner, &self.shape, records, self.now());
            let commit = commit.map_err(|reason| LogError::refused(&self.log.table, reason))?;
            let is_done = match &commit {
                None => true,
                Some(commit) => self.commit(commit).await?,
            };
            if is_done {
                let shown = records.iter().take_while(|record| !record.held);
                self.through = shown.last().map(|record| record.epoch).max(self.through);
                if commit.is_some() {
                    self.tidy().await;
                }
                return Ok(());
            }
        }
        Err(self.crowded())
    }

    /// Whether the commit is in the log. If another one has its place, that is read.
    async fn commit(&mut self, commit: &Commit) -> Result<bool, LogError> {
        let is_ours = self.log.put(commit).await?;
        match is_ours {
            true => self.state.apply(commit.version, &commit.lines),
            false => self.log.follow(&mut self.state, |_, _| {}).await?,
        }
        Ok(is_ours)
    }

    /// Checkpoint and clean-up, if they are due. Readers do without for a while, so a failure is only told.
    async fn tidy(&mut self) {
        if !cleanup::is_due(&self.state) {
            return;
        }
        let tidied = async {
            if let Some(version) = cleanup::write(&self.log, self.now()).await? {
                self.state.checkpoint = Some(version);
                let removed = cleanup::clean(&self.log, &self.state, self.now()).await?;
                tracing::debug!(table = self.owner.table, version, removed, "wrote a checkpoint");
            }
            Ok::<_, LogError>(())
        };
        if let Err(error) = tidied.await {
            tracing::warn!(table = self.owner.table, %error, "the table's log got no checkpoint");
        }
    }
}

/// 32 hex digits with the dashes that tables want of a GUID.
fn as_guid(name: &str) -> String {
    let parts = [&name[..8], &name[8..12], &name[12..16], &name[16..20], &name[20..]];
    parts.join("-")
}
