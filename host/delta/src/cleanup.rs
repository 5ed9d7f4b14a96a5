//! Checkpoints of a log, and which of its objects nobody needs any more.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::checkpoint;
use super::claim::writer;
use super::contents::of_log;
use super::decide::check_protocol;
use super::log::{LastCheckpoint, Log};
use super::paths;
use super::problem::LogError;
use super::state::LogState;
use sluicegate_store::Location;
use sluicegate_store::once::{each_in_time, in_time, in_time_for};

/// Where a table does not say how often it wants a checkpoint.
const INTERVAL_DEFAULT: u64 = 10;

/// Where a table does not say how long it can be looked at as it was, or in words that are not understood.
const RETENTION_DEFAULT: Duration = Duration::from_secs(30 * 24 * 3_600);

/// How long files that were taken out of the table are named, and kept: a VACUUM goes by it.
pub(super) const TOMBSTONES_KEY: &str = "delta.deletedFileRetentionDuration";

/// Where a table does not say so.
const TOMBSTONES_DEFAULT: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How long files that were taken out of the table are named, and kept.
pub(super) fn tombstones(state: &LogState) -> Duration {
    let setting = setting(state, TOMBSTONES_KEY).and_then(|text| interval(text));
    setting.unwrap_or(TOMBSTONES_DEFAULT)
}

/// Whether so many commits came since the last checkpoint that another one is due.
pub(super) fn is_due(state: &LogState) -> bool {
    let setting = setting(state, "delta.checkpointInterval").and_then(|text| text.parse().ok());
    let interval = setting.filter(|interval| *interval > 0).unwrap_or(INTERVAL_DEFAULT);
    let since = state.next_version() - state.checkpoint.map_or(0, |version| version + 1);
    since >= interval
}

fn setting<'s>(state: &'s LogState, name: &str) -> Option<&'s String> {
    state.metadata.as_ref()?.configuration.get(name)
}

/// Writes a checkpoint of where the log stands. Its version.
pub(super) async fn write(log: &Log, now: i64) -> Result<Option<u64>, LogError> {
    let contents = of_log(log).await?;
    let Some(version) = contents.state.version else { return Ok(None) };
    // Another writer may have brought in since what a checkpoint of ours would leave out.
    if let Some(protocol) = &contents.state.protocol {
        check_protocol(protocol).map_err(|reason| LogError::refused(&log.table, reason))?;
    }
    let since = now - millis(tombstones(&contents.state));
    let lines = contents.into_lines(since);
    let size = lines.len() as u64;
    let file = checkpoint::write(&lines)
        .map_err(|reason| LogError::refused(&log.table, format!("got no checkpoint: {reason}")))?;
    let failed = |error: object_store::Error| {
        LogError::store("write a checkpoint of the table's log", &log.table, &error)
    };
    // Whoever else writes the checkpoint of this version writes the same actions.
    let bytes = file.len() as u64;
    let path = log.checkpoint_path(version);
    in_time_for(bytes, log.table.store.put(&path, file.into())).await.map_err(failed)?;
    let hint =
        serde_json::to_vec(&LastCheckpoint { version, size, parts: None }).expect("two numbers");
    let path = log.last_checkpoint_path();
    in_time(log.table.store.put(&path, hint.into())).await.map_err(failed)?;
    Ok(Some(version))
}

/// Deletes commits and checkpoints that are older than the table wants to be looked at. How many.
pub(super) async fn clean(log: &Log, state: &LogState, now: i64) -> Result<usize, LogError> {
    if setting(state, "delta.enableExpiredLogCleanup").is_some_and(|value| value == "false") {
        return Ok(0);
    }
    let retention = setting(state, "delta.logRetentionDuration").and_then(|text| interval(text));
    let before = now - millis(retention.unwrap_or(RETENTION_DEFAULT));
    let listing = log.list(None).await?;
    let doomed = doomed(&listing.commits, &listing.checkpoints, before);
    let count = doomed.len();
    let failed =
        |error| LogError::store("remove old commits of the table's log", &log.table, &error);
    delete(&log.table, doomed).await.map_err(failed)?;
    Ok(count)
}

