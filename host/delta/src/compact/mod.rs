//! Small files of a table become larger ones, for its readers. Rows stay what they are.
//!
//! The new file is put first, then one commit of the log takes the old files out and brings the new one, with
//! `dataChange = false`. It names no writer and no epoch, so the roll-forward of the chain ([`crate::publish`]) knows
//! nothing of it, and either may come between the other's reads and commits:
//!
//! * Only files that the log names are touched, so none of an epoch that is not published.
//! * A commit that finds its place taken reads what came before it. If that names the new file, it was this very commit. If
//!   all the old files are still there it goes on behind it, else its own file is thrown away: somebody else has compacted
//!   them, or deleted rows.
//! * Whoever dies on the way leaves at most a file that no log names ([`crate::vacuum`]).
//! * Nobody puts a file and names it a day later: a vacuum could have come between ([`PATIENCE`]).

pub(crate) mod pick;
mod rewrite;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::ObjectStoreExt;

use super::actions::{Add, Line};
use super::contents::{Contents, of_log, rows_of};
use super::decide;
use super::log::Log;
use super::paths;
use super::problem::LogError;
use super::statistics::statistics;
pub use pick::Sizes;
use pick::pick;
use sluicegate_model::time::Clock;
use sluicegate_runtime::Names;
use sluicegate_store::once::{Created, Immutable, in_time};
use sluicegate_store::upload::{Aborts, Upload};
use sluicegate_store::{Location, read};

/// From the put of a file to the commit that names it. A vacuum spares files of this age and more.
pub(crate) const PATIENCE: Duration = Duration::from_secs(12 * 3_600);

/// How often another writer may come between.
const CONFLICTS_MAX: usize = 32;

/// How often the put of a file is tried.
const PUTS_MAX: usize = 3;

/// The memory that files may hold which become one, old and new together.
pub trait Room: fmt::Debug + Send + Sync {
    /// How much there is now, bytes.
    fn bytes(&self) -> u64;

    /// Sets so much aside while the result lives. None: there is not so much any more.
    fn take(&self, bytes: u64) -> Option<Box<dyn Send>>;
}

/// All that the machine has.
#[derive(Clone, Copy, Debug)]
pub struct Unlimited;

impl Room for Unlimited {
    fn bytes(&self) -> u64 {
        u64::MAX
    }

    fn take(&self, _: u64) -> Option<Box<dyn Send>> {
        Some(Box::new(()))
    }
}

/// What became of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Compacted {
    /// Commits: one for each new file.
    pub commits: u64,
    /// Files that are not in the table any more.
    pub files: u64,
    /// Their bytes.
    pub bytes_before: u64,
    /// The bytes of the new files.
    pub bytes_after: u64,
    /// Rows that lie in them.
    pub rows: u64,
    /// Groups of files that somebody else has touched meanwhile.
    pub overtaken: u64,
    /// Groups of files that wait because there is no memory for them.
    pub waiting: u64,
}

/// What would become of a table if nobody wrote to it meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Planned {
    /// Commits: one for each new file.
    pub commits: u64,
    /// Files that would not be in the table any more.
    pub files: u64,
    /// Their bytes.
    pub bytes_before: u64,
    /// Their rows; none if the log does not tell those of each.
    pub rows: Option<u64>,
}

/// What [`compact`] would do with all the room that it wants. Writes nothing.
///
/// # Errors
///
/// As [`compact`], but for files that cannot be read.
pub async fn plan(table: &Location, sizes: Sizes) -> Result<Planned, LogError> {
    let contents = of_log(&Log { table: table.clone() }).await?;
    let groups = pick(contents.files.values(), sizes);
    if !groups.is_empty() {
        decide::rewritable(&contents.state).map_err(|it| LogError::refused(table, it))?;
    }
    let files = || groups.iter().flatten();
    Ok(Planned {
        commits: groups.len() as u64,
        files: files().count() as u64,
        bytes_before: files().map(|file| bytes_of(file)).sum(),
        rows: files().map(|file| rows_of(file)).sum(),
    })
}

