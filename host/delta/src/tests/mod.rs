//! The table log over a real chain and a store that fails, beside writers that come between.

mod faulty;
mod lane;
mod whole;
mod refused;
mod taken;
mod copies;
mod columns;
mod gone;
mod compared;
mod silent;
mod compacted;
mod cleared;
mod search;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStoreExt;

use super::actions::{Line, Txn, write};
use super::contents::contents;
use super::log::Log;
use super::*;
use lane::Lane;
use sluicegate_model::time::Clock;
use sluicegate_runtime::Names;

/// A writer of the lane's table, as an opening makes it.
fn open(lane: &Lane, columns: &[&str]) -> Result<TableLog, LogError> {
    let shape = Arc::new(lane::shape(columns));
    let opened =
        TableLog::open(&lane.storage, "numbers", shape, Clock::manual(5_000_000), Names::random());
    let head = lane.head.as_ref().unwrap();
    lane.runtime.block_on(async { opened.await?.find_missing(&lane.storage, head).await })
}

/// Publishes up to the newest epoch.
fn catch_up(lane: &Lane, log: &mut TableLog) -> Result<(), LogError> {
    let head = lane.head.as_ref().unwrap();
    lane.runtime.block_on(async {
        log.create().await?;
        while log.publish(&lane.storage, head).await?.through != Some(head.epoch) {}
        Ok(())
    })
}

/// All commits of the log, as far as they are there.
fn commits(lane: &Lane) -> Vec<Vec<Line>> {
    let log = Log { table: lane.table().clone() };
    lane.runtime.block_on(async {
        let mut commits = Vec::new();
        while let Some(lines) = log.commit(commits.len() as u64).await.unwrap() {
            commits.push(lines);
        }
        commits
    })
}

/// Another writer's commit, at the end of the log. False: there is no log yet.
fn put_foreign(lane: &Lane, lines: Vec<Line>) -> bool {
    let log = Log { table: lane.table().clone() };
    let version = commits(lane).len() as u64;
    if version == 0 {
        return false;
    }
    let put = async {
        let text = Bytes::from(write(&lines));
        let store = lane.store.untroubled();
        store.put(&log.commit_path(version), text.into()).await.unwrap();
    };
    lane.runtime.block_on(put);
    true
}

fn foreign_txn(version: i64) -> Line {
    let txn = Txn { app_id: "somebody".to_owned(), version, last_updated: None };
    Line { txn: Some(txn), ..Line::default() }
}

/// The paths of files by the epoch that added them, as the chain has them.
fn of_chain(lane: &Lane) -> BTreeMap<String, u64> {
    let records = lane.records.iter();
    let paths = records
        .flat_map(|record| record.files.iter().map(|file| (file.path.clone(), record.epoch.0)));
    paths.collect()
}
