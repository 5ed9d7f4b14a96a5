//! A keyed plugin over logs in memory: whatever the size of polls, the number of workers and the moments of crashes, a
//! key whose rows come from one partition emits what a computation by hand emits, row by row.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use proptest::prelude::*;

use super::native::{batch, texts};
use super::{HEAD, World, total};
use crate::lane::LaneEnd;
use sluicegate_chain::fates::Fates;
use sluicegate_model::position::Partition;
use sluicegate_model::time::EventTime;
use sluicegate_model::timers::KeyedGroups;
use sluicegate_model::timers::Timer;
use sluicegate_model::varlen::Varlen;
use sluicegate_sandbox::plugin::answer::*;
use sluicegate_sandbox::plugin::guest::*;
use sluicegate_sandbox::plugin::{Code, PluginError};

const STAGES: &str = r#"
[[stages]]
id = "watch"
kind = "process"
plugin = "watch"
[process]
key = ["key"]
ttl = "TTL"
[[sinks]]
id = "results"
type = "parquet"
path = "unused-results"
[dead_letters]
path = "unused-dead"
[checkpoint]
path = "unused-chain"
"#;

/// An event; its text is the digit of its kind, which decides what the plugin makes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) key: u8,
    pub(super) at: i64,
    pub(super) kind: u8,
}

// Kind 0 is written down and says nothing.
const TIMER: u8 = 1;
const PAST: u8 = 2;
const MOVE: u8 = 3;
const SAY: u8 = 4;
const FORGET: u8 = 5;
const CHAIN: u8 = 6;
const REJECT: u8 = 7;
const TRAP: u8 = 8;
const BAD_TIMER: u8 = 9;
const NO_JSON: u8 = 10;
const KINDS: u8 = 11;

/// Timers with this id set themselves anew, 9 µs later.
const CHAINING: u32 = 1;
/// Timers with this id trap.
const TRAPPING: u32 = 2;

/// A key, as the plugin and the computation by hand see it.
#[derive(Clone, Debug, Default)]
pub(super) struct Key {
    pub(super) state: Vec<u8>,
    pub(super) timers: BTreeSet<Timer>,
}

impl Key {
    /// What the row does, and what it says. None: it is rejected.
    fn row(&mut self, at: i64, kind: u8) -> Option<Vec<String>> {
        let mut said = Vec::new();
        self.state.push(b'0' + kind);
        let timer = |time, id| Timer { time: EventTime(time), id };
        match kind {
            TIMER => _ = self.timers.insert(timer(at + 7, 0)),
            PAST => _ = self.timers.insert(timer(at - 30, 0)),
            MOVE => {
                self.timers.retain(|timer| timer.id != 0);
                self.timers.insert(timer(at + 12, 0));
            }
            SAY => said.push(self.said("row")),
            FORGET => *self = Self::default(),
            CHAIN => _ = self.timers.insert(timer(at + 4, CHAINING)),
            BAD_TIMER => _ = self.timers.insert(timer(at + 6, TRAPPING)),
            REJECT => {
                self.state.pop();
                return None;
            }
            _ => {}
        }
        Some(said)
    }

    fn said(&self, who: &str) -> String {
        format!("{who}:{}", String::from_utf8_lossy(&self.state))
    }

    /// What a timer does and says; it was taken from the set.
    fn fire(&mut self, timer: Timer) -> String {
        self.state.push(b'!');
        if timer.id == CHAINING {
            self.timers.insert(Timer { time: timer.time.plus(9), id: CHAINING });
        }
        self.said("timer")
    }

    fn first_due(&self, watermark: EventTime) -> Option<Timer> {
        self.timers.first().copied().filter(|timer| timer.time <= watermark)
    }
}

/// What a row says. None: it is rejected.
pub(super) type Said = Result<Option<Vec<String>>, PluginError>;
/// What a timer says, if anything.
pub(super) type Told = Result<Option<String>, PluginError>;

/// A plugin, as the contract wants it, in native code.
#[derive(Clone, Copy)]
pub(super) struct Watch {
    /// What a row of a time does to its key, by its text.
    pub(super) on_row: fn(&mut Key, i64, &str) -> Said,
    /// What a timer does to its key.
    pub(super) on_timer: fn(&mut Key, Timer) -> Told,
}

