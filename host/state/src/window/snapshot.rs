//! Open groups ↔ bytes: what a checkpoint stores of a lane's state. Never a memory layout
//! (docs/design/decisions.md#d8).
//!
//! ```text
//! "SLGS" · version u8 = 3 or 4 · closed sessions unknown before i64 · version 4: fired up to i64
//! per group, little endian:
//!   generation u32 · window start i64 · window end i64 · key shard u8 · flags u8
//!   flag 1: windows skipped u32 · flag 4: revision u64
//!   key length u32 · key · accumulator length u32 · accumulator
//! ```
//! Flag 2: a session whose rows were all refused; it decides where the next rows go. Flag 8: a session that has not changed
//! since it fired. Flag 32: another group that has changed since it fired. Flag 16: no accumulator, but a key of a sliding window that has fired and is kept for corrections.
//! Flag 64: no accumulator either, but where the last of the closed sessions of a key began, as both bounds.
//!
//! Of sessions that began before the time in the header, and were closed, nothing may be known; the first moment of time
//! says that all are known. Of sliding windows the panes are stored. Version 4 is written between two runs of a firing: the windows
//! up to that time have fired, those up to the watermark only as far as their groups say; the first moment says none. Version 2 knows no closed sessions and has revisions
//! of 32 bits; version 1 has no flags. Both are read and no longer written.
//!
//! Integrity is the chain's business: its record holds the hash of the blob.

use sluicegate_model::time::{EventTime, Watermark};
use sluicegate_model::window::WindowBounds;

use super::row::{Place, StateRow};
use super::sessions::Sessions;
use super::state::KeyedState;
use super::state_reader::StateReader;
use crate::sections::Sections;

pub use super::state_reader::SnapshotError;

const MAGIC: &[u8; 4] = b"SLGS";
const VERSION: u8 = 3;
/// Of a firing that was cut.
const VERSION_CUT: u8 = 4;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Of sessions that are gone.
    pub closed: KnownClosed,
    /// How far windows have fired. None: as far as the watermark has come.
    pub fired: Option<Watermark>,
}

impl Header {
    /// Of a blob that does not know of such things.
    pub const NOTHING: Self = Self { closed: KnownClosed::Nothing, fired: None };
}

