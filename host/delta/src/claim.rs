//! Which chain writes to a table: its log names one, and only that one adds to it (T7).
//!
//! Two chains over one table would each read all of the input into it. Neither chain knows of the other, and both know
//! the same table. So the log decides: a chain takes the table by a commit, before it has read a record, and a version
//! of a log is created once. A chain takes a table that names nobody, and one that names a chain which was forgotten for it.

use serde_json::json;

use super::actions::{Line, Metadata};
use super::copied::{self, words};
use super::decide::{Commit, ENGINE, OWNER_KEY, Owner, check_columns, commit};
use super::log::Log;
use super::problem::LogError;
use super::state::LogState;
use sluicegate_chain::shape::TableShape;
use sluicegate_chain::{LaneStorage, inspect};
use sluicegate_model::time::Clock;
use sluicegate_store::StoreOptions;

/// Names the chain that writes to a table, by its id.
pub const CHAIN_KEY: &str = "sluicegate.chain";

/// Says where that chain was when it took the table, for people.
pub const PLACE_KEY: &str = "sluicegate.checkpoint";

/// The chain that a log names; none if any may take the table, as those that earlier versions made.
pub fn writer(state: &LogState) -> Option<&str> {
    setting(state, CHAIN_KEY)
}

fn setting<'s>(state: &'s LogState, name: &str) -> Option<&'s str> {
    state.metadata.as_ref()?.configuration.get(name).map(String::as_str)
}

/// Whether a pipeline may write to a table.
///
/// # Errors
///
/// Why not, with the fix.
pub(super) fn check_table(metadata: &Metadata, owner: &Owner) -> Result<(), String> {
    let named = metadata.configuration.get(OWNER_KEY);
    let adopt = match named {
        Some(_) => String::new(),
        None => format!(", or set its property `{OWNER_KEY}` to `{}`", owner.table()),
    };
    check_owner(named.map(String::as_str), owner, &format!("choose another path{adopt}"))
}

/// Whether a table is one of this pipeline, by whom its log `named`. If not, `fix` ends the sentence that says so.
fn check_owner(named: Option<&str>, owner: &Owner, fix: &str) -> Result<(), String> {
    let ours = owner.table();
    match named {
        Some(found) if *found == ours => Ok(()),
        Some(found) => Err(format!("belongs to `{found}`, not to `{ours}`: {fix}")),
        None => Err(format!("was not made by this pipeline: {fix}")),
    }
}

/// Whether a chain may add to the log, or take the table to do so. `own` are the chains that its lane has or had.
///
/// # Errors
///
/// Why not, with the fix.
pub(super) fn check(state: &LogState, owner: &Owner, own: &[String]) -> Result<(), String> {
    match writer(state) {
        Some(other) if *other != owner.chain && !own.iter().any(|chain| chain == other) => {
            Err(another_writes(other, setting(state, PLACE_KEY), owner))
        }
        _ => Ok(()),
    }
}

/// Why a chain may not add to the table of another one, with the fix. One that was in this very place is gone, or came after the one
/// that asks: no other `checkpoint.path` leads to it.
fn another_writes(other: &str, place: Option<&str>, owner: &Owner) -> String {
    let ours = owner.table();
    match place {
        Some(place) if place == owner.place => format!(
            "is written by the chain {other} of `{ours}`, which was in {place} too when it took the table: if that chain is \
             there, another host goes on with it, restart this one; if it is gone, put it back from a copy, or choose another \
             `path`, or run `sluicegate reset FILE`, and the next start takes the table"
        ),
        place => format!(
            "is written by another chain of `{ours}`, {other}, which was in {} when it took the table: correct \
             `checkpoint.path`, or choose another `path`; if that chain is not to go on, `sluicegate reset` with this \
             pipeline file lets the next start take the table",
            place.unwrap_or("an unknown place")
        ),
    }
}

/// Whether a chain has the table where it lies ([`copied`](super::copied)).
///
/// # Errors
///
/// Where the other one is, with the fix.
pub(super) fn check_place(state: &LogState, owner: &Owner) -> Result<(), String> {
    let place = setting(state, PLACE_KEY).filter(|_| writer(state) == Some(&*owner.chain));
    match place {
        Some(place) if place != owner.place => Err(words(&owner.chain, place, &owner.place)),
        _ => Ok(()),
    }
}

/// The commit by which a chain takes a table that there is; none if it has it, where it lies.
///
/// # Errors
///
/// As [`check`].
pub(super) fn take(
    state: &LogState,
    owner: &Owner,
    own: &[String],
    now: i64,
) -> Result<Option<Commit>, String> {
    check(state, owner, own)?;
    let has_it = writer(state) == Some(&*owner.chain);
    if has_it && check_place(state, owner).is_ok() {
        return Ok(None);
    }
    if let (true, Some(place)) = (has_it, setting(state, PLACE_KEY)) {
        let (table, here) = (&owner.table, &owner.place);
        tracing::warn!(%table, place, here, "the chain that writes this table has another place now");
    }
    Ok(changed(state, "SET TBLPROPERTIES", now, |metadata| enter(metadata, owner)))
}

/// Names a chain in the properties of a table.
pub(super) fn enter(metadata: &mut Metadata, owner: &Owner) {
    let Owner { chain, place, .. } = owner;
    metadata.configuration.insert(CHAIN_KEY.to_owned(), chain.clone());
    metadata.configuration.insert(PLACE_KEY.to_owned(), place.clone());
}

