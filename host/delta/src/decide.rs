//! What the next commit of a log is: decided from the log as it was read and from the chain, without a store.
//!
//! Whoever finds that its commit came too late reads what came before it, and asks again (T2).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::actions::{Add, Format, Line, Metadata, Protocol, Remove, Txn, write};
use super::claim;
use super::paths;
use super::schema::{self, Field};
use super::state::LogState;
use super::statistics::statistics;
use sluicegate_chain::LaneStorage;
use sluicegate_chain::record::{ChainRecord, Epoch};
use sluicegate_chain::shape::TableShape;

/// A log without files of ours says at least every so many epochs how far it has come: as many records are read again
/// at an opening.
pub const SILENT_EPOCHS_MAX: u64 = 256;

/// Names the pipeline and the table that a log belongs to (T3).
pub const OWNER_KEY: &str = "sluicegate.table";

/// With it other writers leave out of a checkpoint how far a writer has come, if it has not written for so long.
const FORGETS_WRITERS: &str = "delta.setTransactionRetentionDuration";

/// What a writer may meet and still write whole commits that only add files.
const WRITER_FEATURES: [&str; 2] = ["appendOnly", "invariants"];

/// Settings of a new table: a checkpoint is a file of all actions, so it comes less often than others make it, because a
/// stream commits so often; for as long one can look at the table as it was.
const SETTINGS: [(&str, &str); 2] =
    [("delta.checkpointInterval", "100"), ("delta.logRetentionDuration", "interval 7 days")];

/// Who writes a table, and from which chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The pipeline's name.
    pub job: String,
    /// The lane's within it.
    pub lane: String,
    /// The table's id.
    pub table: String,
    /// The chain's id: after a reset epochs begin from 0 again, as another writer. Empty before it is known.
    pub chain: String,
    /// Where the chain lies, for people.
    pub place: String,
}

impl Owner {
    /// Of one of a lane's tables, by its id.
    pub fn new(storage: &LaneStorage, table: &str, chain: &str) -> Self {
        let LaneStorage { job, lane, chain: root, .. } = storage;
        let (job, lane, place) = (job.clone(), lane.clone(), root.url.clone());
        Self { job, lane, table: table.to_owned(), chain: chain.to_owned(), place }
    }

    /// Names the writer in the log.
    pub fn app_id(&self) -> String {
        format!("{}{}", self.of_any_chain(), self.chain)
    }

    fn of_any_chain(&self) -> String {
        let Self { job, lane, table, .. } = self;
        format!("sluicegate/{job}/{lane}/{table}/")
    }

    /// The other chains that have written the same table, and how far each came.
    pub(super) fn others(&self, state: &LogState) -> Vec<(String, i64)> {
        let (names, ours) = (self.of_any_chain(), &self.chain);
        let of_others = state.txns.iter().filter_map(|(app_id, epoch)| {
            let chain = app_id.strip_prefix(&names).filter(|chain| chain != ours)?;
            Some((chain.to_owned(), *epoch))
        });
        of_others.collect()
    }

    /// Pipeline and table, as the table's own property names them.
    pub(super) fn table(&self) -> String {
        format!("{}/{}", self.job, self.table)
    }

    /// Whether a table is this pipeline's.
    pub(super) fn has(&self, state: &LogState) -> bool {
        let found = state.metadata.as_ref().and_then(|it| it.configuration.get(OWNER_KEY));
        found.is_some_and(|found| *found == self.table())
    }
}

/// A commit that is to follow the state that it was decided on.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Its number.
    pub version: u64,
    /// Its actions.
    pub lines: Vec<Line>,
    /// The bytes of its object.
    pub text: Vec<u8>,
}

/// How far the log has come in the chain of its writer; none if it has nothing of it.
pub fn published(state: &LogState, owner: &Owner) -> Option<Epoch> {
    let version = *state.txns.get(&owner.app_id())?;
    u64::try_from(version).ok().map(Epoch)
}

/// The same for a chain whose newest record is this one.
///
/// # Errors
///
/// The log has more of it: its newest records are gone, or somebody put back an older copy.
pub fn within(state: &LogState, owner: &Owner, newest: Epoch) -> Result<Option<Epoch>, String> {
    match published(state, owner) {
        Some(done) if done > newest => Err(format!(
            "has epoch {done} of this chain, whose newest is {newest}: newer records of the chain are gone, or it was put \
             back to an older copy; put back the newest, or begin again with `sluicegate reset`"
        )),
        done => Ok(done),
    }
}

/// Whether the table that is there is ours to write, and can take these columns.
///
/// # Errors
///
/// Why not, with the fix.
pub(super) fn check_columns(
    state: &LogState,
    owner: &Owner,
    shape: &TableShape,
) -> Result<(), String> {
    fields_for(state.protocol.as_ref(), state.metadata.as_ref(), owner, shape).map(drop)
}