/// Objects that one request deletes, where a store can.
const DELETED_AT_ONCE: usize = 1_000;

/// Deletes these, in their order.
pub(super) async fn delete(table: &Location, paths: Vec<Path>) -> object_store::Result<()> {
    for paths in paths.chunks(DELETED_AT_ONCE) {
        let paths = stream::iter(paths.iter().cloned().map(Ok).collect::<Vec<_>>()).boxed();
        in_time(table.store.delete_stream(paths).try_for_each(|_| async { Ok(()) })).await?;
    }
    Ok(())
}

/// Everything before the newest checkpoint all of whose commits are old enough, and never the commit of the checkpoint's
/// own version (T5).
fn doomed(
    commits: &[(u64, ObjectMeta)],
    checkpoints: &[(u64, ObjectMeta)],
    before: i64,
) -> Vec<Path> {
    let is_old = |object: &ObjectMeta| object.last_modified.timestamp_millis() < before;
    let young = commits.iter().find(|(_, object)| !is_old(object)).map(|(version, _)| *version);
    let has_commit = |version: u64| commits.iter().any(|(other, _)| *other == version);
    let is_floor = |version: u64| young.is_none_or(|young| version < young) && has_commit(version);
    let floor =
        checkpoints.iter().rev().find(|(version, object)| is_old(object) && is_floor(*version));
    let Some((floor, _)) = floor else { return Vec::new() };
    let all = commits.iter().chain(checkpoints);
    let below = all.filter(|(version, _)| version < floor);
    below.map(|(_, object)| object.location.clone()).collect()
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// `interval 7 days`, as tables write it.
fn interval(text: &str) -> Option<Duration> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (count, unit) = match words.as_slice() {
        ["interval", count, unit] | [count, unit] => (count, unit),
        _ => return None,
    };
    let seconds = match unit.trim_end_matches('s') {
        "second" => 1,
        "minute" => 60,
        "hour" => 3_600,
        "day" => 24 * 3_600,
        "week" => 7 * 24 * 3_600,
        _ => return None,
    };
    Some(Duration::from_secs(count.parse::<u64>().ok()?.checked_mul(seconds)?))
}

/// Deletes the log of a table, and the files that compaction made: the table is no Delta table any more. Files of chains stay. So does a
/// table that a chain has which is none of `these`: it may have begun while the one who asks slept. That is looked at just before, because a
/// store cannot be told to delete certain bytes.
///
/// # Errors
///
/// [`LogError::Store`]; [`LogError::Refused`] if the log cannot be read.
pub async fn forget(table: &Location, these: impl Fn(&str) -> bool) -> Result<(), LogError> {
    let log = Log { table: table.clone() };
    // Their names are used once: those that are listed here are of the log that is there, or of one before.
    let compacted = compacted(table).await?;
    let state = log.load(|_, _| {}).await?;
    if writer(&state).is_some_and(|chain| !these(chain)) {
        return Ok(());
    }
    let failed = |error| LogError::store("delete the table's log", table, &error);
    // Without its first commits and with a checkpoint a log is still one: the newest go first.
    let objects: Vec<ObjectMeta> =
        each_in_time(table.store.list(Some(&log.folder()))).await.map_err(failed)?;
    let mut paths: Vec<Path> = objects.into_iter().map(|object| object.location).collect();
    paths.sort();
    paths.reverse();
    delete(table, paths).await.map_err(failed)?;
    let failed = |error| LogError::store("delete the table's files", table, &error);
    delete(table, compacted).await.map_err(failed)
}

/// Files of the table that hold the rows of others, in whatever folder.
pub(super) async fn compacted(table: &Location) -> Result<Vec<Path>, LogError> {
    let objects = table.store.list(Some(&table.prefix)).try_filter_map(|object| async move {
        Ok(paths::is_compacted(object.location.as_ref()).then_some(object.location))
    });
    let listed = objects.try_collect().await;
    listed.map_err(|error| LogError::store("list the table", table, &error))
}
