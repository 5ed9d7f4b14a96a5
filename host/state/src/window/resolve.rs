//! Blobs of several checkpoints → the rows that stand, each once: a newer blob stands over the older ones.
//!
//! ```text
//!  base                a=1  b=1  c=1            window 0: d=1
//!  delta of epoch 7         b=2
//!  delta of epoch 8    a=3       c gone         window 0 gone
//!  what stands         a=3  b=2
//! ```
//!
//! Blobs are read from the newest to the oldest. What a delta has is taken note of, and older rows of the same are passed over; of
//! the base nothing has to be noted. So the cost is one look at each row, and memory for the rows of deltas.

use std::collections::{HashMap, HashSet};

use sluicegate_model::time::EventTime;

use super::key_shard;
use super::row::{Place, StateRow};
use super::snapshot::{Header, SnapshotError, decode, push, read_header, whole_header};
use crate::sections::Sections;
use crate::shards::Shards;

/// What stands by itself in a blob, and over the same in older ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Id<'b> {
    Group(PlaceOf, &'b [u8]),
    /// All sessions of a key.
    Sessions(&'b [u8]),
    Closed(&'b [u8]),
}

/// Start, end and skipped windows of a place, and whether it is a sliding window that has fired.
type PlaceOf = (i64, i64, u32, bool);

fn place_of(row: &StateRow<'_>) -> PlaceOf {
    let Place { bounds, skipped } = row.place;
    (bounds.start.0, bounds.end.0, skipped, row.is_fired)
}

fn id_of<'b>(row: &StateRow<'b>, by_key: bool) -> Id<'b> {
    match (row.is_closed, by_key) {
        (true, _) => Id::Closed(row.key),
        (false, true) => Id::Sessions(row.key),
        (false, false) => Id::Group(place_of(row), row.key),
    }
}

/// What newer blobs stand over.
#[derive(Default)]
struct Newer<'b> {
    ids: HashSet<Id<'b>>,
    /// The shards of which they are gone.
    places: HashMap<PlaceOf, Shards>,
    forgotten: Option<EventTime>,
}

impl<'b> Newer<'b> {
    fn stands_over(&self, id: &Id<'b>, shard: u8, row: &StateRow<'b>) -> bool {
        let is_gone = || self.places.get(&place_of(row)).is_some_and(|it| it.contains(shard));
        let start = Some(row.place.bounds.start);
        match id {
            Id::Closed(_) if start < self.forgotten => true,
            Id::Group(..) if is_gone() => true,
            id => self.ids.contains(id),
        }
    }

    /// Another blob is newer than those that come.
    fn add(&mut self, blob: Self) {
        self.ids.extend(blob.ids);
        for (place, shards) in blob.places {
            self.places.entry(place).or_default().extend(&shards);
        }
        self.forgotten = self.forgotten.max(blob.forgotten);
    }
}

/// Calls `each` with every row that stands of the keys of some shards, and returns what the newest blob says beside them. The first
/// of `pieces` are whole, the others deltas, the oldest first.
///
/// # Errors
///
/// Something is no blob, or a delta without a base; or what `each` says.
pub fn resolve<'b>(
    pieces: &'b [Vec<u8>],
    is_mine: impl Fn(u8) -> bool,
    mut each: impl FnMut(StateRow<'b>) -> Result<(), &'static str>,
) -> Result<Header, SnapshotError> {
    let newest = pieces.last().map_or(Ok(Header::NOTHING), |piece| read_header(piece))?;
    let by_key = newest.delta.is_some_and(|delta| delta.by_key);
    let is_alone = newest.delta.is_none();
    let mut newer = Newer::default();
    let mut has_base = false;
    for piece in pieces.iter().rev() {
        let delta = read_header(piece)?.delta;
        if delta.is_some() && has_base {
            return Err(SnapshotError { at: 0, what: "no delta below a base" });
        }
        has_base |= delta.is_none();
        let mut own = Newer { forgotten: delta.and_then(|it| it.forgotten), ..Newer::default() };
        decode(piece, |row| {
            if row.is_gone && !by_key {
                let shards = Shards::from_bytes(row.state).ok_or("a set of shards")?;
                own.places.entry(place_of(&row)).or_default().extend(&shards);
                return Ok(());
            }
            let shard = key_shard(row.key);
            if !is_mine(shard) {
                return Ok(());
            }
            if !newest.may_fire(&row) {
                return Ok(());
            }
            if is_alone {
                return each(row);
            }
            let id = id_of(&row, by_key);
            if delta.is_some() {
                own.ids.insert(id);
            }
            if row.is_gone || newer.stands_over(&id, shard, &row) {
                return Ok(());
            }
            each(row)
        })?;
        newer.add(own);
    }
    if pieces.is_empty() || has_base {
        return Ok(newest);
    }
    Err(SnapshotError { at: 0, what: "a base below the deltas" })
}

/// What stands, as one whole blob.
///
/// # Errors
///
/// As [`resolve`].
pub fn merge(pieces: &[Vec<u8>]) -> Result<Vec<u8>, SnapshotError> {
    let mut sections = Sections::default();
    if let [alone] = pieces {
        // Of an older version, perhaps, which knows of no closed sessions.
        return Ok(alone.clone());
    }
    let header = resolve(
        pieces,
        |_| true,
        |row| {
            push(&row, sections.for_row());
            Ok(())
        },
    )?;
    let mut blob = whole_header(&header);
    sections.into_vec().iter().for_each(|section| blob.extend_from_slice(section));
    Ok(blob)
}
