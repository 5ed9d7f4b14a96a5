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
use super::snapshot::{Header, SnapshotError, decode, read_header, whole_header};
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

/// Deltas, and what stands over a base because of them. The base is read piece by piece, and none of it is kept.
pub(crate) struct Over<'d> {
    /// What the newest blob says beside its rows.
    header: Header,
    by_key: bool,
    /// There are no deltas: every row of the base stands.
    is_alone: bool,
    newer: Newer<'d>,
}

impl<'d> Over<'d> {
    /// Calls `each` with the rows of deltas that stand, of the keys of some shards. `newest` is the last of the deltas; without
    /// one, the last piece of the base.
    pub(crate) fn of(
        deltas: &'d [Vec<u8>],
        newest: Header,
        is_mine: impl Fn(u8) -> bool,
        mut each: impl FnMut(StateRow<'d>) -> Result<(), &'static str>,
    ) -> Result<Self, SnapshotError> {
        let by_key = newest.delta.is_some_and(|delta| delta.by_key);
        let is_alone = deltas.is_empty();
        let mut over = Self { header: newest, by_key, is_alone, newer: Newer::default() };
        for piece in deltas.iter().rev() {
            let forgotten = read_header(piece)?.delta.and_then(|delta| delta.forgotten);
            let mut own = Newer { forgotten, ..Newer::default() };
            decode(piece, |row| {
                if row.is_gone && !by_key {
                    let shards = Shards::from_bytes(row.state).ok_or("a set of shards")?;
                    own.places.entry(place_of(&row)).or_default().extend(&shards);
                    return Ok(());
                }
                let shard = key_shard(row.key);
                if !is_mine(shard) || !over.header.may_fire(&row) {
                    return Ok(());
                }
                let id = id_of(&row, by_key);
                own.ids.insert(id);
                if row.is_gone || over.newer.stands_over(&id, shard, &row) {
                    return Ok(());
                }
                each(row)
            })?;
            over.newer.add(own);
        }
        Ok(over)
    }

    /// The same with the rows of a piece of the base.
    pub(crate) fn base<'b>(
        &self,
        piece: &'b [u8],
        is_mine: impl Fn(u8) -> bool,
        mut each: impl FnMut(StateRow<'b>) -> Result<(), &'static str>,
    ) -> Result<(), SnapshotError> {
        decode(piece, |row| {
            let shard = key_shard(row.key);
            if !is_mine(shard) || !self.header.may_fire(&row) {
                return Ok(());
            }
            let stands =
                self.is_alone || !self.newer.stands_over(&id_of(&row, self.by_key), shard, &row);
            if stands { each(row) } else { Ok(()) }
        })
        .map(drop)
    }

    /// What the newest blob says beside its rows.
    pub(crate) fn header(self) -> Header {
        self.header
    }

    /// What pieces of a base begin with that stand for all of it.
    pub(crate) fn whole_header(&self) -> Vec<u8> {
        whole_header(&self.header)
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
    let Some(newest) = pieces.last() else { return Ok(Header::NOTHING) };
    let newest = read_header(newest)?;
    let (bases, deltas) = by_kind(pieces, |piece| Ok(read_header(piece)?.delta.is_some()))?;
    let over = Over::of(deltas, newest, &is_mine, &mut each)?;
    for piece in bases.iter().rev() {
        over.base(piece, &is_mine, &mut each)?;
    }
    Ok(over.header())
}

type BasesAndDeltas<'p> = (&'p [Vec<u8>], &'p [Vec<u8>]);

/// The pieces of a base, and the deltas on it.
pub(crate) fn by_kind(
    pieces: &[Vec<u8>],
    is_delta: impl Fn(&[u8]) -> Result<bool, SnapshotError>,
) -> Result<BasesAndDeltas<'_>, SnapshotError> {
    let mut bases = 0;
    for (at, piece) in pieces.iter().enumerate() {
        match (is_delta(piece)?, bases == at) {
            (false, true) => bases += 1,
            (true, _) if at == 0 => {
                return Err(SnapshotError { at: 0, what: "a base below the deltas" });
            }
            (true, _) => {}
            (false, false) => {
                return Err(SnapshotError { at: 0, what: "no delta below a base" });
            }
        }
    }
    Ok(pieces.split_at(bases))
}
