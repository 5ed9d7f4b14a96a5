//! The bytes of a module, in the generation that counts.
//!
//! Bytes are known by their hash, so a module that is uploaded again after it was collected wants the same name. A deletion may
//! still be on its way there. So a tombstone gives a generation up for ever, and the next upload has the next one. Readers
//! do not care: whatever has the right hash is right.

use bytes::Bytes;
use object_store::path::Path;
use sha2::{Digest, Sha256};

use super::surplus::next_generation;
use super::{ModuleStore, ModuleStoreError, paths};
use sluicegate_model::module::ModuleDigest;
use sluicegate_store::once::{Created, Immutable};
use sluicegate_store::upload::{Aborts, Upload};

impl ModuleStore {
    /// The bytes of a module, checked against its digest.
    pub async fn get(&self, digest: &ModuleDigest) -> Result<Bytes, ModuleStoreError> {
        let first = self.location.path(&paths::bytes(digest, 0));
        let missing = match self.bytes_at(&first, digest).await {
            Err(error) if error.is_absent() => error,
            read => return read,
        };
        let mut later = self.later_generations(digest).await?;
        while let Some(path) = later.pop() {
            match self.bytes_at(&path, digest).await {
                Err(error) if error.is_absent() => {}
                read => return read,
            }
        }
        Err(missing)
    }

    async fn bytes_at(
        &self,
        path: &Path,
        digest: &ModuleDigest,
    ) -> Result<Bytes, ModuleStoreError> {
        let whole = |bytes: Bytes| {
            let found = ModuleDigest(Sha256::digest(&bytes).into());
            let damaged = || self.damaged(path, format!("its bytes have the digest {found}"));
            if found == *digest { Ok(bytes) } else { Err(damaged()) }
        };
        self.read(path, whole).await
    }

    /// Where the bytes lie beside the first generation, ascending.
    async fn later_generations(
        &self,
        digest: &ModuleDigest,
    ) -> Result<Vec<Path>, ModuleStoreError> {
        let listed = self.listed(&paths::later_bytes(digest)).await?;
        let found = listed.into_iter().map(|object| object.location);
        let mut found: Vec<_> =
            found.filter_map(|path| Some((paths::parse_bytes(&path)?.1, path))).collect();
        found.sort_unstable();
        Ok(found.into_iter().map(|(_, path)| path).collect())
    }

    /// The generation that an upload may rely on, as long as no higher one is given up.
    pub(super) async fn next_generation(
        &self,
        digest: &ModuleDigest,
    ) -> Result<u32, ModuleStoreError> {
        let listed = self.listed(&paths::tombstones(digest)).await?;
        let given_up = listed.iter().filter_map(|object| paths::parse_tombstone(&object.location));
        Ok(next_generation(given_up.map(|(_, generation)| generation).max()))
    }

    /// What a version names must be there, and whole: the name is the hash of the bytes, so whoever puts it puts the same.
    pub(super) async fn put_bytes(
        &self,
        digest: &ModuleDigest,
        generation: u32,
        object: &Immutable,
    ) -> Result<(), ModuleStoreError> {
        let path = self.location.path(&paths::bytes(digest, generation));
        let aborts = Aborts::new();
        match Upload::new(&self.location, &path, object, &aborts).attempt().await {
            Created::Ours => Ok(()),
            Created::Taken => Err(self.damaged(&path, "it holds other bytes".to_owned())),
            Created::Unknown(source) => Err(self.failed(&format!("create `{path}`"), source)),
        }
    }
}
