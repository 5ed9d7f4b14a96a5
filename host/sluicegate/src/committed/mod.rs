//! What a pipeline has committed, read beside its lane: rows of a table from the newest epoch back.
//!
//! Only files that a record of the chain names are read, so nobody sees a row that is not committed. A look is bounded in
//! records, files, bytes and time; where it ends the next one goes on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::record_batch::RecordBatch;
use futures::{StreamExt, TryStreamExt, stream};

use sluicegate_chain::record::Epoch;
use sluicegate_chain::{ChainError, LaneStorage, inspect};
use sluicegate_connect::sink::kept::Kept;
use sluicegate_connect::sink::look_back::{Bounds, LookError, Tail, TailOf, Wanted, last_rows};

/// Records of the chain that a look reads: an hour and a half of epochs of ten seconds.
const EPOCHS_MAX: usize = 512;
/// Records that are asked for at a time.
const RECORDS_AT_ONCE: usize = 8;
/// Files of which rows are read.
const FILES_MAX: usize = 16;
/// Bytes of them, about: a row group is read whole.
const BYTES_MAX: u64 = 64 << 20;
/// Bytes of the rows that are found, as whoever takes them counts.
const FOUND_BYTES_MAX: usize = 1 << 20;
/// Epochs whose files are remembered: records never change.
const REMEMBERED_MAX: usize = 4_096;

/// The id of the table of late rows.
pub const LATE: &str = "late";
/// The id of the table of dead letters.
pub const DEAD_LETTERS: &str = "dead_letters";

/// What a pipeline has committed.
#[derive(Debug)]
pub struct Committed {
    storage: LaneStorage,
    /// What was read of files lately.
    kept: Kept,
    /// Of each epoch the files of the tables that are looked at; none of those whose records were let go.
    files: Mutex<Remembered>,
}

type Remembered = BTreeMap<Epoch, Option<Arc<[TableFile]>>>;

/// A committed file.
#[derive(Clone, Debug)]
struct TableFile {
    table: String,
    path: String,
    bytes: u64,
}

/// A place in a table: behind the rows of earlier epochs, of earlier files of its epoch, and of `row` rows of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The epoch whose record names the file.
    pub epoch: Epoch,
    /// Among those of the table in that epoch, in the order of its record.
    pub file: usize,
    /// Rows of that file before this one are meant.
    pub row: u64,
}

/// What is wanted of a table.
#[derive(Clone, Copy)]
pub struct Look<'l> {
    /// [`LATE`] or [`DEAD_LETTERS`].
    pub table: &'static str,
    /// Rows before this place only.
    pub before: Place,
    /// Those that have these values.
    pub wanted: Wanted<'l>,
    /// So many rows at most.
    pub rows_max: usize,
    /// Nothing more is begun when this is true.
    pub is_over: &'l dyn Fn() -> bool,
}

/// Rows that were found, and where the next look goes on.
#[derive(Debug)]
pub struct Found<T> {
    /// The rows, newest first.
    pub rows: Vec<T>,
    /// Where the next look goes on; none at the beginning of the chain.
    pub older: Option<Place>,
    /// Committed files that could not be read: somebody removed or replaced them, or the table has moved.
    pub unread: Vec<String>,
    bytes: usize,
    files_left: usize,
    bytes_left: u64,
}

/// Why nothing can be read of a table.
#[derive(Debug, thiserror::Error)]
pub enum LookBackError {
    /// The chain does not say what is committed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The table's store does not answer.
    #[error("{0}")]
    Table(String),
}

impl Place {
    /// Behind all rows of an epoch.
    pub fn end_of(epoch: Epoch) -> Self {
        Self { epoch, file: usize::MAX, row: u64::MAX }
    }
}

impl Committed {
    /// What lies there. What is read of files is kept where those of others are, too.
    pub fn new(storage: LaneStorage, kept: Kept) -> Self {
        Self { storage, kept, files: Mutex::default() }
    }

    /// The folder of a table, for people; none if the pipeline does not write it.
    pub fn folder(&self, table: &str) -> Option<&str> {
        self.storage.tables.get(table).map(|location| location.url.as_str())
    }

