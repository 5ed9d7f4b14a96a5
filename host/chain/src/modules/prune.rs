//! A pass over a module store: look, decide, delete (docs/design/commit.md#modules).

use std::collections::{BTreeMap, BTreeSet};

use object_store::ObjectMeta;
use object_store::path::Path;

use super::pins::pins;
use super::surplus::{Retention, Seen, Stored, Surplus, Tombstone};
use super::{ModuleStore, ModuleStoreError, moment, paths};
use crate::ChainError;
use crate::store::delete;
use sluicegate_model::module::ModuleDigest;
use sluicegate_model::time::EventTime;
use sluicegate_store::once::Immutable;

/// Which modules an owner collects.
#[derive(Clone, Debug)]
pub struct ModuleKeep {
    /// Those beside its chain.
    pub store: ModuleStore,
    /// What stays of them.
    pub retention: Retention,
}

/// What a pass has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// Versions of modules that nobody can ask for any more.
    pub(crate) versions: u64,
    /// Modules whose bytes went.
    pub(crate) modules: u64,
    /// Bytes of those.
    pub(crate) bytes: u64,
    /// Chains elsewhere that may need anything: while there is one, nothing goes.
    pub(crate) elsewhere: usize,
}

/// A pass has come to nothing. The next one begins anew.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PruneError {
    #[error("{}", in_full(.0))]
    Modules(#[from] ModuleStoreError),
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// With the words of the store.
fn in_full(error: &ModuleStoreError) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

impl ModuleKeep {
    /// One pass. `now` is the store's time, or one before it.
    ///
    /// # Errors
    ///
    /// The store failed, or a chain cannot be read.
    pub(crate) async fn prune(&self, now: EventTime) -> Result<Pruned, PruneError> {
        let seen = self.store.look(now).await?;
        let needed = pins(&self.store.location).await?;
        let elsewhere = self.store.chains_elsewhere().await?;
        if elsewhere > 0 {
            return Ok(Pruned { elsewhere, ..Pruned::default() });
        }
        let seen = Seen { needed, ..seen };
        self.store.carry_out(seen.surplus(&self.retention)).await
    }
}

impl ModuleStore {
    /// What lies there.
    async fn look(&self, now: EventTime) -> Result<Seen, PruneError> {
        let tombstones = self.listed(paths::GIVEN_UP_FOLDER).await?;
        let bytes = self.listed(paths::BYTES_FOLDER).await?;
        let versions = self.listed(paths::NAMES_FOLDER).await?;
        let stored = |object: &ObjectMeta| {
            let (digest, generation) = paths::parse_bytes(&object.location)?;
            Some(Stored { digest, generation, size: object.size })
        };
        Ok(Seen {
            tombstones: highest(&tombstones),
            bytes: bytes.iter().filter_map(stored).collect(),
            versions: self.versions_of(versions).await?,
            needed: BTreeSet::new(),
            now,
        })
    }

    /// Nothing here depends on what comes before it in the same pass.
    async fn carry_out(&self, surplus: Surplus) -> Result<Pruned, PruneError> {
        let Surplus { renewed, versions, given_up, bytes } = surplus;
        for (digest, generation) in renewed {
            let object = Immutable::new(self.get(&digest).await?);
            self.put_bytes(&digest, generation, &object).await?;
        }
        for (digest, generation) in given_up {
            self.create(&paths::tombstone(&digest, generation), r#"{"v":1}"#.into()).await?;
        }
        let pruned = Pruned {
            versions: versions.len() as u64,
            modules: bytes.len() as u64,
            bytes: bytes.iter().map(|stored| stored.size).sum(),
            elsewhere: 0,
        };
        let versions = versions.iter().map(|(name, number)| paths::version(name, *number));
        let bytes = bytes.iter().map(|stored| paths::bytes(&stored.digest, stored.generation));
        let gone: Vec<Path> =
            versions.chain(bytes).map(|below| self.location.path(&below)).collect();
        let failed = |error| ChainError::store("delete old modules", &self.location, &error);
        delete(&self.location, gone).await.map_err(failed)?;
        Ok(pruned)
    }
}

/// The highest tombstone of each module.
fn highest(listed: &[ObjectMeta]) -> BTreeMap<ModuleDigest, Tombstone> {
    let mut highest: BTreeMap<_, Tombstone> = BTreeMap::new();
    for object in listed {
        let Some((digest, generation)) = paths::parse_tombstone(&object.location) else { continue };
        let found = Tombstone { generation, put: moment(object) };
        let known = highest.entry(digest).or_insert(found);
        if generation > known.generation {
            *known = found;
        }
    }
    highest
}
