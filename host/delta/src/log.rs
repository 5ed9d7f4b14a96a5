//! The objects of a log: find where it stands, read a commit, create one.
//!
//! Nothing here tries twice: whoever publishes begins again from the log.

use std::collections::BTreeMap;
use std::pin::pin;

use bytes::Bytes;
use futures::{StreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};

use super::actions::{self, Line};
use super::checkpoint;
use super::decide::Commit;
use super::problem::LogError;
use super::state::LogState;
use sluicegate_store::once::{Created, Immutable, each_in_time, in_time, in_time_for, put_once};
use sluicegate_store::{Location, failure, read};

/// The folder of the log in that of the table.
const FOLDER: &str = "_delta_log";

/// Commits that are asked for at a time once a log has gone on: a leader that takes over waits for it.
const COMMITS_AT_A_TIME: usize = 16;

/// How often a log is looked at that others begin at the same time.
const LOOKS_MAX: usize = 3;

/// What `_last_checkpoint` says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LastCheckpoint {
    pub(super) version: u64,
    pub(super) size: u64,
    /// Files that it was cut into; none: it is one. Other writers cut large ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parts: Option<u64>,
}

/// The log of a table.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) table: Location,
}

/// What a listing of a log shows.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Commits, ascending.
    pub(super) commits: Vec<(u64, ObjectMeta)>,
    /// Checkpoints of one file, ascending.
    pub(super) checkpoints: Vec<(u64, ObjectMeta)>,
    /// Parts that are there of checkpoints which others cut, by version and number of parts.
    parts: BTreeMap<(u64, u64), u64>,
}

impl Listing {
    /// The newest checkpoint that is whole, and into how many files it is cut.
    fn newest(&self) -> Option<(u64, Option<u64>)> {
        let whole = self.parts.iter().filter(|((_, of), there)| of == *there);
        let cut = whole.map(|((version, of), _)| (*version, Some(*of)));
        let single = self.checkpoints.last().map(|(version, _)| (*version, None));
        cut.chain(single).max_by_key(|(version, _)| *version)
    }
}

/// Of which part a name tells behind the version, and of how many: `.checkpoint.0000000001.0000000003.parquet`.
fn part_of(name: &str) -> Option<(u64, u64)> {
    let numbers = name.strip_prefix(".checkpoint.")?.strip_suffix(".parquet")?;
    let (part, of) = numbers.split_once('.')?;
    let number = |text: &str| if text.len() == 10 { text.parse().ok() } else { None };
    let (part, of) = (number(part)?, number(of)?);
    (1..=of).contains(&part).then_some((part, of))
}

impl Log {
    fn path(&self, name: &str) -> Path {
        self.table.path(&format!("{FOLDER}/{name}"))
    }

    pub(super) fn folder(&self) -> Path {
        self.table.path(FOLDER)
    }

    pub(super) fn commit_path(&self, version: u64) -> Path {
        self.path(&format!("{version:020}.json"))
    }

    pub(super) fn checkpoint_path(&self, version: u64) -> Path {
        self.path(&format!("{version:020}.checkpoint.parquet"))
    }

    fn part_path(&self, version: u64, part: u64, of: u64) -> Path {
        self.path(&format!("{version:020}.checkpoint.{part:010}.{of:010}.parquet"))
    }

    pub(super) fn last_checkpoint_path(&self) -> Path {
        self.path("_last_checkpoint")
    }

    pub(super) fn unread(&self, error: &object_store::Error) -> LogError {
        LogError::store("read the table's log", &self.table, error)
    }

    /// Where the log stands, and, to whoever wants them, all its actions since the beginning.
    pub(super) async fn load(
        &self,
        mut each: impl FnMut(u64, Vec<Line>),
    ) -> Result<LogState, LogError> {
        let mut state = LogState::default();
        if let Some((version, lines)) = self.last_checkpoint().await? {
            state.apply(version, &lines);
            state.checkpoint = Some(version);
            each(version, lines);
        }
        self.follow(&mut state, each).await?;
        Ok(state)
    }

    /// Reads the commits that came since.
    pub(super) async fn follow(
        &self,
        state: &mut LogState,
        mut each: impl FnMut(u64, Vec<Line>),
    ) -> Result<(), LogError> {
        for _ in 0..LOOKS_MAX {
            self.read_on(state, &mut each).await?;
            if state.version.is_some() {
                return Ok(());
            }
            match self.list(None).await?.commits.first() {
                None => return Ok(()),
                // Somebody has begun the log behind our question for its first commit.
                Some((0, _)) => {}
                Some(_) => break,
            }
        }
        let reason =
            "has a log that begins in its middle, without a checkpoint; restore it from a copy";
        Err(LogError::refused(&self.table, reason))
    }

    /// Reads commits to the end of the log.
    async fn read_on(
        &self,
        state: &mut LogState,
        each: &mut impl FnMut(u64, Vec<Line>),
    ) -> Result<(), LogError> {
        // Most often there is nothing new, and one question says so.
        let mut at_a_time = 1;
        loop {
            let first = state.next_version();
            let versions = first..first + at_a_time as u64;
            let commits = stream::iter(versions).map(|version| self.commit(version));
            let mut commits = pin!(commits.buffered(at_a_time));
            while let Some(commit) = commits.next().await {
                let Some(lines) = commit? else { return Ok(()) };
                let version = state.next_version();
                state.apply(version, &lines);
                each(version, lines);
            }
            at_a_time = COMMITS_AT_A_TIME;
        }
    }

