//! The mark of a reset: that a chain may begin beside data files which are there.
//!
//! A chain that is gone, or a mistyped `checkpoint.path`, looks like a first run, and all that was read before would be read
//! into the same tables again. So an opening without a chain refuses to begin beside files of its lane, unless somebody
//! said so: `sluicegate reset` leaves this object. It is good for one beginning. It names the chains that were forgotten, and
//! the genesis names them again, so that their files are still known to be this lane's.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::store::{LaneStore, delete};
use super::{ChainError, paths};
use sluicegate_runtime::Names;
use sluicegate_store::failure;
use sluicegate_store::once::{Created, Immutable, put_once};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    /// Version of this layout: 1.
    v: u32,
    /// Chains that this lane had, by the id in names of data files.
    chains: Vec<String>,
}

/// Allows the next beginning.
pub(super) async fn put(store: &LaneStore, chains: Vec<String>) -> Result<(), ChainError> {
    let nonce = Names::random().next_short();
    let body = serde_json::to_vec(&Mark { v: 1, chains }).expect("words are JSON");
    let path = store.path(&paths::mark(&nonce));
    match put_once(&store.folder, &path, &Immutable::new(Bytes::from(body))).await {
        Created::Ours => Ok(()),
        Created::Taken => unreachable!("a random name of 48 bits"),
        Created::Unknown(error) => {
            Err(ChainError::store("put the mark of the reset", &store.folder, &error))
        }
    }
}

/// The chains that were forgotten; none if nobody allowed a beginning.
pub(super) async fn find(store: &LaneStore) -> Result<Option<Vec<String>>, ChainError> {
    let failed = |error| ChainError::store("look for marks of a reset", &store.folder, &error);
    let mut chains = None;
    for object in store.list(paths::MARK_FOLDER).await.map_err(failed)? {
        let below = format!("{}/{}", paths::MARK_FOLDER, object.location.filename().unwrap_or(""));
        let Some(bytes) = store.get(&below).await.map_err(failed)? else { continue };
        let mark: Mark = serde_json::from_slice(&bytes).map_err(|error| {
            ChainError::Unreadable { what: format!("`{below}`"), reason: error.to_string() }
        })?;
        chains.get_or_insert_with(Vec::new).extend(mark.chains);
    }
    Ok(chains)
}

/// What was allowed was done: the chain has begun. If this fails the next opening does it.
pub(super) async fn remove(store: &LaneStore) {
    let remove = async {
        let marks = store.list(paths::MARK_FOLDER).await?;
        let marks = marks.into_iter().map(|mark| mark.location).collect();
        delete(&store.folder, marks).await
    };
    if let Err(error) = remove.await {
        let problem = failure::explain("remove marks of a reset", &store.folder, &error);
        tracing::warn!("{problem}");
    }
}
