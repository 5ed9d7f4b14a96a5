//! Files in the folder of a table that nobody needs any more: what compaction has replaced, and what a writer that died has
//! left. Each that is deleted is proven to be such; what cannot be proven stays and is counted.
//!
//! A file goes if all of it is true:
//!
//! 1. The log does not name it, and if it did once, it was taken out longer ago than the table keeps such files.
//! 2. It is older than that itself, and a compacted file older than a compaction may take.
//! 3. If it is a data file of a chain, the log has come to its epoch, no record names it any more, and it is of the chain that
//!    the pipeline has now. Those of other chains go only if this log has named them.
//! 4. If neither a chain nor a compaction of ours has named it so, this log has named it; or its deletion was asked for.
//!
//! The log is read first, then the chain, then the folder: what comes between is younger, or in the chain, and stays. So it
//! may run beside the pipeline, whatever its retention.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use serde::Serialize;

use super::cleanup;
use super::compact::PATIENCE;
use super::contents::{Contents, contents};
use super::decide::{self, Owner};
use super::paths;
use super::problem::LogError;
use sluicegate_chain::paths::LaneTag;
use sluicegate_chain::record::Epoch;
use sluicegate_chain::{LaneStorage, follow, inspect};
use sluicegate_store::Location;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Files that were in the table at a time no longer ago are kept. None: as the table says.
    pub retain: Option<Duration>,
    /// Whether `retain` may be shorter than what the table says: readers of its older versions fail then.
    pub may_be_short: bool,
    /// Whether files of other writers go that the log does not name, and may never have named.
    pub foreign: bool,
}

/// What was found in the folder of a table.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Found {
    /// Those that nobody needs, below the table's folder, with their bytes.
    pub unneeded: BTreeMap<String, u64>,
    /// Why the others stay, and how many of each.
    pub kept: BTreeMap<Kept, u64>,
    /// Files that were in the table no longer ago were kept, in seconds.
    pub retained_seconds: u64,
    #[serde(skip)]
    paths: Vec<Path>,
}

/// Why a file stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// It is the table.
    Live,
    /// It was a short time ago, or is young.
    Young,
    /// Its epoch is not in the log yet.
    Unpublished,
    /// A record of the chain names it.
    Named,
    /// Whose it is, and whether somebody needs it, nothing here can tell.
    Unproven,
}

impl Kept {
    /// For a person, behind a number of files.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Live => "are the table",
            Self::Young => "are young, or were in the table a short time ago",
            Self::Unpublished => "are committed or on their way, and not in the log yet",
            Self::Named => "are named by records of the chain",
            Self::Unproven => {
                "are of other writers or chains, and nothing proves that nobody needs them"
            }
        }
    }
}

/// Looks for files that nobody needs in the table of a pipeline, by its id. `now`: ms since 1970.
///
/// # Errors
///
/// [`LogError::Store`], [`LogError::Chain`]; [`LogError::Refused`] if chain and log do not prove what may go.
pub async fn find(
    storage: &LaneStorage,
    table: &str,
    wish: Wish,
    now: i64,
) -> Result<Found, LogError> {
    let location = &storage.tables[table];
    let refused = |reason: String| LogError::refused(location, reason);
    let log = contents(location).await?;
    let retain = retention(&log, wish).map_err(refused)?;
    let head = match inspect::latest(storage).await? {
        Some(head) => inspect::record(storage, head).await?,
        None => None,
    };
    let head = head.ok_or_else(|| {
        refused(
            "has no chain beside it, and without it nothing says which files are still needed: name the `checkpoint.path` \
             of the pipeline that writes it"
                .to_owned(),
        )
    })?;
    let owner = Owner::new(storage, table, &head.chain_id());
    let through = through(&log, &owner, head.epoch).map_err(refused)?;
    let found = follow::find(storage, table, Epoch::GENESIS, &head).await?;
    let records = follow::kept_records(storage, &head).await?;
    let files = records.iter().flat_map(|record| &record.files);
    let named = files.filter(|file| file.table == table).map(|file| file.path.clone()).collect();
    let before = now - millis(retain);
    let judge = Judge {
        removed: removed(&log),
        live: log.files.keys().filter_map(|path| paths::below(path).ok()).collect(),
        tag: LaneTag::new(&storage.job, &storage.lane),
        of_chain: found.files,
        through,
        named,
        before,
        compacted_before: before.min(now - millis(PATIENCE) * 2),
        foreign: wish.foreign,
    };
    let mut result = Found { retained_seconds: retain.as_secs(), ..Found::default() };
    let failed = |error| LogError::store("list the table", location, &error);
    let mut objects = location.store.list(Some(&location.prefix));
    while let Some(object) = objects.try_next().await.map_err(failed)? {
        let below = location.below(&object.location);
        if is_hidden(&below) {
            continue;
        }
        match judge.kept(&below, &object) {
            Some(kept) => *result.kept.entry(kept).or_default() += 1,
            None => {
                result.unneeded.insert(below, object.size);
                result.paths.push(object.location);
            }
        }
    }
    Ok(result)
}

