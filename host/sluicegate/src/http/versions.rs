//! The numbers that running modules have in the module store.
//!
//! A status is asked for once a second and never waits for the store: numbers are looked up beside it, and shown from the
//! next answer on. A number that was found stays true.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sluicegate_chain::modules::{ModuleStore, VersionChoice};
use sluicegate_model::module::ModuleDigest;
use sluicegate_model::time::Clock;

/// What was not found is looked up again after so long: it may have been uploaded meanwhile, or the store was away.
const AGAIN_AFTER: Duration = Duration::from_secs(30);
/// More modules than the stages of a host run between two starts; beyond it everything is looked up again.
const KNOWN_MAX: usize = 1_024;

/// What was looked up so far.
pub(super) struct Versions {
    store: ModuleStore,
    clock: Clock,
    /// By the label and the bytes.
    known: Mutex<BTreeMap<(String, ModuleDigest), Known>>,
}

/// What is known of one module.
struct Known {
    number: Option<u64>,
    /// By the monotonic clock.
    asked_at: Duration,
}

impl Versions {
    /// Nothing was looked up.
    pub(super) fn new(store: ModuleStore, clock: Clock) -> Self {
        Self { store, clock, known: Mutex::default() }
    }

    /// The number of a module under a label; none if it has none, or nobody knows yet: then it is looked up.
    pub(super) fn number(self: &Arc<Self>, name: &str, digest: ModuleDigest) -> Option<u64> {
        let module = (name.to_owned(), digest);
        let now = self.clock.monotonic();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&module)
            && (found.number.is_some() || now.saturating_sub(found.asked_at) < AGAIN_AFTER)
        {
            return found.number;
        }
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(module.clone(), Known { number: None, asked_at: now });
        let versions = Arc::clone(self);
        tokio::spawn(async move { versions.look_up(module).await });
        None
    }

    async fn look_up(&self, module: (String, ModuleDigest)) {
        let wanted = VersionChoice::Digest(module.1.to_string());
        // Not found, or the store is away: later.
        let Ok(found) = self.store.resolve(&module.0, Some(&wanted)).await else { return };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(module, Known { number: Some(found.number), asked_at: Duration::ZERO });
    }
}