/// What a worker has to be stored.
#[derive(Clone, Copy, Debug)]
pub enum Stored<'s> {
    /// Groups of windows or panes, whatever their kind.
    Windows(&'s KeyedState),
    /// Sessions of all keys, with those that are closed and still remembered.
    Sessions(&'s Sessions),
}

impl<'s> Stored<'s> {
    fn sessions(self) -> Option<&'s Sessions> {
        match self {
            Self::Windows(_) => None,
            Self::Sessions(sessions) => Some(sessions),
        }
    }

    /// Calls `each` with every row.
    fn each(self, generation: u32, mut each: impl FnMut(&StateRow<'_>)) {
        match self {
            Self::Windows(state) => each_group(state, generation, &mut each),
            Self::Sessions(sessions) => each_session(sessions, generation, &mut each),
        }
    }
}

/// What the blob of the open groups of all workers begins with; `fired` as in the [`Header`].
pub fn header(states: &[Stored<'_>], fired: Option<Watermark>) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.push(if fired.is_some() { VERSION_CUT } else { VERSION });
    bytes.extend_from_slice(&unknown_before(states).map_or(i64::MIN, EventTime::micros).to_le_bytes());
    if let Some(fired) = fired {
        let fired = match fired {
            Watermark::None => i64::MIN,
            Watermark::At(time) => time.0,
            Watermark::End => i64::MAX,
        };
        bytes.extend_from_slice(&fired.to_le_bytes());
    }
    bytes
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

/// The whole blob.
#[cfg(test)]
pub(super) fn encode(
    states: &[Stored<'_>],
    generation: u32,
    fired: Option<Watermark>,
    bytes: &mut Vec<u8>,
) -> u64 {
    let mut sections = Sections::default();
    let count = states.iter().map(|state| rows(*state, generation, &mut sections)).sum();
    bytes.extend(header(states, fired));
    bytes.extend(sections.into_vec().concat());
    count
}

fn each_group(state: &KeyedState, generation: u32, each: &mut impl FnMut(&StateRow<'_>)) {
    let windows = state.windows().iter().map(|window| (window, false));
    for (window, is_fired) in windows.chain(state.fired().map(|window| (window, true))) {
        for id in window.groups.ids() {
            each(&StateRow {
                generation,
                place: window.place,
                revision: window.groups.revision(id),
                is_empty: false,
                is_settled: false,
                is_pending: window.groups.is_pending(id),
                is_fired,
                is_closed: false,
                shard: window.groups.shard(id),
                key: window.groups.key(id),
                state: window.groups.state(id),
            });
        }
    }
}

fn each_session(sessions: &Sessions, generation: u32, each: &mut impl FnMut(&StateRow<'_>)) {
    sessions.each(|key, session| {
        each(&StateRow {
            generation,
            place: Place { bounds: session.bounds, skipped: 0 },
            revision: session.revision,
            is_empty: !session.has_rows,
            is_settled: !session.pending,
            is_pending: false,
            is_fired: false,
            is_closed: false,
            shard: super::key_shard(key),
            key,
            state: &session.state,
        });
    });
    sessions.closed.each(|key, start| each(&closed_row(key, start, generation)));
}

fn closed_row(key: &[u8], start: EventTime, generation: u32) -> StateRow<'_> {
    StateRow {
        generation,
        place: Place { bounds: WindowBounds { start, end: start }, skipped: 0 },
        revision: 0,
        is_empty: false,
        is_settled: false,
        is_pending: false,
        is_fired: false,
        is_closed: true,
        shard: super::key_shard(key),
        key,
        state: &[],
    }
}

fn push(row: &StateRow<'_>, bytes: &mut Vec<u8>) {
    let StateRow { generation, place: Place { bounds, skipped }, revision, .. } = *row;
    let StateRow { is_empty, is_settled, is_pending, is_fired, is_closed, shard, .. } = *row;
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
    ];
    bytes.push(flags.iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| flag).sum());
    if skipped > 0 {
        bytes.extend_from_slice(&skipped.to_le_bytes());
    }
    if revision > 0 {
        bytes.extend_from_slice(&revision.to_le_bytes());
    }
    for part in [row.key, row.state] {
        let length = u32::try_from(part.len()).expect("keys and accumulators are bounded");
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(part);
    }
}

/// Calls `each` with every group of a blob, in the order stored; where it refuses one, it says what was expected there.
pub fn decode<'b>(
    bytes: &'b [u8],
    mut each: impl FnMut(StateRow<'b>) -> Result<(), &'static str>,
) -> Result<Header, SnapshotError> {
    let mut reader = StateReader::new(bytes);
    if reader.take(MAGIC.len(), "header")? != MAGIC {
        return Err(SnapshotError { at: 0, what: "header" });
    }
    let [version] = reader.array("version")?;
    if !(1..=VERSION_CUT).contains(&version) {
        return Err(SnapshotError { at: MAGIC.len(), what: "version 1, 2, 3 or 4" });
    }
    let mut header = Header::NOTHING;
    if version >= 3 {
        let before = i64::from_le_bytes(reader.array("where closed sessions are known")?);
        header.closed = KnownClosed::From((before > i64::MIN).then_some(EventTime(before)));
    }
    if version == VERSION_CUT {
        let fired = i64::from_le_bytes(reader.array("how far windows have fired")?);
        let fired = (fired > i64::MIN).then_some(Watermark::At(EventTime(fired)));
        header.fired = Some(fired.unwrap_or(Watermark::None));
    }
    while !reader.is_at_end() {
        let generation = u32::from_le_bytes(reader.array("generation")?);
        let start = EventTime(i64::from_le_bytes(reader.array("window start")?));
        let end = EventTime(i64::from_le_bytes(reader.array("window end")?));
        let [shard] = reader.array("key shard")?;
        let [flags] = if version == 1 { [0] } else { reader.array("flags")? };
        if flags & !ALL_FLAGS != 0 {
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
            shard,
            key,
            state,
        };
        each(row).map_err(|what| SnapshotError { at: reader.at(), what })?;
    }
    Ok(header)
}