/// Compacts a table that this program made, whoever writes to it meanwhile. At most `groups_max` new files. Holds the bytes of
/// those that become one and of the new one, twice [`Sizes::target`], at a time; where there is less room, files become
/// smaller ones.
///
/// # Errors
///
/// [`LogError::Store`]; [`LogError::Refused`] if the table is not ours to write, or has a file that cannot be read. What
/// was committed by then stays.
pub async fn compact(
    table: &Location,
    sizes: Sizes,
    groups_max: usize,
    (clock, names): (&Clock, &Names),
    room: &dyn Room,
) -> Result<Compacted, LogError> {
    let log = Log { table: table.clone() };
    let mut work = Work { contents: of_log(&log).await?, log, clock, names };
    let fitting = Sizes { target: sizes.target.min(room.bytes() / 2), ..sizes };
    let groups = pick(work.contents.files.values(), fitting);
    let mut done = Compacted::default();
    if groups.is_empty() && fitting != sizes {
        done.waiting = pick(work.contents.files.values(), sizes).len() as u64;
    }
    let groups = groups.into_iter().take(groups_max);
    let groups: Vec<Vec<Add>> = groups.map(|group| group.into_iter().cloned().collect()).collect();
    for group in groups {
        let bytes: u64 = group.iter().map(bytes_of).sum();
        match room.take(bytes.saturating_mul(2)) {
            Some(_taken) => work.compact(group, &mut done).await?,
            None => done.waiting += 1,
        }
    }
    Ok(done)
}

fn bytes_of(file: &Add) -> u64 {
    u64::try_from(file.size).unwrap_or(0)
}

/// Compacts one table again and again, a bounded piece at a time.
#[derive(Clone, Debug)]
pub struct Compactor {
    pub(crate) table: Location,
    pub(crate) sizes: Sizes,
    pub(crate) clock: Clock,
    pub(crate) names: Names,
    pub(crate) room: Arc<dyn Room>,
}

/// New files that one look makes at most.
const FILES_A_LOOK: usize = 8;

impl Compactor {
    /// The table's folder, as the pipeline file names it.
    pub fn url(&self) -> &str {
        &self.table.url
    }

    /// After so many commits there may be something to do.
    pub fn after_commits(&self) -> u64 {
        self.sizes.after_files.unwrap_or(1) as u64
    }

    /// Looks at all files of the table, and puts some together if there are enough.
    ///
    /// # Errors
    ///
    /// As [`compact`].
    pub async fn look(&self) -> Result<Compacted, LogError> {
        let with = (&self.clock, &self.names);
        compact(&self.table, self.sizes, FILES_A_LOOK, with, &*self.room).await
    }
}

struct Work<'w> {
    log: Log,
    contents: Contents,
    clock: &'w Clock,
    names: &'w Names,
}