/// The commit that makes the table; none if there is one.
///
/// # Errors
///
/// Why the table that is there is not ours to write, or cannot take these columns, with the fix.
pub fn create(
    state: &LogState,
    owner: &Owner,
    shape: &TableShape,
    table_id: impl FnOnce() -> String,
    now: i64,
) -> Result<Option<Commit>, String> {
    if state.version.is_some() {
        return check_columns(state, owner, shape).map(|()| None);
    }
    let settings = SETTINGS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let own = [(OWNER_KEY.to_owned(), owner.table())];
    let mut metadata = Metadata {
        id: table_id(),
        name: None,
        description: None,
        format: Format { provider: "parquet".to_owned(), options: BTreeMap::new() },
        schema_string: schema::write(shape.columns.iter().map(Field::from).collect()),
        partition_columns: shape.partition_by.clone(),
        configuration: settings.chain(own).collect(),
        created_time: Some(now),
    };
    claim::enter(&mut metadata, owner);
    let protocol = Protocol {
        min_reader_version: 1,
        min_writer_version: 2,
        reader_features: None,
        writer_features: None,
    };
    let info = json!({
        "timestamp": now, "operation": "CREATE TABLE", "operationParameters": {},
        "isBlindAppend": true, "engineInfo": ENGINE,
    });
    Ok(Some(commit(
        0,
        vec![
            Line { commit_info: Some(info), ..Line::default() },
            Line { protocol: Some(protocol), ..Line::default() },
            Line { meta_data: Some(metadata), ..Line::default() },
        ],
    )))
}

/// What made a commit, for people.
pub(super) const ENGINE: &str = concat!("sluicegate/", env!("CARGO_PKG_VERSION"));

/// Actions as the commit of a version.
pub(super) fn commit(version: u64, lines: Vec<Line>) -> Commit {
    Commit { version, text: write(&lines), lines }
}

/// The commit with the files of these records that the log lacks; none if there is nothing to say.
///
/// `records` follow each other, oldest first. `shape` is what the pipeline writes now: for records that do not tell.
///
/// # Errors
///
/// As [`create`].
pub fn append(
    state: &LogState,
    owner: &Owner,
    shape: &TableShape,
    records: &[&ChainRecord],
    now: i64,
) -> Result<Option<Commit>, String> {
    claim::check(state, owner, &[])?;
    claim::check_place(state, owner)?;
    let done = published(state, owner);
    let missing = records.iter().filter(|record| Some(record.epoch) > done);
    // Nobody holds results back yet; whoever does may not be overtaken.
    let missing: Vec<&ChainRecord> = missing.take_while(|record| !record.held).copied().collect();
    let Some(last) = missing.last().map(|record| record.epoch) else { return Ok(None) };
    let mut lines = Vec::new();
    let mut metadata = state.metadata.clone();
    if let (None, Some(metadata)) = (claim::writer(state), &mut metadata) {
        claim::enter(metadata, owner);
    }
    for record in &missing {
        let shape = record.tables.get(&owner.table).unwrap_or(shape);
        let mut files = record.files.iter().filter(|file| file.table == owner.table).peekable();
        if files.peek().is_some()
            && let Some(grown) =
                fields_for(state.protocol.as_ref(), metadata.as_ref(), owner, shape)?
            && let Some(metadata) = &mut metadata
        {
            metadata.schema_string = schema::write(grown);
        }
        let kind = |name: &str| shape.columns.iter().find(|it| it.name == name)?.kind.as_str();
        for file in files {
            let values = file.partition_values.iter();
            let add = Add {
                path: paths::logged(&file.path),
                partition_values: values
                    .map(|(column, value)| (column.clone(), Some(value.clone())))
                    .chain(file.null_partitions.iter().map(|column| (column.clone(), None)))
                    .collect(),
                size: i64::try_from(file.bytes).unwrap_or(i64::MAX),
                modification_time: now,
                data_change: true,
                stats: Some(statistics(file.rows, &file.statistics, kind)),
                tags: None,
            };
            lines.push(Line { add: Some(add), ..Line::default() });
        }
    }
    let silent = last.0 - done.map_or(0, |done| done.0);
    if lines.is_empty() && silent < SILENT_EPOCHS_MAX {
        return Ok(None);
    }
    let version = i64::try_from(last.0).map_err(|_| format!("cannot hold epoch {last}"))?;
    let txn = Txn { app_id: owner.app_id(), version, last_updated: Some(now) };
    let info = json!({
        "timestamp": now, "operation": "STREAMING UPDATE",
        "operationParameters": {
            "outputMode": "Append", "queryId": owner.app_id(), "epochId": last.0.to_string(),
        },
        "isBlindAppend": true, "engineInfo": ENGINE,
    });
    let mut head = vec![
        Line { commit_info: Some(info), ..Line::default() },
        Line { txn: Some(txn), ..Line::default() },
    ];
    if metadata != state.metadata {
        head.push(Line { meta_data: metadata, ..Line::default() });
    }
    head.append(&mut lines);
    Ok(Some(commit(state.next_version(), head)))
}

/// A table whose files may be written again.
pub(super) struct Rewritable {
    /// The columns of its files.
    pub(super) columns: Vec<Field>,
    /// Those that stand in their paths.
    pub(super) partition_by: Vec<String>,
}