/// The plugin whose rows are the digits of their kinds.
pub(super) const WATCH: Watch = Watch { on_row: digit, on_timer: fire };

impl Code for Watch {
    fn instantiate(&self, _: &[(String, String)]) -> Result<Instance, PluginError> {
        Ok(Instance::Keyed(Box::new(*self)))
    }
}

fn read(groups: &KeyedGroups) -> Vec<Key> {
    let key = |group| Key {
        state: groups.states.value(group).to_vec(),
        timers: groups.timers.get(group).collect(),
    };
    (0..groups.len()).map(key).collect()
}

fn write(keys: &[Key]) -> KeyedGroups {
    let mut groups = KeyedGroups::default();
    keys.iter().for_each(|key| groups.push(&key.state, key.timers.iter().copied()));
    groups
}

fn digit(key: &mut Key, at: i64, text: &str) -> Said {
    match text.parse().unwrap() {
        TRAP => Err(PluginError::Trap("a text that traps".to_owned())),
        kind => Ok(key.row(at, kind)),
    }
}

fn fire(key: &mut Key, timer: Timer) -> Told {
    match timer.id {
        TRAPPING => Err(PluginError::Trap("a bad timer".to_owned())),
        _ => Ok(Some(key.fire(timer))),
    }
}

impl Guest for Watch {}

impl KeyedGuest for Watch {
    fn process(
        &mut self,
        rows: &KeyedRows<'_>,
        groups: &KeyedGroups,
    ) -> Result<KeyedAnswer, PluginError> {
        let mut keys = read(groups);
        let (mut said, mut source_rows, mut times) = (Vec::new(), Vec::new(), Vec::new());
        let mut rejects = Vec::new();
        let mut say = |row: usize, time: EventTime, what: String| {
            said.push(what);
            source_rows.push(row as u32);
            times.push(time);
        };
        for (row, text) in texts(&rows.batch).into_iter().enumerate() {
            let key = &mut keys[rows.groups[row] as usize];
            while let Some(timer) = key.first_due(rows.watermarks[row]) {
                key.timers.remove(&timer);
                let said = (self.on_timer)(key, timer)?;
                said.into_iter().for_each(|said| say(row, timer.time, said));
            }
            if rows.expired[row] && key.timers.is_empty() {
                key.state.clear();
            }
            match (self.on_row)(key, rows.times[row].micros(), text)? {
                Some(said) => said.into_iter().for_each(|it| say(row, rows.times[row], it)),
                None => rejects.push(Reject { row: row as u32, reason: "rejected".to_owned() }),
            }
        }
        let (groups, batch) = (write(&keys), batch("texts", said));
        Ok(KeyedAnswer { groups, batch, source_rows, times, rejects })
    }

    fn on_timer(
        &mut self,
        fired: &[Timer],
        groups: &KeyedGroups,
    ) -> Result<TimerAnswer, PluginError> {
        let mut keys = read(groups);
        let told = keys.iter_mut().zip(fired).map(|(key, timer)| (self.on_timer)(key, *timer));
        let told = told.collect::<Result<Vec<_>, _>>()?;
        let (of, said) = (0..)
            .zip(told)
            .filter_map(|(group, said)| Some((group, said?)))
            .unzip::<_, _, _, Vec<_>>();
        Ok(TimerAnswer { groups: write(&keys), batch: batch("texts", said), of })
    }
}

impl StatefulGuest for Watch {
    fn migrate(&mut self, _: u32, _: &Varlen) -> Result<Varlen, PluginError> {
        unreachable!("one version only")
    }
}

/// What the tables must hold, a partition and a key at a time.
#[derive(Default)]
pub(super) struct ByHand {
    pub(super) rows: Vec<String>,
    fates: Fates,
    bad_timers: u64,
}

impl ByHand {
    /// Fires what is due, one by one.
    fn advance(&mut self, name: &str, key: &mut Key, watermark: i64) {
        while let Some(timer) = key.first_due(EventTime(watermark)) {
            key.timers.remove(&timer);
            self.fire(name, key, timer);
        }
    }

