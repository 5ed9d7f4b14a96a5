//! Open groups ↔ bytes: what a checkpoint stores of a lane's state. Never a memory layout
//! (docs/design/decisions.md#d8).
//!
//! ```text
//! "SLGS" · version u8 = 3 to 6 · closed sessions unknown before i64 · version 4: fired up to i64
//!   version 5: u8, 1 if it was cut · fired up to i64 · u8, 1 of sessions · closed sessions forgotten before i64
//!   version 6: u8, 1 of a delta · as version 5 · u8, 1 if what has fired is gone · start i64 and end i64 of a window
//!     · key length u32 · key
//! per group, little endian:
//!   generation u32 · window start i64 · window end i64 · key shard u8 · flags u8
//!   flag 1: windows skipped u32 · flag 4: revision u64
//!   key length u32 · key · accumulator length u32 · accumulator
//! ```
//! Flag 2: a session whose rows were all refused; it decides where the next rows go. Flag 8: a session that has not changed
//! since it fired. Flag 32: another group that has changed since it fired. Flag 16: no accumulator, but a key of a sliding window that has fired and is kept for corrections.
//! Flag 64: no accumulator either, but where the last of the closed sessions of a key began, as both bounds.
//!
//! Version 5 is a delta: what stands in it stands over what older blobs have of the same group; of sessions, of the same key,
//! with all of its sessions. Flag 128: there is nothing any more. Of sessions it stands with a key. Else it stands with the bounds
//! of a window or pane, without a key, and the accumulator is a bit set of the shards of which that is true.
//! Who reads several is [`super::resolve`].
//!
//! Version 6 is written between two runs of groups. It names the last that has fired, in the order in which they fire. Where windows
//! fire once, what stands there or before it is gone, here and in older blobs. Where they do not, a group that never fired is due if another of
//! its window has.
//!
//! Of sessions that began before the time in the header, and were closed, nothing may be known; the first moment of time
//! says that all are known. Of sliding windows the panes are stored. Version 4 is written between two runs of a firing: the windows
//! up to that time have fired, those up to the watermark only as far as their groups say; the first moment says none. Version 2 knows no closed sessions and has revisions
//! of 32 bits; version 1 has no flags. Both are read and no longer written.
//!
//! Integrity is the chain's business: its record holds the hash of the blob.

use sluicegate_model::time::{EventTime, Watermark};
use sluicegate_model::window::WindowBounds;

use super::due::{FiringOrder, GroupPlace};
use super::row::{Place, StateRow};
use super::state_reader::StateReader;
use super::stored::Beside;
use crate::sections::Sections;
use crate::shards::Shards;

pub use super::state_reader::SnapshotError;
pub use super::stored::Stored;

const MAGIC: &[u8; 4] = b"SLGS";
const VERSION: u8 = 3;
/// Of a firing that was cut.
const VERSION_CUT: u8 = 4;
/// Of what has changed since other blobs.
const VERSION_DELTA: u8 = 5;
/// Whole or not, with the last group that has fired.
const VERSION_PLACE: u8 = 6;
/// Generation, bounds, shard, flags, what a flag may add, and the two lengths.
const ROW_FIXED_BYTES: usize = 4 + 8 + 8 + 1 + 1 + 4 + 8 + 4 + 4;
/// The number of windows that must not see the group stands behind the flags.
const SKIPPED: u8 = 1;
/// A session whose rows were all refused.
const EMPTY: u8 = 2;
/// How often the group has fired stands behind the flags.
const REVISION: u8 = 4;
/// A session that has not changed since it fired.
const SETTLED: u8 = 8;
/// A key of a sliding window that has fired.
const FIRED: u8 = 16;
/// A group that has changed since it fired.
const PENDING: u8 = 32;
/// Where the last of the closed sessions of a key began.
const CLOSED: u8 = 64;
/// What stood here in older blobs is gone.
const GONE: u8 = 128;
const ALL_FLAGS: u8 = SKIPPED | EMPTY | REVISION | SETTLED | FIRED | PENDING | CLOSED;

/// What a blob knows of sessions that are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownClosed {
    /// All that count; of those that began before this, if it is there, perhaps not.
    From(Option<EventTime>),
    /// None: it was written by an earlier version.
    Nothing,
}

