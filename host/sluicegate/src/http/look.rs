//! How rows are asked for from the newest back: from those that are not committed on into the table.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use axum::http::StatusCode;
use tokio::runtime::Handle;

use super::Shared;
use super::error::ApiError;
use crate::committed::{Committed, Found, Look, LookBackError, Place};
use crate::handle::PipelineHandle;
use sluicegate_chain::record::Epoch;
use sluicegate_engine::lately::Uncommitted;

/// Looks into tables at a time: each decodes what it reads.
pub(super) const LOOKS_MAX: usize = 4;
/// After so long a look begins with nothing more, and says where the next one goes on.
const LOOK_TIME: Duration = Duration::from_secs(4);

/// How many rows a request gets.
pub(super) struct RowLimits {
    /// If it does not say how many.
    pub(super) default: usize,
    pub(super) max: usize,
}

const ROWS: RowLimits = RowLimits { default: 100, max: 500 };

/// A place in the order of all rows, the newest first: `open-43-117` or `41.2.1734`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cursor {
    /// Rows of this epoch, which is not committed, that came before the one with this number.
    Open { epoch: Epoch, number: u64 },
    /// Committed rows before this.
    Committed(Place),
}

/// What is wanted of the rows of a table.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) table: &'static str,
    pub(super) limit: usize,
    pub(super) before: Option<Cursor>,
    /// Columns of text with the value that they must have.
    pub(super) wanted: Vec<(&'static str, String)>,
}

/// A row that was found.
pub(super) struct FoundRow<T> {
    /// That it belongs to.
    pub(super) epoch: Epoch,
    pub(super) is_committed: bool,
    pub(super) row: T,
}

/// What a status says of the rows of a table. Between two, what was not committed becomes so.
pub(super) struct Known<'s, T> {
    /// The newest committed epoch.
    pub(super) head: Option<Epoch>,
    /// The rows that are not committed, newest first.
    pub(super) lately: &'s [Arc<Uncommitted<T>>],
}

/// Rows, newest first.
pub(super) struct Rows<T> {
    pub(super) rows: Vec<FoundRow<T>>,
    pub(super) older: Option<Cursor>,
    pub(super) unread: Vec<String>,
}

impl Asked {
    /// What a request asks for.
    ///
    /// # Errors
    ///
    /// It asks for too much, or goes on nowhere.
    pub(super) fn new(
        table: &'static str,
        limit: Option<usize>,
        before: Option<&str>,
    ) -> Result<Self, ApiError> {
        let before = before.filter(|before| !before.is_empty());
        let before = before.map(|before| {
            before.parse().map_err(|()| {
                bad_query(format!(
                    "`before={before}` is not a place: take it from `older` of the answer before"
                ))
            })
        });
        Ok(Self {
            table,
            limit: ROWS.limit(limit)?,
            before: before.transpose()?,
            wanted: Vec::new(),
        })
    }
}

impl RowLimits {
    /// How many rows a request gets that asks for so many.
    pub(super) fn limit(&self, asked: Option<usize>) -> Result<usize, ApiError> {
        let Self { default, max } = *self;
        match asked.unwrap_or(default) {
            limit if (1..=max).contains(&limit) => Ok(limit),
            limit => Err(bad_query(format!("`limit={limit}` is out of range: 1 to {max}"))),
        }
    }
}

pub(super) fn bad_query(message: String) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "bad_query", message)
}

/// The rows that are not committed and match, and behind them those of the table. `read` makes one of a row of the table, with
/// the bytes that it holds.
pub(super) async fn look<T, R>(
    shared: &Arc<Shared>,
    pipeline: &Arc<PipelineHandle>,
    asked: Asked,
    known: Known<'_, T>,
    matches: impl Fn(&T) -> bool,
    read: R,
) -> Result<Rows<T>, ApiError>
where
    T: Clone + Send + 'static,
    R: Fn(&RecordBatch, usize) -> (T, usize) + Send + 'static,
{
    let Known { head, lately } = known;
    let mut rows = Vec::new();
    let mut last = None;
    let is_before = |row: &Uncommitted<T>| match asked.before {
        None => true,
        Some(Cursor::Open { number, .. }) => row.number < number,
        Some(Cursor::Committed(_)) => false,
    };
    for row in lately.iter().filter(|row| is_before(row) && matches(&row.row)) {
        if rows.len() == asked.limit {
            break;
        }
        rows.push(FoundRow { epoch: row.epoch, is_committed: false, row: row.row.clone() });
        last = Some(Cursor::Open { epoch: row.epoch, number: row.number });
    }
    if last.is_some() && rows.len() == asked.limit {
        return Ok(Rows { rows, older: last, unread: Vec::new() });
    }
    let limit = asked.limit - rows.len();
    let found = look_back(shared, pipeline, Asked { limit, ..asked }, head, read).await?;
    let committed = |(epoch, row)| FoundRow { epoch, is_committed: true, row };
    rows.extend(found.rows.into_iter().map(committed));
    Ok(Rows { rows, older: found.older.map(Cursor::Committed), unread: found.unread })
}