    fn fire(&mut self, name: &str, key: &mut Key, timer: Timer) {
        if timer.id == TRAPPING {
            self.bad_timers += 1;
        } else {
            let said = key.fire(timer);
            self.rows.push(format!("{} {name} {said}", timer.time.micros()));
        }
    }

    fn key(&mut self, name: &str, of: u8, events: &[Event], ttl: Option<i64>, end: i64) {
        let (mut key, mut watermark, mut touched) = (Key::default(), i64::MIN, i64::MIN);
        for event in events.iter().filter(|event| event.kind != NO_JSON) {
            let before = watermark;
            watermark = watermark.max(event.at - 5);
            if event.key != of {
                continue;
            }
            self.advance(name, &mut key, before);
            let over = ttl.is_some_and(|ttl| touched.saturating_add(ttl) <= before);
            if over && key.timers.is_empty() {
                key.state.clear();
            }
            touched = event.at.max(before);
            match (event.kind != TRAP).then(|| key.row(event.at, event.kind)).flatten() {
                Some(said) => {
                    self.fates.accepted += 1;
                    self.rows.extend(said.iter().map(|it| format!("{} {name} {it}", event.at)));
                }
                None => self.fates.dead_lettered += 1,
            }
        }
        self.advance(name, &mut key, end);
        let left = std::mem::take(&mut key.timers);
        for timer in left {
            self.fire(name, &mut key, timer);
        }
    }
}

pub(super) fn by_hand(partitions: &[Vec<Event>], ttl: Option<i64>) -> ByHand {
    let mut hand = ByHand::default();
    let read = |event: &&Event| event.kind != NO_JSON;
    let end = partitions.iter().flatten().filter(read).map(|event| event.at - 5).max();
    for (number, events) in partitions.iter().enumerate() {
        hand.fates.read += events.len() as u64;
        hand.fates.dead_lettered += events.iter().filter(|it| it.kind == NO_JSON).count() as u64;
        for key in 0..3 {
            let name = format!("p{number}k{key}");
            hand.key(&name, key, events, ttl, end.unwrap_or(i64::MIN));
        }
    }
    hand.rows.sort();
    hand
}

