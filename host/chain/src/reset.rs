//! Forgetting a lane on purpose, and saying first what would be forgotten.

use std::collections::BTreeSet;

use object_store::ObjectMeta;
use object_store::path::Path;

use super::files::all_files;
use super::home::Forgets;
use super::own::{own_chains, readable};
use super::paths::{self, LaneTag};
use super::record::Epoch;
use super::store::{LaneStore, delete};
use super::{ChainError, LaneStorage, mark};
use sluicegate_store::Location;

/// What a lane has in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Slots of its chain that are there, the genesis included: one for each epoch that was not let go.
    pub epochs: u64,
    /// The newest epoch that has a slot; none if the lane has no chain.
    pub latest: Option<Epoch>,
    /// State blobs, also those that no record needs any more.
    pub states: u64,
    /// Bytes of the state blobs, as stored, compressed.
    pub state_bytes: u64,
    /// Outboxes, those that were sent included.
    pub outboxes: u64,
    /// Data files of this chain in all tables, and of chains of this lane that were forgotten before.
    pub data_files: u64,
    /// Bytes that `data_files` have together, as listed.
    pub data_bytes: u64,
    /// Data files there that have the lane's name and another chain's, or none: nothing here proves whose they are.
    pub other_files: u64,
    /// Bytes that `other_files` have together, as listed.
    pub other_bytes: u64,
}

/// What becomes of data files when a lane is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFiles {
    /// They stay, and readers of a table see them for ever: no chain names them any more.
    Keep,
    /// What `data_files` counts is deleted; what `other_files` counts stays.
    DeleteOwn,
    /// [`Footprint::other_files`] are deleted as well.
    DeleteAll,
}

impl Footprint {
    /// Whether there is nothing to forget.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a lane has in the store, as it was seen at a moment. A reset forgets that, and nothing of a chain that began since.
#[derive(Debug)]
pub struct Seen(Objects);

impl Seen {
    /// Looks. Whoever asks somebody, or waits for a sign of life, does so behind it.
    ///
    /// # Errors
    ///
    /// [`ChainError::Store`].
    pub async fn look(storage: &LaneStorage) -> Result<Self, ChainError> {
        Ok(Self(Objects::list(storage).await?))
    }

    /// What [`Seen::forget`] would delete.
    pub fn footprint(&self) -> Footprint {
        self.0.footprint()
    }

    /// The lane's chains, by the id in names of data files: the one that is there, and those that were forgotten before.
    pub fn chains(&self) -> &[String] {
        &self.0.chains
    }