impl Work<'_> {
    fn refused(&self, reason: String) -> LogError {
        LogError::refused(&self.log.table, reason)
    }

    async fn compact(&mut self, files: Vec<Add>, done: &mut Compacted) -> Result<(), LogError> {
        let table = decide::rewritable(&self.contents.state).map_err(|it| self.refused(it))?;
        let decide::Rewritable { columns, partition_by } = table;
        let rewritten = rewrite::rewrite(&self.read(&files).await?, &columns).await;
        let rewritten = rewritten.map_err(|reason| self.refused(reason))?;
        let known: Option<u64> = files.iter().map(rows_of).sum();
        if let Some(known) = known.filter(|known| *known != rewritten.rows) {
            let reason = format!(
                "has files with {} rows of which its log says {known}: `sluicegate verify` says more",
                rewritten.rows
            );
            return Err(self.refused(reason));
        }
        let kind = |name: &str| {
            let column = columns.iter().find(|column| column.name == name);
            column.and_then(|column| column.kind.as_str())
        };
        let began = self.now();
        let add = Add {
            path: paths::in_place_of(
                &files[0],
                &partition_by,
                &paths::compacted(&self.names.next()),
            ),
            partition_values: files[0].partition_values.clone(),
            size: i64::try_from(rewritten.bytes.len()).unwrap_or(i64::MAX),
            modification_time: began,
            data_change: false,
            stats: Some(statistics(rewritten.rows, &rewritten.statistics, kind)),
            tags: None,
        };
        self.put(&add, rewritten.bytes).await?;
        if !self.commit(&files, &add, began).await? {
            done.overtaken += 1;
            return self.throw_away(&add).await;
        }
        done.commits += 1;
        done.files += files.len() as u64;
        done.rows += rewritten.rows;
        done.bytes_before += files.iter().map(bytes_of).sum::<u64>();
        done.bytes_after += bytes_of(&add);
        Ok(())
    }

    /// ms since 1970.
    fn now(&self) -> i64 {
        self.clock.wall_micros() / 1_000
    }

    async fn read(&self, files: &[Add]) -> Result<Vec<(String, Bytes)>, LogError> {
        let table = &self.log.table;
        let mut read = Vec::with_capacity(files.len());
        for file in files {
            let path = paths::object(table, &file.path).map_err(|it| self.refused(it))?;
            let bytes = read::whole(table, &path).await;
            let bytes =
                bytes.map_err(|error| LogError::store("read a data file", table, &error))?;
            read.push((file.path.clone(), bytes));
        }
        Ok(read)
    }

    async fn put(&self, add: &Add, bytes: Bytes) -> Result<(), LogError> {
        let table = &self.log.table;
        let path = paths::object(table, &add.path).map_err(|reason| self.refused(reason))?;
        let (object, aborts) = (Immutable::new(bytes), Aborts::new());
        let mut upload = Upload::new(table, &path, &object, &aborts);
        let mut attempt = 1;
        loop {
            match upload.attempt().await {
                Created::Ours => return Ok(()),
                Created::Unknown(_) if attempt < PUTS_MAX => attempt += 1,
                Created::Unknown(error) => {
                    return Err(LogError::store("write a data file", table, &error));
                }
                Created::Taken => return Err(self.refused(format!("has a file `{path}` already"))),
            }
        }
    }

    /// Puts the new file in the place of the old ones. False: somebody else was faster, and they are not all there any more.
    async fn commit(&mut self, files: &[Add], add: &Add, began: i64) -> Result<bool, LogError> {
        for _ in 0..CONFLICTS_MAX {
            if self.now() - began > i64::try_from(PATIENCE.as_millis()).unwrap_or(i64::MAX) {
                return Ok(false);
            }
            let commit = decide::replace(&self.contents.state, files, add, self.now());
            let commit = commit.map_err(|reason| self.refused(reason))?;
            if self.log.put(&commit).await? {
                self.contents.state.apply(commit.version, &commit.lines);
                self.contents.apply(commit.version, commit.lines);
                return Ok(true);
            }
            if self.follow(add).await? {
                return Ok(true);
            }
            let files_now = &self.contents.files;
            if files.iter().any(|file| !files_now.contains_key(&file.path)) {
                return Ok(false);
            }
        }
        Err(LogError::Crowded { url: self.log.table.url.clone() })
    }

    /// Reads what came since. Whether a commit brings this file: then it was our own, and what was shown instead of it was damaged
    /// on its way.
    async fn follow(&mut self, add: &Add) -> Result<bool, LogError> {
        let (state, files) = (&mut self.contents.state, &mut self.contents.files);
        let mut is_there = false;
        let each = |_, lines: Vec<Line>| {
            let mut added = lines.iter().filter_map(|line| line.add.as_ref());
            is_there |= added.any(|other| other.path == add.path);
            let gone = lines.into_iter().filter_map(|line| Some(line.remove?.path));
            gone.for_each(|path| drop(files.remove(&path)));
        };
        self.log.follow(state, each).await?;
        Ok(is_there)
    }

    /// No log names it. If it stays a vacuum finds it.
    async fn throw_away(&self, add: &Add) -> Result<(), LogError> {
        let table = &self.log.table;
        let path = paths::object(table, &add.path).map_err(|reason| self.refused(reason))?;
        let deleted = in_time(table.store.delete(&path)).await;
        deleted.map_err(|error| LogError::store("delete a data file", table, &error))
    }
}