    /// The newest committed epoch.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn head(&self) -> Result<Option<Epoch>, LookBackError> {
        Ok(inspect::latest(&self.storage).await?)
    }

    /// The last rows before a place. `take` gives each with the bytes that it holds.
    ///
    /// # Errors
    ///
    /// The store's. A file that is not there or is damaged is passed over.
    pub async fn look_back<T>(
        &self,
        look: Look<'_>,
        take: impl Fn(Epoch, &RecordBatch, usize) -> (T, usize),
    ) -> Result<Found<T>, LookBackError> {
        let (mut found, mut has_begun) = (Found::nothing(), false);
        let epochs = (0..=look.before.epoch.0).rev().take(EPOCHS_MAX).map(Epoch);
        let files = epochs
            .map(|epoch| async move { Ok::<_, LookBackError>((epoch, self.files(epoch).await?)) });
        let mut files = stream::iter(files).buffered(RECORDS_AT_ONCE);
        while let Some((epoch, files)) = files.try_next().await? {
            let Some(files) = files else {
                // Behind the newest there is no record yet, before the oldest that stayed there is none any more.
                found.older = None;
                if has_begun {
                    break;
                }
                continue;
            };
            has_begun = true;
            let is_enough = self.look_into(epoch, &files, look, &take, &mut found).await?;
            if is_enough {
                return Ok(found);
            }
            let earlier = epoch.0.checked_sub(1).map(Epoch);
            found.older = earlier.map(Place::end_of);
            if (look.is_over)() {
                break;
            }
        }
        Ok(found)
    }

    /// Looks into the files of an epoch. True if nothing earlier is to be looked at.
    async fn look_into<T>(
        &self,
        epoch: Epoch,
        files: &[TableFile],
        look: Look<'_>,
        take: impl Fn(Epoch, &RecordBatch, usize) -> (T, usize),
        found: &mut Found<T>,
    ) -> Result<bool, LookBackError> {
        let Some(table) = self.storage.tables.get(look.table) else { return Ok(true) };
        let files: Vec<_> = files.iter().filter(|file| file.table == look.table).collect();
        for (index, file) in files.into_iter().enumerate().rev() {
            let place = Place { epoch, file: index, row: u64::MAX }.min(look.before);
            if place.file < index || place.row == 0 {
                continue;
            }
            if found.is_enough(look) {
                found.older = Some(place);
                return Ok(true);
            }
            let (path, bytes) = (file.path.as_str(), file.bytes);
            let of = TailOf { table, path, bytes, kept: &self.kept, before: place.row };
            let rows_max = look.rows_max - found.rows.len();
            let bounds = Bounds { rows_max, bytes_max: found.bytes_left };
            let tail = last_rows(of, look.wanted, bounds, |rows, row| take(epoch, rows, row));
            match tail.await {
                Ok(tail) => {
                    if found.add(place, tail) {
                        return Ok(true);
                    }
                }
                Err(LookError::Store(error)) => return Err(LookBackError::Table(error)),
                Err(LookError::File(error)) => {
                    tracing::warn!(
                        path,
                        url = table.url,
                        "a committed file is unreadable: {error}"
                    );
                    found.unread.push(file.path.clone());
                }
            }
        }
        Ok(false)
    }

    /// The files that the record of an epoch names; none if there is no record.
    async fn files(&self, epoch: Epoch) -> Result<Option<Arc<[TableFile]>>, ChainError> {
        if let Some(files) = self.remembered().get(&epoch) {
            return Ok(files.clone());
        }
        let record = inspect::record(&self.storage, epoch).await?;
        let Some(record) = record else {
            let mut remembered = self.remembered();
            // The epochs behind it are committed, so it was removed and does not come.
            if remembered.last_key_value().is_some_and(|(newest, _)| *newest > epoch) {
                remembered.insert(epoch, None);
            }
            return Ok(None);
        };
        let is_looked_at = |table: &str| table == LATE || table == DEAD_LETTERS;
        let files = record.files.into_iter().filter(|file| is_looked_at(&file.table));
        let files =
            files.map(|file| TableFile { table: file.table, path: file.path, bytes: file.bytes });
        let files: Arc<[TableFile]> = files.collect();
        let mut remembered = self.remembered();
        remembered.insert(epoch, Some(Arc::clone(&files)));
        if remembered.len() > REMEMBERED_MAX {
            remembered.pop_first();
        }
        Ok(Some(files))
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Found<T> {
    /// Of a table without rows, or before the first is found.
    pub fn nothing() -> Self {
        Self {
            rows: Vec::new(),
            older: None,
            unread: Vec::new(),
            bytes: 0,
            files_left: FILES_MAX,
            bytes_left: BYTES_MAX,
        }
    }

    fn is_enough(&self, look: Look<'_>) -> bool {
        let is_spent = self.files_left == 0 || self.bytes_left == 0;
        self.rows.len() >= look.rows_max || is_spent || (look.is_over)()
    }

    /// Takes rows of the file at `place`. True if there are others before them for which there is no room.
    fn add(&mut self, place: Place, tail: Tail<(T, usize)>) -> bool {
        self.files_left -= 1;
        self.bytes_left = self.bytes_left.saturating_sub(tail.bytes_read);
        for (number, (row, bytes)) in tail.rows {
            if self.bytes + bytes > FOUND_BYTES_MAX && !self.rows.is_empty() {
                self.older = Some(Place { row: number + 1, ..place });
                return true;
            }
            self.bytes += bytes;
            self.rows.push(row);
        }
        self.older = Some(Place { row: tail.from, ..place });
        tail.from > 0
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