    /// Deletes the lane's chain, states and outboxes, and data files as told. Nobody may run the lane meanwhile: ask for its
    /// [`presence`](super::presence) first. A lane that runs all the same finds its head gone before its next commit and
    /// halts.
    ///
    /// First the mark, without which no chain begins beside data files that are kept (`mark`), and with which it lies apart (`home`). Then
    /// the slots, from the genesis up (C22): until the newest is gone, an opening finds the chain damaged. It may sleep between any two
    /// of these, and another chain may begin: of that nothing goes (C23).
    /// Data files that are kept have another chain in their names than those of the lane's next life.
    ///
    /// # Errors
    ///
    /// [`ChainError::Store`]; some objects may be gone then, and calling it again deletes the rest.
    pub async fn forget(
        self,
        storage: &LaneStorage,
        data: DataFiles,
    ) -> Result<Footprint, ChainError> {
        let Self(objects) = self;
        let mut forgotten = objects.footprint();
        let (strangers, floors) = (objects.strangers(), objects.floors);
        let store = LaneStore::new(&storage.chain, &storage.job, &storage.lane);
        mark::put(&store, objects.chains.clone()).await?;
        let forgets = delete_genesis(&store, objects.chains).await?;
        delete_all(&store, &forgets, objects.slots).await?;
        // Whoever runs the lane all the same may have committed meanwhile, once: before the next commit it misses its head.
        let objects = Objects::list(storage).await?;
        delete_all(&store, &forgets, objects.slots).await?;
        delete_all(&store, &forgets, objects.states).await?;
        delete_all(&store, &forgets, objects.outboxes).await?;
        // Another chain's owner puts it again.
        let failed = |error| ChainError::store("delete the chain", &store.folder, &error);
        delete(&store.folder, vec![store.folder.path(paths::BEAT)]).await.map_err(failed)?;
        // They lie in one folder. Of a chain that is damaged nothing else may tell which it was.
        let since = objects.floors.into_iter().filter(|floor| is_floor_of(&forgets, floor));
        delete_all(&store, &forgets, floors.into_iter().chain(since).collect()).await?;
        let is_seen = |file: &Found| file.chain.as_ref().is_some_and(|it| forgets.knows(it));
        for (location, files) in objects.data {
            let is_to_go = |file: &Found| match data {
                DataFiles::Keep => false,
                DataFiles::DeleteOwn => is_seen(file),
                DataFiles::DeleteAll => {
                    file.chain.is_none() || is_seen(file) || file.is_of(&strangers)
                }
            };
            let paths = files.into_iter().filter(is_to_go).map(|file| file.path).collect();
            let failed = |error| ChainError::store("delete data files", &location, &error);
            delete(&location, paths).await.map_err(failed)?;
        }
        if data == DataFiles::Keep {
            (forgotten.data_files, forgotten.data_bytes) = (0, 0);
        }
        if data != DataFiles::DeleteAll {
            (forgotten.other_files, forgotten.other_bytes) = (0, 0);
        }
        Ok(forgotten)
    }
}

/// What [`forget`] would delete.
///
/// # Errors
///
/// [`ChainError::Store`].
pub async fn footprint(storage: &LaneStorage) -> Result<Footprint, ChainError> {
    Ok(Seen::look(storage).await?.footprint())
}

/// Forgets what a lane has now: see [`Seen::forget`].
///
/// # Errors
///
/// As that.
pub async fn forget(storage: &LaneStorage, data: DataFiles) -> Result<Footprint, ChainError> {
    Seen::look(storage).await?.forget(storage, data).await
}

/// Deletes the genesis of a chain that was seen. Its name is that of every genesis, and a store cannot be told to delete certain bytes.
/// So it is looked at just before. What else goes.
async fn delete_genesis(store: &LaneStore, seen: Vec<String>) -> Result<Forgets, ChainError> {
    // One that cannot be read is damage, which a reset is for.
    let genesis = readable(store.genesis().await)?.flatten();
    let there = genesis.as_ref().map(|it| (&*it.files_id, it.apart.is_some()));
    let forgets = Forgets::of(seen, there);
    if forgets.genesis {
        let failed = |error| ChainError::store("delete the chain", &store.folder, &error);
        let genesis = store.folder.path(&paths::slot(Epoch::GENESIS));
        delete(&store.folder, vec![genesis]).await.map_err(failed)?;
    }
    Ok(forgets)
}

fn is_floor_of(forgets: &Forgets, floor: &ObjectMeta) -> bool {
    let chain = floor.location.filename().and_then(paths::parse_floor);
    chain.is_some_and(|(chain, _)| forgets.knows(chain))
}

/// Deletes what of these goes.
async fn delete_all(
    store: &LaneStore,
    forgets: &Forgets,
    objects: Vec<ObjectMeta>,
) -> Result<(), ChainError> {
    let paths = objects.into_iter().map(|object| object.location);
    let gone = paths.filter(|path| forgets.takes(&store.folder.below(path)));
    let failed = |error| ChainError::store("delete the chain", &store.folder, &error);
    delete(&store.folder, gone.collect()).await.map_err(failed)
}

#[derive(Debug)]
struct Objects {
    /// Ascending.
    slots: Vec<ObjectMeta>,
    states: Vec<ObjectMeta>,
    outboxes: Vec<ObjectMeta>,
    floors: Vec<ObjectMeta>,
    data: Vec<(Location, Vec<Found>)>,
    /// The chains of this lane, by the id in names of data files.
    chains: Vec<String>,
}

/// A data file with the lane's name.
#[derive(Debug)]
struct Found {
    path: Path,
    bytes: u64,
    /// In its name; none before names had chains.
    chain: Option<String>,
}

impl Found {
    fn is_of(&self, chains: &[String]) -> bool {
        self.chain.as_ref().is_some_and(|chain| chains.contains(chain))
    }
}

impl Objects {
    async fn list(storage: &LaneStorage) -> Result<Self, ChainError> {
        let store = LaneStore::new(&storage.chain, &storage.job, &storage.lane);
        let failed = |error| ChainError::store("list the chain", &store.folder, &error);
        let mut slots = store.list(paths::CHAIN_FOLDER).await.map_err(failed)?;
        let mut states = store.list(paths::STATE_FOLDER).await.map_err(failed)?;
        let mut outboxes = store.list(paths::OUTBOX_FOLDER).await.map_err(failed)?;
        let floors = store.list(paths::FLOOR_FOLDER).await.map_err(failed)?;
        let mut chains = own_chains(&store).await?;
        // Of the chain that is there, and what owners of those before have put when they were forgotten.
        for object in store.list(paths::CHAINS_FOLDER).await.map_err(failed)? {
            let below = store.folder.below(&object.location);
            let Some((chain, kind)) = paths::parse_of_chain(&below) else { continue };
            chains.push(chain.to_owned());
            match kind {
                paths::CHAIN_FOLDER => slots.push(object),
                paths::STATE_FOLDER => states.push(object),
                _ => outboxes.push(object),
            }
        }
        chains.sort_unstable();
        chains.dedup();
        // The genesis is before all others.
        slots.sort_by(|left, right| left.location.cmp(&right.location));
        let tag = LaneTag::new(&storage.job, &storage.lane);
        let mut data = Vec::new();
        for (id, table) in &storage.tables {
            let files = all_files(id, table, &tag).await;
            let failed = |error| ChainError::store("list data files", table, &error);
            let files = files.map_err(failed)?.into_iter().map(|file| Found {
                path: file.path,
                bytes: file.bytes,
                chain: file.name.chain,
            });
            data.push((table.clone(), files.collect()));
        }
        Ok(Self { slots, states, outboxes, floors, data, chains })
    }

    /// The chains in names of data files.
    fn strangers(&self) -> Vec<String> {
        let files = self.data.iter().flat_map(|(_, files)| files);
        let chains: BTreeSet<&String> = files.filter_map(|file| file.chain.as_ref()).collect();
        chains.into_iter().cloned().collect()
    }

    fn footprint(&self) -> Footprint {
        let epoch = |object: &ObjectMeta| paths::parse_slot(object.location.filename()?);
        let files = |is_own| {
            let files = self.data.iter().flat_map(|(_, files)| files);
            let files = files.filter(move |file| file.is_of(&self.chains) == is_own);
            files.fold((0, 0), |(count, bytes), file| (count + 1, bytes + file.bytes))
        };
        let ((data_files, data_bytes), (other_files, other_bytes)) = (files(true), files(false));
        Footprint {
            epochs: self.slots.len() as u64,
            latest: self.slots.iter().filter_map(epoch).max(),
            states: self.states.len() as u64,
            state_bytes: self.states.iter().map(|object| object.size).sum(),
            outboxes: self.outboxes.len() as u64,
            data_files,
            data_bytes,
            other_files,
            other_bytes,
        }
    }
}