/// Reads the table, off the threads that answer.
async fn look_back<T: Send + 'static>(
    shared: &Arc<Shared>,
    pipeline: &Arc<PipelineHandle>,
    asked: Asked,
    head: Option<Epoch>,
    read: impl Fn(&RecordBatch, usize) -> (T, usize) + Send + 'static,
) -> Result<Found<(Epoch, T)>, ApiError> {
    let slot = Arc::clone(&shared.looks).try_acquire_owned().map_err(|_| {
        ApiError::busy(format!("{LOOKS_MAX} requests read tables already: ask again in a moment"))
    })?;
    let (clock, committed) = (shared.app.clock.clone(), Arc::clone(pipeline.committed()));
    let runtime = Handle::current();
    let looked = tokio::task::spawn_blocking(move || {
        let _slot = slot;
        let end = clock.monotonic() + LOOK_TIME;
        runtime.block_on(look_into(&committed, &asked, head, &read, &|| clock.monotonic() >= end))
    });
    let looked =
        looked.await.map_err(|error| ApiError::internal("reading a table panicked", error))?;
    Ok(looked?)
}

async fn look_into<T>(
    committed: &Committed,
    asked: &Asked,
    head: Option<Epoch>,
    read: impl Fn(&RecordBatch, usize) -> (T, usize),
    is_over: &dyn Fn() -> bool,
) -> Result<Found<(Epoch, T)>, LookBackError> {
    let head = match head {
        Some(head) => Some(head),
        // The lane has not opened yet, or not here.
        None => committed.head().await?,
    };
    let Some(head) = head else { return Ok(Found::nothing()) };
    let before = match asked.before {
        None => Place::end_of(head),
        Some(Cursor::Open { epoch, .. }) => Place::end_of(head.min(epoch)),
        Some(Cursor::Committed(place)) => place.min(Place::end_of(head)),
    };
    let wanted: Vec<_> = asked.wanted.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (table, rows_max) = (asked.table, asked.limit);
    let look = Look { table, before, wanted: &wanted, rows_max, is_over };
    let take = |epoch, batch: &RecordBatch, row| {
        let (row, bytes) = read(batch, row);
        ((epoch, row), bytes)
    };
    committed.look_back(look, take).await
}

/// What a reader must know: that there is no table, or that files of it could not be read.
pub(super) fn note(has_table: bool, without: &str, unread: &[String]) -> Option<String> {
    if !has_table {
        return Some(without.to_owned());
    }
    let first = unread.first()?;
    Some(format!(
        "{} committed files could not be read and are left out, the first is `{first}`: they were removed or changed, or the \
         table has moved",
        unread.len()
    ))
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { epoch, number } => write!(f, "open-{epoch}-{number}"),
            Self::Committed(place) if *place == Place::end_of(place.epoch) => {
                write!(f, "{}", place.epoch)
            }
            Self::Committed(Place { epoch, file, row }) => write!(f, "{epoch}.{file}.{row}"),
        }
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |part: Option<&str>| part.ok_or(())?.parse::<u64>().map_err(|_| ());
        if let Some(open) = text.strip_prefix("open-") {
            let (epoch, row) = open.split_once('-').ok_or(())?;
            return Ok(Self::Open {
                epoch: Epoch(number(Some(epoch))?),
                number: number(Some(row))?,
            });
        }
        let mut parts = text.split('.');
        let epoch = Epoch(number(parts.next())?);
        let mut place = Place::end_of(epoch);
        if let Some(file) = parts.next() {
            place.file = file.parse().map_err(|_| ())?;
            place.row = number(parts.next())?;
        }
        if parts.next().is_some() { Err(()) } else { Ok(Self::Committed(place)) }
    }
}

impl From<LookBackError> for ApiError {
    fn from(error: LookBackError) -> Self {
        tracing::warn!(error = %error, "a table cannot be read");
        let message = format!("what is committed cannot be read: {error}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_failed", message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        let place = Place { epoch: Epoch(41), file: 2, row: 1734 };
        for cursor in [
            Cursor::Open { epoch: Epoch(43), number: 117 },
            Cursor::Committed(place),
            Cursor::Committed(Place::end_of(Epoch(41))),
        ] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for odd in [
            "",
            "open-",
            "open-1",
            "open-1-x",
            "41.",
            "41.2",
            "41.2.3.4",
            "-1",
            "99999999999999999999",
        ] {
            assert_eq!(odd.parse::<Cursor>(), Err(()), "{odd}");
        }
    }
}
