//! The calls of a process plugin: which timers fire before which row, and what a refused row leaves.

use super::timers::{self, Change, Timer, TimerSets};
use super::{Groups, Keyed, KeyedBatch, Process, ProcessAnswer, Processor, TimerAnswer};
use crate::moment::Timestamp;
use crate::replay::Replay;
use crate::varlen::Varlen;
use crate::{Emit, Refused, Reject, Row, State, VarlenRef};

/// The first time that a timer can have: `i64::MIN` stands for no watermark.
const EARLIEST: Option<Timestamp> = Some(Timestamp(i64::MIN + 1));

/// A process plugin with its configuration.
pub(super) struct Instance<P: Process> {
    process: P,
    scales: Vec<u8>,
    /// How the default state is encoded: a state like it is none.
    no_state: Vec<u8>,
}

/// What a row knows of time, µs.
#[derive(Clone, Copy)]
struct Moment {
    time: i64,
    watermark: i64,
}

impl KeyedBatch<'_> {
    #[inline]
    fn moment(&self, row: usize) -> Moment {
        Moment { time: self.times[row], watermark: self.watermarks[row] }
    }
}

/// A group during a call.
struct Group<S> {
    state: S,
    timers: Vec<Timer>,
}

/// What a call makes, beside the groups.
struct Made<P: Process> {
    out: Emit<P::Output>,
    /// Event time of each row of `out`.
    times: Vec<i64>,
    /// Of the timers, since the row or timer at work began.
    changes: Vec<Change>,
}

impl<P: Process> Made<P> {
    fn new() -> Self {
        Self { out: Emit::new(), times: Vec::new(), changes: Vec::new() }
    }

    /// What was emitted since the last call was emitted at `time`.
    #[inline]
    fn dated(&mut self, time: i64) {
        self.times.resize(self.out.rows(), time);
    }
}

impl<P: Process> Processor for Instance<P> {
    fn process(&self, rows: &KeyedBatch<'_>, groups: Groups<'_>) -> ProcessAnswer {
        let mut decoded = decode_all(groups);
        let mut made = Made::<P>::new();
        let rejects = self.process_rows(rows, groups, &mut decoded, &mut made);
        let (states, timers) = self.encode_all(&decoded);
        let rows = made.out.rows();
        let (columns, source_rows) = made.out.finish();
        ProcessAnswer { states, timers, rows, columns, source_rows, times: made.times, rejects }
    }

    fn on_timer(&self, fired: &[Timer], groups: Groups<'_>) -> TimerAnswer {
        let mut decoded: Vec<Group<P::State>> = decode_all(groups);
        assert_eq!(fired.len(), decoded.len(), "on-timer needs a timer for each group");
        let mut made = Made::<P>::new();
        for (index, (timer, group)) in fired.iter().zip(&mut decoded).enumerate() {
            made.out.begin(index);
            self.fire(*timer, group, &mut made);
        }
        let (states, timers) = self.encode_all(&decoded);
        let rows = made.out.rows();
        let (columns, groups) = made.out.finish();
        TimerAnswer { states, timers, rows, columns, groups }
    }

    fn migrate(&self, from_version: u32, states: VarlenRef<'_>) -> Result<Varlen, String> {
        let mut migrated = Varlen::with_capacity(states.len(), states.bytes.len());
        for state in states.iter() {
            if !state.is_empty() {
                self.encode(&self.process.migrate(from_version, state)?, &mut migrated);
            } else {
                migrated.end_value();
            }
        }
        Ok(migrated)
    }
}

impl<P: Process> Instance<P> {
    pub(super) fn new(process: P, scales: Vec<u8>) -> Self {
        let mut no_state = Vec::new();
        P::State::default().encode(&mut no_state);
        Self { process, scales, no_state }
    }