    /// The newest checkpoint that can be read.
    async fn last_checkpoint(&self) -> Result<Option<(u64, Vec<Line>)>, LogError> {
        let parse = |hint: Bytes| {
            serde_json::from_slice::<LastCheckpoint>(&hint).map_err(|error| {
                let reason =
                    format!("has a `_last_checkpoint` that cannot be read: {error}; delete it");
                LogError::refused(&self.table, reason)
            })
        };
        let Some(hint) = self.checked(&self.last_checkpoint_path(), parse).await? else {
            // Its writer may have died between the two objects. Nothing is lost as long as the log is whole.
            if self.get(&self.commit_path(0)).await?.is_some() {
                return Ok(None);
            }
            return match self.list(None).await?.newest() {
                Some((version, parts)) => self.checkpoint(version, parts).await,
                None => Ok(None),
            };
        };
        self.checkpoint(hint.version, hint.parts).await
    }

    async fn checkpoint(
        &self,
        version: u64,
        parts: Option<u64>,
    ) -> Result<Option<(u64, Vec<Line>)>, LogError> {
        let damaged = |reason: String| {
            let reason = format!("has a checkpoint {version} that cannot be read: {reason}");
            LogError::refused(&self.table, reason)
        };
        let paths = match parts {
            None => vec![self.checkpoint_path(version)],
            Some(of) => (1..=of).map(|part| self.part_path(version, part, of)).collect(),
        };
        let mut lines = Vec::new();
        for path in paths {
            let absent = || {
                let name = path.filename().unwrap_or_default();
                format!(
                    "there is no `{name}`; one of the kind V2 is not read here: have its writer make a classic one"
                )
            };
            let parse = |file: Bytes| checkpoint::read(file).map_err(damaged);
            lines.extend(self.checked(&path, parse).await?.ok_or_else(|| damaged(absent()))?);
        }
        Ok(Some((version, lines)))
    }

    /// The actions of a commit; none if there is no such version yet.
    pub(super) async fn commit(&self, version: u64) -> Result<Option<Vec<Line>>, LogError> {
        let unreadable = |reason| {
            let reason = format!("has a commit {version} that cannot be read: {reason}");
            LogError::refused(&self.table, reason)
        };
        let parse = |text: Bytes| actions::parse(&text).map_err(unreadable);
        self.checked(&self.commit_path(version), parse).await
    }

    /// Creates a commit, unless its version is taken. False: another commit has it.
    ///
    /// Of a log that was deleted every version is free, and what is written behind the gap no reader finds: so it is looked for
    /// the version before, or a checkpoint of it, where others have cleaned up.
    pub(super) async fn put(&self, commit: &Commit) -> Result<bool, LogError> {
        if let Some(before) = commit.version.checked_sub(1)
            && !self.has(&self.commit_path(before)).await?
            && !self.has(&self.checkpoint_path(before)).await?
        {
            return Err(LogError::refused(
                &self.table,
                format!(
                    "has lost its log: version {before} is gone. Put `_delta_log` back from a copy, or from a version of the bucket"
                ),
            ));
        }
        let path = self.commit_path(commit.version);
        let object = Immutable::new(Bytes::from(commit.text.clone()));
        let put = async { Ok(put_once(&self.table, &path, &object).await) };
        // A put that lands later is found by whoever reads on, as any commit.
        let created = in_time_for(object.len(), put).await.unwrap_or_else(Created::Unknown);
        match created {
            Created::Ours => Ok(true),
            Created::Taken => Ok(false),
            Created::Unknown(error) => {
                Err(LogError::store("write the table's log", &self.table, &error))
            }
        }
    }

    /// The objects of the log from a version on, or all.
    pub(super) async fn list(&self, from: Option<u64>) -> Result<Listing, LogError> {
        let folder = self.folder();
        let first = self.path(&format!("{:020}", from.unwrap_or(0)));
        let objects = self.table.store.list_with_offset(Some(&folder), &first);
        let objects: Vec<ObjectMeta> =
            each_in_time(objects).await.map_err(|error| self.unread(&error))?;
        let mut listing = Listing::default();
        for object in objects {
            let Some(name) = object.location.filename().map(str::to_owned) else { continue };
            let (Some(digits), Some(rest)) = (name.get(..20), name.get(20..)) else { continue };
            let Ok(version) = digits.parse() else { continue };
            match rest {
                ".json" => listing.commits.push((version, object)),
                ".checkpoint.parquet" => listing.checkpoints.push((version, object)),
                part => {
                    if let Some((_, of)) = part_of(part) {
                        *listing.parts.entry((version, of)).or_default() += 1;
                    }
                }
            }
        }
        listing.commits.sort_by_key(|(version, _)| *version);
        listing.checkpoints.sort_by_key(|(version, _)| *version);
        Ok(listing)
    }

    async fn has(&self, path: &Path) -> Result<bool, LogError> {
        match in_time(self.table.store.head(path)).await {
            Ok(_) => Ok(true),
            Err(error) if failure::is_absent(&error) => Ok(false),
            Err(error) => Err(self.unread(&error)),
        }
    }

    async fn get(&self, path: &Path) -> Result<Option<Bytes>, LogError> {
        self.checked(path, Ok).await
    }

    /// What `check` makes of an object; none if there is none.
    async fn checked<T>(
        &self,
        path: &Path,
        check: impl Fn(Bytes) -> Result<T, LogError>,
    ) -> Result<Option<T>, LogError> {
        match read::checked(&self.table, path, check).await {
            Ok(taken) => taken.map(Some),
            Err(error) if failure::is_absent(&error) => Ok(None),
            Err(error) => Err(self.unread(&error)),
        }
    }
}