/// The commit after which a table of this pipeline names no chain; none if it names none, or is not its.
pub(super) fn give_up(state: &LogState, owner: &Owner, now: i64) -> Option<Commit> {
    writer(state).filter(|_| owner.has(state))?;
    changed(state, "UNSET TBLPROPERTIES", now, |metadata| {
        [CHAIN_KEY, PLACE_KEY].iter().for_each(|key| drop(metadata.configuration.remove(*key)));
    })
}

fn changed(
    state: &LogState,
    operation: &str,
    now: i64,
    change: impl FnOnce(&mut Metadata),
) -> Option<Commit> {
    let mut metadata = state.metadata.clone()?;
    change(&mut metadata);
    let info = json!({
        "timestamp": now, "operation": operation, "operationParameters": {},
        "isBlindAppend": true, "engineInfo": ENGINE,
    });
    let info = Line { commit_info: Some(info), ..Line::default() };
    let metadata = Line { meta_data: Some(metadata), ..Line::default() };
    Some(commit(state.next_version(), vec![info, metadata]))
}

/// Who writes to a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriterOfTable {
    /// Its chain.
    pub chain: String,
    /// Where that was when it took the table, as a URL.
    pub place: String,
}

/// Who writes to one of a lane's tables, by its id; none if it names nobody, or another pipeline.
///
/// # Errors
///
/// [`LogError::Store`]; [`LogError::Refused`] if the log cannot be read.
pub async fn find(storage: &LaneStorage, table: &str) -> Result<Option<WriterOfTable>, LogError> {
    let log = Log { table: storage.tables[table].clone() };
    let state = log.load(|_, _| {}).await?;
    Ok(writer_of(&state, &Owner::new(storage, table, "")))
}

pub(super) fn writer_of(state: &LogState, owner: &Owner) -> Option<WriterOfTable> {
    let chain = writer(state).filter(|_| owner.has(state))?.to_owned();
    let place = setting(state, PLACE_KEY).unwrap_or_default().to_owned();
    Some(WriterOfTable { chain, place })
}

/// Whether the lane may write to one of its tables, by its id, as far as the table says whose it is, and its chain is no copy of the one
/// that has it. If its columns are known, also whether it can take them. Writes nothing.
///
/// # Errors
///
/// As [`find`]; refused too if it may not. [`LogError::Chain`] if nobody can tell.
pub async fn check_lane(
    storage: &LaneStorage,
    table: &str,
    columns: Option<&TableShape>,
    stores: &StoreOptions,
) -> Result<(), LogError> {
    let (log, owner) =
        (Log { table: storage.tables[table].clone() }, Owner::new(storage, table, ""));
    let state = log.load(|_, _| {}).await?;
    let Some(metadata) = &state.metadata else { return Ok(()) };
    let refused = |reason| LogError::refused(&log.table, reason);
    check_table(metadata, &owner).map_err(refused)?;
    if check(&state, &owner, &[]).is_err() {
        check(&state, &owner, &inspect::own_chains(storage).await?).map_err(refused)?;
    }
    if let Some(columns) = columns {
        check_columns(&state, &owner, columns).map_err(refused)?;
    }
    copied::refuse(&state, &owner, &log.table, (storage, stores)).await
}

/// As [`find`], of a table that is to be deleted, and so must be this pipeline's. One that is not there is. One whose log cannot be read
/// is not: a table that another program made may be whole and need more than this one knows. `own` are the chains that the lane has or
/// had.
///
/// # Errors
///
/// As [`find`]; refused too if it is another pipeline's, was not made by one, nobody can tell, or a chain elsewhere writes to it.
pub async fn find_to_delete(
    storage: &LaneStorage,
    table: &str,
    own: &[String],
) -> Result<Option<WriterOfTable>, LogError> {
    let log = Log { table: storage.tables[table].clone() };
    let refused = |reason| LogError::refused(&log.table, reason);
    let state = match log.load(|_, _| {}).await {
        Ok(state) => state,
        Err(LogError::Refused { reason, .. }) => {
            return Err(refused(format!(
                "{reason}. Whose it is cannot be told, so it is not deleted: correct `path`; or delete it by hand, if it is this \
                 pipeline's, and reset again"
            )));
        }
        Err(error) => return Err(error),
    };
    let owner = Owner::new(storage, table, "");
    if state.version.is_some() {
        let fix = "correct `path`, or leave out --all-data, which would delete it";
        check_owner(setting(&state, OWNER_KEY), &owner, fix).map_err(refused)?;
    }
    let found = writer_of(&state, &owner);
    if let Some(WriterOfTable { chain, place }) = &found
        && !own.contains(chain)
    {
        return Err(refused(format!(
            "is written by the chain {chain}, which was in {place} when it took the table and is none of this pipeline's in \
             {}: correct `checkpoint.path`; if that chain is not to go on, `sluicegate reset` without --all-data releases the \
             table first",
            storage.chain.url
        )));
    }
    Ok(found)
}

/// Lets the next chain of this pipeline that wants it take one of the lane's tables, by its id, as long as the chain that has it is one
/// of `these`: another may have taken it while the one who asks slept.
///
/// # Errors
///
/// As [`find`].
pub async fn release(
    storage: &LaneStorage,
    table: &str,
    these: impl Fn(&str) -> bool,
    clock: &Clock,
) -> Result<(), LogError> {
    let (log, owner) =
        (Log { table: storage.tables[table].clone() }, Owner::new(storage, table, ""));
    let mut state = log.load(|_, _| {}).await?;
    while let Some(commit) = give_up(&state, &owner, clock.wall_micros() / 1_000) {
        if !writer(&state).is_some_and(&these) {
            break;
        }
        if log.put(&commit).await? {
            break;
        }
        log.follow(&mut state, |_, _| {}).await?;
    }
    Ok(())
}