pub(super) fn logs_of(partitions: &[Vec<Event>]) -> super::log::Logs {
    let log = |(number, events): (usize, &Vec<Event>)| {
        let line = |event: &Event| match event.kind {
            NO_JSON => "no JSON".to_owned(),
            kind => {
                let key = format!("p{number}k{}", event.key);
                format!(r#"{{"key":"{key}","text":"{kind}","at":{}}}"#, event.at)
            }
        };
        let partition = Partition { stream: std::sync::Arc::from("log"), number: number as i32 };
        (partition, events.iter().map(line).collect())
    };
    std::sync::Arc::new(partitions.iter().enumerate().map(log).collect::<BTreeMap<_, _>>())
}

/// `time key text` of every row that was emitted, in the order of the table.
pub(super) fn emitted(world: &World) -> Vec<String> {
    let mut rows = Vec::new();
    for batch in world.table("results") {
        let names: Vec<_> = batch.schema().fields().iter().map(|it| it.name().clone()).collect();
        assert_eq!(names, ["key", "texts", "event_time"]);
        let keys = batch.column(0).as_string::<i32>();
        let said = batch.column(1).as_string::<i32>();
        let times = batch.column(2).as_primitive::<TimestampMicrosecondType>();
        let row = |row| format!("{} {} {}", times.value(row), keys.value(row), said.value(row));
        rows.extend((0..batch.num_rows()).map(row));
    }
    rows
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    (0..3u8, 0..60i64, 0..KINDS).prop_map(|(key, at, kind)| Event { key, at: at - 20, kind })
}

pub(super) fn world(ttl: Option<i64>) -> World {
    let ttl = ttl.map_or("off".to_owned(), |ttl| format!("{ttl}us"));
    World::of(&[HEAD, STAGES].concat().replace("TTL", &ttl), None)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn tables_equal_a_computation_by_hand_whatever_polls_workers_and_crashes(
        ttl in prop::option::of(1..25i64),
        partitions in prop::collection::vec(prop::collection::vec(event(), 0..60), 1..4),
        workers in 1..5usize,
        seed: u64,
        lives in prop::collection::vec(1..12usize, 0..4),
        has_time: bool,
    ) {
        let world = world(ttl);
        let logs = logs_of(&partitions);
        for (life, turns) in lives.into_iter().enumerate() {
            let (mut lane, _commands) = world.open(&logs, workers, seed ^ life as u64);
            lane.logic.set_step((!has_time).then_some(1));
            for _ in 0..turns {
                lane.step().unwrap();
            }
            // Dies here: what is not in the chain is forgotten.
        }
        let (mut lane, _commands) = world.open(&logs, workers, seed);
        lane.logic.set_step((!has_time).then_some(1));
        prop_assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
        let hand = by_hand(&partitions, ttl);
        let mut rows = emitted(&world);
        rows.sort();
        prop_assert_eq!(rows, hand.rows);
        let chain = world.chain();
        let last = chain.last().unwrap();
        prop_assert_eq!(total(last), hand.fates);
        prop_assert!(last.source.ended && last.state.is_none());
        let dead = hand.fates.dead_lettered + hand.bad_timers;
        prop_assert_eq!(world.count("dead_letters") as u64, dead);
    }
}

#[test]
fn the_order_of_the_rows_does_not_depend_on_the_number_of_workers() {
    let event = |index: i64| Event {
        key: (index % 3) as u8,
        at: index,
        kind: if index % 4 == 0 { TIMER } else { SAY },
    };
    let logs = logs_of(&[(0..60).map(event).collect(), (0..60).map(event).collect()]);
    let rows = |workers| {
        let world = world(None);
        let (mut lane, _commands) = world.open(&logs, workers, 7);
        lane.run().unwrap();
        emitted(&world)
    };
    assert_eq!(rows(1), rows(4));
}

/// Timers that set one another, and rows that make all of them due at once; some more, because the end of input is
/// another matter.
fn chains() -> super::log::Logs {
    let chain = |key: u8| Event { key, at: i64::from(key), kind: CHAIN };
    let last = std::iter::repeat_n(Event { key: 3, at: 500, kind: SAY }, 20);
    let events: Vec<Event> = (0..3).map(chain).chain(last).collect();
    logs_of(&[events.clone(), events])
}

/// Opens a lane that reads a record at a time.
fn open(world: &World, workers: usize, fires_all: bool) -> super::Lane {
    let source = Box::new(super::log::LogSource::new(&chains(), 1, 7));
    let (mut lane, _) = world.open_at(source, workers, &super::Clock::system());
    lane.logic.set_step((!fires_all).then_some(1));
    lane
}

/// In how many steps timers were left, and the rows in the order of the table.
fn jump(fires_all: bool, workers: usize) -> (usize, Vec<String>) {
    let world = world(None);
    let mut lane = open(&world, workers, fires_all);
    let mut steps = 0;
    while lane.step().unwrap().is_none() {
        steps += usize::from(lane.logic.is_firing());
    }
    lane.run().unwrap();
    (steps, emitted(&world))
}

#[test]
fn timers_that_a_step_has_no_time_for_fire_in_the_next_ones_in_the_same_order() {
    let (at_once, rows) = jump(true, 1);
    assert_eq!(at_once, 0);
    for workers in [1, 3] {
        let (steps, cut) = jump(false, workers);
        assert!(steps > 10, "{steps} steps between which commands are heard");
        assert_eq!(cut, rows, "{workers} workers");
    }
}

#[test]
fn a_stop_is_heard_while_timers_wait_for_their_step() {
    let world = world(None);
    let mut lane = open(&world, 1, false);
    while !lane.logic.is_firing() {
        assert_eq!(lane.step().unwrap(), None);
    }
    lane.desk.outside.stop.ask();
    assert_eq!(lane.run().unwrap(), LaneEnd::Stopped);
    // What was left is due when the lane is opened again.
    assert_eq!(open(&world, 1, false).run().unwrap(), LaneEnd::Finished);
    let (mut rows, (_, mut expected)) = (emitted(&world), jump(true, 1));
    rows.sort();
    expected.sort();
    assert_eq!(rows, expected);
}