/// What is to be known of a table that this program made to write its files again.
///
/// # Errors
///
/// Why they cannot be, with the fix.
pub(super) fn rewritable(state: &LogState) -> Result<Rewritable, String> {
    let (Some(protocol), Some(metadata)) = (&state.protocol, &state.metadata) else {
        return Err("has no log: there is nothing to compact".to_owned());
    };
    check_protocol(protocol)?;
    if !metadata.configuration.contains_key(OWNER_KEY) {
        return Err("was not made by Sluicegate: compact it with what made it".to_owned());
    }
    let unreadable = |reason| format!("has columns that cannot be read: {reason}");
    let mut columns = schema::parse(&metadata.schema_string).map_err(unreadable)?;
    columns.retain(|field| !metadata.partition_columns.contains(&field.name));
    Ok(Rewritable { columns, partition_by: metadata.partition_columns.clone() })
}

/// The commit that puts a file in the place of others with the same rows.
///
/// # Errors
///
/// As [`rewritable`].
pub(super) fn replace(
    state: &LogState,
    files: &[Add],
    by: &Add,
    now: i64,
) -> Result<Commit, String> {
    rewritable(state)?;
    let bytes: i64 = files.iter().map(|file| file.size).sum();
    let info = json!({
        "timestamp": now, "operation": "OPTIMIZE", "operationParameters": { "predicate": "[]" },
        "operationMetrics": {
            "numRemovedFiles": files.len().to_string(), "numRemovedBytes": bytes.to_string(),
            "numAddedFiles": "1", "numAddedBytes": by.size.to_string(),
        },
        "isBlindAppend": false, "engineInfo": ENGINE,
    });
    let removes = files.iter().map(|file| Remove {
        path: file.path.clone(),
        deletion_timestamp: Some(now),
        data_change: false,
        extended_file_metadata: Some(true),
        partition_values: Some(file.partition_values.clone()),
        size: Some(file.size),
    });
    let mut lines = vec![Line { commit_info: Some(info), ..Line::default() }];
    lines.extend(removes.map(|remove| Line { remove: Some(remove), ..Line::default() }));
    lines.push(Line { add: Some(by.clone()), ..Line::default() });
    Ok(commit(state.next_version(), lines))
}

/// The columns that a table of this protocol and metadata has to get for files of a shape; none if it has them.
fn fields_for(
    protocol: Option<&Protocol>,
    metadata: Option<&Metadata>,
    owner: &Owner,
    shape: &TableShape,
) -> Result<Option<Vec<Field>>, String> {
    let (Some(protocol), Some(metadata)) = (protocol, metadata) else {
        return Err("has a log without protocol or columns; restore it from a copy".to_owned());
    };
    check_protocol(protocol)?;
    claim::check_table(metadata, owner)?;
    if let Some(after) = metadata.configuration.get(FORGETS_WRITERS) {
        return Err(format!(
            "lets its log forget after {after} how far a writer has come, and then all files would be added again: \
             take the property `{FORGETS_WRITERS}` off it"
        ));
    }
    // Their order is that of folders, and a table may have files of several.
    let sorted = |columns: &[String]| columns.iter().cloned().collect::<BTreeSet<_>>();
    if sorted(&metadata.partition_columns) != sorted(&shape.partition_by) {
        return Err(format!(
            "is partitioned by {:?}, and the pipeline by {:?}: correct `partition_by`, or choose another path",
            metadata.partition_columns, shape.partition_by
        ));
    }
    let unreadable = |reason| format!("has columns that cannot be read: {reason}");
    let fields = schema::parse(&metadata.schema_string).map_err(unreadable)?;
    if let Some(field) = fields.iter().find(|field| field.metadata.contains_key("delta.invariants"))
    {
        let name = &field.name;
        return Err(format!("checks the values of `{name}`, which is not done here: {ELSEWHERE}"));
    }
    schema::grown(&fields, shape).map_err(|reason| {
        format!("has other columns: {reason}; change the pipeline back, or {ELSEWHERE}")
    })
}

const ELSEWHERE: &str = "write to another path";

/// That only what we know is needed to write (T4).
pub(super) fn check_protocol(protocol: &Protocol) -> Result<(), String> {
    let Protocol { min_reader_version: reader, min_writer_version: writer, .. } = protocol;
    let features = |of: &Option<Vec<String>>| of.clone().unwrap_or_default();
    let mut features: Vec<String> =
        [features(&protocol.reader_features), features(&protocol.writer_features)].concat();
    features.retain(|feature| !WRITER_FEATURES.contains(&feature.as_str()));
    features.sort();
    features.dedup();
    let is_known = matches!(reader, 1 | 3) && matches!(writer, 1 | 2 | 7) && features.is_empty();
    if is_known {
        return Ok(());
    }
    let with = match features.as_slice() {
        [] => String::new(),
        names => format!(" with {}", names.join(", ")),
    };
    Err(format!(
        "needs a writer of version {writer}{with}, this is one of version 2, and a table is never set back: {ELSEWHERE}"
    ))
}