    fn process_rows<'b>(
        &self,
        rows: &KeyedBatch<'b>,
        given: Groups<'_>,
        groups: &mut [Group<P::State>],
        made: &mut Made<P>,
    ) -> Vec<Reject> {
        let reader = P::Row::<'b>::reader(&rows.rows, &self.scales);
        let mut rejects: Vec<Reject> = Vec::new();
        let mut replay = None;
        for row in 0..rows.rows.rows {
            let index = rows.groups[row] as usize;
            let group = &mut groups[index];
            made.out.begin(row);
            self.before_row(rows, row, group, made);
            let before = group.state.snapshot();
            let emitted = made.out.rows();
            let read = P::Row::<'b>::read(&reader, row);
            match self.row(read, rows.moment(row), group, made) {
                Ok(()) => made.dated(rows.times[row]),
                Err(refused) => {
                    made.out.truncate(emitted);
                    timers::undo(&mut group.timers, &mut made.changes);
                    group.state = match before {
                        Some(before) => before,
                        None => {
                            let all = &rows.groups[..rows.rows.rows];
                            let begin = || Replay::new(all, given.states.len());
                            let replay = replay.get_or_insert_with(begin);
                            self.replay(&reader, rows, row, given, replay)
                        }
                    };
                    Reject::push(&mut rejects, row, refused);
                }
            }
        }
        rejects
    }

    /// Fires what the row's watermark has passed, and what that sets, the smallest first. A group whose life is over
    /// then begins anew.
    #[inline]
    fn before_row(
        &self,
        rows: &KeyedBatch<'_>,
        row: usize,
        group: &mut Group<P::State>,
        made: &mut Made<P>,
    ) {
        let watermark = rows.watermarks[row];
        while group.timers.first().is_some_and(|first| first.at.0 <= watermark) {
            let timer = group.timers.remove(0);
            self.fire(timer, group, made);
        }
        let expired = rows.expired[row / 8] >> (row % 8) & 1 == 1;
        if expired && group.timers.is_empty() {
            group.state = P::State::default();
        }
    }

    fn fire(&self, timer: Timer, group: &mut Group<P::State>, made: &mut Made<P>) {
        made.changes.clear();
        let mut keyed = Keyed {
            state: &mut group.state,
            time: timer.at,
            // Where its watermark stands depends on how rows are cut into calls; that it came so far does not.
            watermark: timer.at.0,
            is_late: false,
            earliest: timer.at.0.checked_add(1).map(Timestamp),
            timers: &mut group.timers,
            changes: &mut made.changes,
            out: &mut made.out,
        };
        self.process.on_timer(timer.id, &mut keyed);
        made.dated(timer.at.0);
    }

    #[inline]
    fn row(
        &self,
        row: P::Row<'_>,
        Moment { time, watermark }: Moment,
        group: &mut Group<P::State>,
        made: &mut Made<P>,
    ) -> Result<(), Refused> {
        made.changes.clear();
        let mut keyed = Keyed {
            state: &mut group.state,
            time: Timestamp(time),
            watermark,
            is_late: watermark != i64::MIN && time <= watermark,
            earliest: EARLIEST,
            timers: &mut group.timers,
            changes: &mut made.changes,
            out: &mut made.out,
        };
        self.process.on_row(row, &mut keyed)
    }

    /// The state of a group before the refused row `last`. A state that is dear to copy is made anew, so that rows that
    /// are not refused pay nothing.
    #[cold]
    fn replay<'b>(
        &self,
        reader: &<P::Row<'b> as Row>::Reader<'b>,
        rows: &KeyedBatch<'b>,
        last: usize,
        given: Groups<'_>,
        replay: &mut Replay<(Vec<u8>, Vec<Timer>)>,
    ) -> P::State {
        let of = rows.groups[last];
        let (kept, taken) = replay.since(of, last);
        let mut group = match kept {
            Some((state, timers)) => {
                Group { state: decode_state(of as usize, state), timers: timers.clone() }
            }
            None => decode(of as usize, given),
        };
        let mut unheard = Made::<P>::new();
        for row in taken {
            self.before_row(rows, row, &mut group, &mut unheard);
            let read = P::Row::<'b>::read(reader, row);
            self.row(read, rows.moment(row), &mut group, &mut unheard).expect(
                "a row that was taken is taken again: `on_row` depends on its arguments only",
            );
        }
        self.before_row(rows, last, &mut group, &mut unheard);
        let mut bytes = Vec::new();
        group.state.encode(&mut bytes);
        replay.keep(of, last, (bytes, group.timers));
        group.state
    }

    fn encode_all(&self, groups: &[Group<P::State>]) -> (Varlen, TimerSets) {
        let mut states = Varlen::with_capacity(groups.len(), groups.len() * self.no_state.len());
        let mut timers = TimerSets::new();
        for group in groups {
            self.encode(&group.state, &mut states);
            timers.push(&group.timers);
        }
        (states, timers)
    }

    /// Appends a state; a default one as no bytes.
    fn encode(&self, state: &P::State, states: &mut Varlen) {
        let start = states.bytes.len();
        state.encode(&mut states.bytes);
        if states.bytes[start..] == self.no_state {
            states.bytes.truncate(start);
        }
        states.end_value();
    }
}

fn decode_all<S: State>(groups: Groups<'_>) -> Vec<Group<S>> {
    (0..groups.states.len()).map(|index| decode(index, groups)).collect()
}

/// Reads state and timers of a group. Traps on bytes that are no state of this version: the host gives only what this
/// version of the plugin wrote or migrated.
#[inline]
fn decode<S: State>(index: usize, groups: Groups<'_>) -> Group<S> {
    let state = decode_state(index, groups.states.get(index));
    Group { state, timers: groups.timers.get(index).collect() }
}

#[inline]
fn decode_state<S: State>(index: usize, bytes: &[u8]) -> S {
    S::decode(bytes)
        .unwrap_or_else(|why| panic!("state {index} of the call does not decode: {why}"))
}
