//! What chains need of a module store.
//!
//! Chains below the same place as the modules are read: the newest record of each says what its stages run, and what they ran
//! lately. A chain that lies elsewhere cannot be found from here. So it says that it is there, before it asks for a module;
//! nothing is collected then.

use std::collections::BTreeSet;

use serde_json::json;

use super::{ModuleStore, ModuleStoreError, paths};
use crate::ChainError;
use crate::record::ChainRecord;
use crate::store::LaneStore;
use sluicegate_model::module::ModuleDigest;
use sluicegate_store::Location;
use sluicegate_store::once::{in_time, sha256_hex};

/// Digits that tell the place of one chain from that of another.
const PLACE_DIGITS: usize = 12;

impl ModuleStore {
    /// Whether chains at `place` are found from the modules.
    pub fn is_beside(&self, place: &Location) -> bool {
        self.location.url == place.url
    }

    /// Says that the chain of a pipeline needs modules, if it lies elsewhere.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn announce(&self, pipeline: &str, chain: &Location) -> Result<(), ModuleStoreError> {
        if self.is_beside(chain) {
            return Ok(());
        }
        let place = &sha256_hex(chain.url.as_bytes())[..PLACE_DIGITS];
        let body = json!({ "v": 1, "pipeline": pipeline, "chain": chain.url }).to_string();
        self.create(&paths::elsewhere(&format!("{pipeline}-{place}")), body.into()).await?;
        Ok(())
    }

    /// What chains elsewhere have said: one object each.
    pub(super) async fn chains_elsewhere(&self) -> Result<usize, ModuleStoreError> {
        Ok(self.listed(paths::ELSEWHERE_FOLDER).await?.len())
    }
}

/// What the chains below a place need.
///
/// # Errors
///
/// One of them cannot be read: then nobody knows what it needs.
pub(super) async fn pins(place: &Location) -> Result<BTreeSet<ModuleDigest>, ChainError> {
    let mut pins = BTreeSet::new();
    for job in folders(place, "").await? {
        for lane in folders(place, &format!("{job}/lanes")).await? {
            let store = LaneStore::new(place, &job, &lane).found().await?;
            let Some(head) = store.head().await? else { continue };
            pins.extend(needed_by(&head.record));
        }
    }
    Ok(pins)
}

/// What the stages of a lane run, and ran lately.
fn needed_by(head: &ChainRecord) -> impl Iterator<Item = ModuleDigest> {
    let lately = head.activations.iter().flat_map(|taken| [taken.digest, taken.previous]);
    head.modules.iter().map(|pinned| pinned.digest).chain(lately)
}

/// Names of the folders in one.
async fn folders(place: &Location, below: &str) -> Result<Vec<String>, ChainError> {
    let folder = place.path(below);
    let listed = in_time(place.store.list_with_delimiter(Some(&folder))).await;
    let listed = listed.map_err(|error| ChainError::store("look for chains", place, &error))?;
    let names = listed.common_prefixes.iter().filter_map(|path| path.filename());
    Ok(names.map(str::to_owned).collect())
}