/// What a blob says beside the groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Of sessions that are gone.
    pub closed: KnownClosed,
    /// How far windows have fired. None: as far as the watermark has come.
    pub fired: Option<Watermark>,
    /// How far the groups of the others have, if some have.
    pub groups: Option<FiredGroups>,
    /// It stands over older blobs. None: it is whole.
    pub delta: Option<Delta>,
}

/// How far the groups of windows have fired that fire for as long as a checkpoint takes, and longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiredGroups {
    /// Of the last.
    pub last: GroupPlace,
    /// They do not fire again: nothing stands of them.
    pub for_good: bool,
}

/// How a blob stands over older ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delta {
    /// Key by key. Else group by group.
    pub by_key: bool,
    /// Closed sessions that began before this are forgotten.
    pub forgotten: Option<EventTime>,
}

impl Header {
    /// Of a blob that does not know of such things.
    pub const NOTHING: Self =
        Self { closed: KnownClosed::Nothing, fired: None, groups: None, delta: None };

    /// Whether a row has not fired for good.
    pub(super) fn may_fire(&self, row: &StateRow<'_>) -> bool {
        let place = FiringOrder::of(row.place.bounds, row.key);
        let gone = self.groups.as_ref().filter(|groups| groups.for_good);
        gone.is_none_or(|groups| groups.last.is_before(place))
    }
}

/// How far windows have fired, as in the [`Header`].
#[derive(Clone, Copy, Debug, Default)]
pub struct FiredSoFar<'f> {
    /// None: as far as the watermark has come.
    pub windows: Option<Watermark>,
    /// And their groups, if the windows have not.
    pub groups: Option<&'f FiredGroups>,
}