/// Deletes what was found.
///
/// # Errors
///
/// [`LogError::Store`]. What was deleted by then is gone.
pub async fn delete(table: &Location, found: &Found) -> Result<(), LogError> {
    let deleted = cleanup::delete(table, found.paths.clone()).await;
    deleted.map_err(|error| {
        LogError::store("delete files that the table does not need", table, &error)
    })
}

/// For how long files that were in the table are kept.
fn retention(log: &Contents, wish: Wish) -> Result<Duration, String> {
    if log.state.version.is_none() {
        return Err("has no log: nothing says which of its files are the table".to_owned());
    }
    let of_table = cleanup::tombstones(&log.state);
    match wish.retain {
        None => Ok(of_table),
        Some(wanted) if wanted < of_table && !wish.may_be_short => Err(format!(
            "keeps files for {} (`{}`), and {} is less: readers of its older versions would fail; if there are none, say so \
             with --force",
            span(of_table),
            cleanup::TOMBSTONES_KEY,
            span(wanted)
        )),
        Some(wanted) if wanted > of_table => Err(format!(
            "forgets after {} which files were taken out of it, and {} is more: change its property `{}`",
            span(of_table),
            span(wanted),
            cleanup::TOMBSTONES_KEY
        )),
        Some(wanted) => Ok(wanted),
    }
}

/// As `--retain` takes it, in one unit.
fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let (length, unit) =
        units.into_iter().find(|(length, _)| seconds.is_multiple_of(*length)).unwrap_or((1, "s"));
    format!("{}{unit}", seconds / length)
}

/// The last epoch whose files the log has.
fn through(log: &Contents, owner: &Owner, head: Epoch) -> Result<Epoch, String> {
    decide::within(&log.state, owner, head)?.ok_or_else(|| {
        format!(
            "has nothing of the chain of pipeline `{}`, so nothing says which files it still needs: run the pipeline first, \
             or correct `path` and `checkpoint.path`",
            owner.job
        )
    })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// What readers of a folder pass over. A folder of a column may begin so.
fn is_hidden(below: &str) -> bool {
    below
        .split('/')
        .any(|part| part.starts_with('.') || part.starts_with('_') && !part.contains('='))
}

/// When files were taken out of the table (ms since 1970), as they lie below its folder. Long ago where the log does not say.
fn removed(log: &Contents) -> BTreeMap<String, i64> {
    let removed = log.removed.iter();
    let removed = removed.map(|(path, of)| Some((paths::below(path).ok()?, of.deletion_timestamp)));
    removed.flatten().map(|(path, time)| (path, time.unwrap_or(0))).collect()
}

struct Judge {
    removed: BTreeMap<String, i64>,
    /// Files that are the table, as they lie below its folder.
    live: BTreeSet<String>,
    tag: LaneTag,
    /// Files that are the chain's by their names.
    of_chain: BTreeMap<String, Epoch>,
    through: Epoch,
    /// Files that a record names.
    named: BTreeSet<String>,
    /// ms since 1970: what was in the table then or later stays.
    before: i64,
    /// The same for files that were not in it yet when they were put.
    compacted_before: i64,
    foreign: bool,
}

impl Judge {
    /// Why a file stays, if it does.
    fn kept(&self, below: &str, object: &ObjectMeta) -> Option<Kept> {
        if self.live.contains(below) {
            return Some(Kept::Live);
        }
        if self.named.contains(below) {
            let epoch = self.of_chain.get(below);
            let is_behind = epoch.is_some_and(|epoch| *epoch > self.through);
            return Some(if is_behind { Kept::Unpublished } else { Kept::Named });
        }
        let removed = self.removed.get(below);
        let is_compacted = paths::is_compacted(below);
        let before = if is_compacted { self.compacted_before } else { self.before };
        let put = object.location.filename().and_then(|name| self.tag.parse(name));
        let is_young = object.last_modified.timestamp_millis() >= before;
        match (put, self.of_chain.get(below)) {
            (Some(name), Some(epoch)) if name.chain.is_some() && *epoch > self.through => {
                return Some(Kept::Unpublished);
            }
            _ if is_young || removed.is_some_and(|time| *time >= self.before) => {
                return Some(Kept::Young);
            }
            (Some(name), Some(_)) if name.chain.is_some() => return None,
            (Some(_), _) => return removed.is_none().then_some(Kept::Unproven),
            (None, _) => {}
        }
        let is_proven = removed.is_some() || is_compacted || self.foreign;
        (!is_proven).then_some(Kept::Unproven)
    }
}