/// What the blob of the open groups of all workers begins with.
pub fn header(states: &[Stored<'_>], fired: FiredSoFar<'_>) -> Vec<u8> {
    let closed = KnownClosed::From(unknown_before(states));
    let FiredSoFar { windows, groups } = fired;
    whole_header(&Header { closed, fired: windows, groups: groups.cloned(), delta: None })
}

/// What a blob begins with that is no delta. Of one that knows of no closed sessions: none may be known.
pub(super) fn whole_header(header: &Header) -> Vec<u8> {
    let Header { closed, fired, groups, .. } = header;
    let unknown_before = match closed {
        KnownClosed::From(before) => *before,
        KnownClosed::Nothing => None,
    };
    let mut bytes = MAGIC.to_vec();
    if let Some(groups) = groups {
        let delta = Delta { by_key: false, forgotten: None };
        bytes.extend_from_slice(&[VERSION_PLACE, 0]);
        push_delta(unknown_before, *fired, delta, &mut bytes);
        push_groups(groups, &mut bytes);
        return bytes;
    }
    bytes.push(if fired.is_some() { VERSION_CUT } else { VERSION });
    bytes.extend_from_slice(&unknown_before.map_or(i64::MIN, EventTime::micros).to_le_bytes());
    if fired.is_some() {
        bytes.extend_from_slice(&fired_micros(*fired).to_le_bytes());
    }
    bytes
}

/// The same of a blob of [`delta_rows`].
pub fn delta_header(states: &[Stored<'_>], fired: FiredSoFar<'_>) -> Vec<u8> {
    let sessions = || states.iter().filter_map(|it| it.sessions());
    // Remembering too long changes no verdict.
    let forgotten = sessions().map(|it| it.closed.forgotten()).min().flatten();
    let delta = Delta { by_key: sessions().next().is_some(), forgotten };
    let mut bytes = MAGIC.to_vec();
    match fired.groups {
        None => bytes.push(VERSION_DELTA),
        Some(_) => bytes.extend_from_slice(&[VERSION_PLACE, 1]),
    }
    push_delta(unknown_before(states), fired.windows, delta, &mut bytes);
    if let Some(groups) = fired.groups {
        push_groups(groups, &mut bytes);
    }
    bytes
}

fn push_delta(
    unknown_before: Option<EventTime>,
    fired: Option<Watermark>,
    Delta { by_key, forgotten }: Delta,
    bytes: &mut Vec<u8>,
) {
    bytes.extend_from_slice(&unknown_before.map_or(i64::MIN, EventTime::micros).to_le_bytes());
    bytes.push(fired.is_some().into());
    bytes.extend_from_slice(&fired_micros(fired).to_le_bytes());
    bytes.push(by_key.into());
    bytes.extend_from_slice(&forgotten.map_or(i64::MIN, EventTime::micros).to_le_bytes());
}

fn push_groups(FiredGroups { last, for_good }: &FiredGroups, bytes: &mut Vec<u8>) {
    bytes.push((*for_good).into());
    bytes.extend_from_slice(&last.start.0.to_le_bytes());
    bytes.extend_from_slice(&last.end.0.to_le_bytes());
    push_sized(&last.key, bytes);
}

fn push_sized(part: &[u8], bytes: &mut Vec<u8>) {
    let length = u32::try_from(part.len()).expect("keys and accumulators are bounded");
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(part);
}

fn fired_micros(fired: Option<Watermark>) -> i64 {
    match fired {
        None | Some(Watermark::None) => i64::MIN,
        Some(Watermark::At(time)) => time.0,
        Some(Watermark::End) => i64::MAX,
    }
}

/// Of sessions that were closed and began before this not all are known.
fn unknown_before(states: &[Stored<'_>]) -> Option<EventTime> {
    states.iter().filter_map(|it| it.sessions()?.closed.unknown_before()).max()
}

/// Whether the header is needed, also if no row stands behind it.
pub fn needs_header(states: &[Stored<'_>]) -> bool {
    unknown_before(states).is_some()
}

/// Appends the rows of a worker, which stand behind the header, in any order with those of others. Returns how many there are.
pub fn rows(stored: Stored<'_>, generation: u32, to: &mut Sections) -> u64 {
    let mut rows = 0;
    stored.each(generation, |row| {
        push(row, to.for_row());
        rows += 1;
    });
    rows
}

/// Appends the rows of what has changed in a worker since the last checkpoint, as [`rows`]. `shards` are the worker's.
pub fn delta_rows(stored: Stored<'_>, generation: u32, shards: Shards, to: &mut Sections) {
    stored.each_unsaved(generation, &shards, |row, beside| match beside {
        Beside::Nothing => push(row, to.for_row()),
        Beside::Last => push(row, to.for_same()),
    });
}

/// The whole blob.
#[cfg(test)]
pub(super) fn encode(
    states: &[Stored<'_>],
    generation: u32,
    windows: Option<Watermark>,
    bytes: &mut Vec<u8>,
) -> u64 {
    let mut sections = Sections::default();
    let count = states.iter().map(|state| rows(*state, generation, &mut sections)).sum();
    bytes.extend(header(states, FiredSoFar { windows, groups: None }));
    bytes.extend(sections.into_vec().concat());
    count
}

pub(crate) fn push(row: &StateRow<'_>, bytes: &mut Vec<u8>) {
    let StateRow { generation, place: Place { bounds, skipped }, revision, .. } = *row;
    let StateRow { is_empty, is_settled, is_pending, is_fired, is_closed, .. } = *row;
    let StateRow { is_gone, shard, .. } = *row;
    bytes.reserve(ROW_FIXED_BYTES + row.key.len() + row.state.len());
    bytes.extend_from_slice(&generation.to_le_bytes());
    bytes.extend_from_slice(&bounds.start.0.to_le_bytes());
    bytes.extend_from_slice(&bounds.end.0.to_le_bytes());
    bytes.push(shard);
    let flags = [
        (SKIPPED, skipped > 0),
        (EMPTY, is_empty),
        (REVISION, revision > 0),
        (SETTLED, is_settled),
        (FIRED, is_fired),
        (PENDING, is_pending),
        (CLOSED, is_closed),
        (GONE, is_gone),
    ];
    bytes.push(flags.iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| flag).sum());
    if skipped > 0 {
        bytes.extend_from_slice(&skipped.to_le_bytes());
    }
    if revision > 0 {
        bytes.extend_from_slice(&revision.to_le_bytes());
    }
    push_sized(row.key, bytes);
    push_sized(row.state, bytes);
}

/// What a blob says before its first row.
pub fn read_header(bytes: &[u8]) -> Result<Header, SnapshotError> {
    header_of(&mut StateReader::new(bytes)).map(|(_, header)| header)
}

fn header_of(reader: &mut StateReader<'_>) -> Result<(u8, Header), SnapshotError> {
    if reader.take(MAGIC.len(), "header")? != MAGIC {
        return Err(SnapshotError { at: 0, what: "header" });
    }
    let [version] = reader.array("version")?;
    if !(1..=VERSION_PLACE).contains(&version) {
        return Err(SnapshotError { at: MAGIC.len(), what: "version 1 to 6" });
    }
    let is_delta = match version {
        VERSION_PLACE => reader.array("whether it is a delta")? != [0],
        version => version == VERSION_DELTA,
    };
    let mut header = Header::NOTHING;
    let time = |micros: i64| (micros > i64::MIN).then_some(EventTime(micros));
    if version >= 3 {
        let before = i64::from_le_bytes(reader.array("where closed sessions are known")?);
        header.closed = KnownClosed::From(time(before));
    }
    let is_cut = match version {
        VERSION_DELTA.. => reader.array("whether it was cut")? != [0],
        version => version == VERSION_CUT,
    };
    if version >= VERSION_CUT {
        let fired = i64::from_le_bytes(reader.array("how far windows have fired")?);
        let fired = time(fired).map_or(Watermark::None, Watermark::At);
        header.fired = is_cut.then_some(fired);
    }
    if version >= VERSION_DELTA {
        let by_key = reader.array("whether it is of sessions")? != [0];
        let forgotten = i64::from_le_bytes(reader.array("what is forgotten")?);
        header.delta = is_delta.then_some(Delta { by_key, forgotten: time(forgotten) });
    }
    if version == VERSION_PLACE {
        let for_good = reader.array("whether what has fired is gone")? != [0];
        let start =
            EventTime(i64::from_le_bytes(reader.array("start of the last that has fired")?));
        let end = EventTime(i64::from_le_bytes(reader.array("end of the last that has fired")?));
        let key = reader.sized("key of the last that has fired")?.into();
        header.groups = Some(FiredGroups { last: GroupPlace { start, end, key }, for_good });
    }
    Ok((version, header))
}

/// Calls `each` with every group of a blob, in the order stored; where it refuses one, it says what was expected there.
pub fn decode<'b>(
    bytes: &'b [u8],
    mut each: impl FnMut(StateRow<'b>) -> Result<(), &'static str>,
) -> Result<Header, SnapshotError> {
    let mut reader = StateReader::new(bytes);
    let (version, header) = header_of(&mut reader)?;
    let all_flags = if header.delta.is_some() { ALL_FLAGS | GONE } else { ALL_FLAGS };
    while !reader.is_at_end() {
        let generation = u32::from_le_bytes(reader.array("generation")?);
        let start = EventTime(i64::from_le_bytes(reader.array("window start")?));
        let end = EventTime(i64::from_le_bytes(reader.array("window end")?));
        let [shard] = reader.array("key shard")?;
        let [flags] = if version == 1 { [0] } else { reader.array("flags")? };
        if flags & !all_flags != 0 {
            return Err(SnapshotError { at: reader.at(), what: "flags" });
        }
        let skipped = match flags & SKIPPED {
            0 => 0,
            _ => u32::from_le_bytes(reader.array("windows skipped")?),
        };
        let revision = match (flags & REVISION, version) {
            (0, _) => 0,
            (_, 2) => u32::from_le_bytes(reader.array("revision")?).into(),
            _ => u64::from_le_bytes(reader.array("revision")?),
        };
        let key = reader.sized("key")?;
        let state = reader.sized("accumulator")?;
        let place = Place { bounds: WindowBounds { start, end }, skipped };
        let row = StateRow {
            generation,
            place,
            revision,
            is_empty: flags & EMPTY != 0,
            is_settled: flags & SETTLED != 0,
            is_pending: flags & PENDING != 0,
            is_fired: flags & FIRED != 0,
            is_closed: flags & CLOSED != 0,
            is_gone: flags & GONE != 0,
            shard,
            key,
            state,
        };
        each(row).map_err(|what| SnapshotError { at: reader.at(), what })?;
    }
    Ok(header)
}
