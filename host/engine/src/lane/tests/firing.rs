//! A firing of many groups is cut into runs: commands and a stop are heard between them, and what comes of it is as if
//! it had been one.

use tokio::sync::oneshot;

use super::*;
use sluicegate_model::time::EventTime;

/// Keys with a row in each of three windows, and rows that fire all these windows at once.
fn logs() -> Logs {
    let mut events: Vec<Event> =
        (0..60).map(|n| Event { key: n % 20, at: i64::from(n), kind: 0 }).collect();
    events.extend((0..3).map(|n| Event { key: n, at: 500 + i64::from(n), kind: 0 }));
    logs_of(&[events])
}

const KINDS: [Kind; 4] = [
    Kind::Sliding { size: 20, slide: 20 },
    Kind::Sliding { size: 20, slide: 5 },
    Kind::Session { gap: 15, max_length: 40 },
    Kind::Global { trigger: 20 },
];

/// A lane that reads everything at once.
fn open(world: &World, workers: usize, groups: Option<usize>) -> (Lane, mpsc::Sender<Command>) {
    let (mut lane, commands) =
        world.open_at(Box::new(LogSource::new(&logs(), 100, 1)), workers, &Clock::system());
    lane.logic.set_step(groups);
    (lane, commands)
}

/// The rows of the results in the order of the table, without how often they had fired.
fn rows_in_order(world: &World) -> Vec<String> {
    world.table("results").iter().flat_map(as_json).collect()
}

/// What a lane makes of it that fires everything at once, with one worker.
fn at_once(kind: Kind, lateness: i64) -> Vec<String> {
    let world = World::with(kind, lateness, None);
    assert_eq!(open(&world, 1, None).0.run().unwrap(), LaneEnd::Finished);
    rows_in_order(&world)
}

#[track_caller]
fn assert_same(rows: &[String], whole: &[String], what: &str) {
    let differs = (0..rows.len().max(whole.len())).find(|row| rows.get(*row) != whole.get(*row));
    if let Some(row) = differs {
        panic!("{what}: row {row} is {:?} instead of {:?}", rows.get(row), whole.get(row));
    }
}

/// Steps until a firing is cut.
#[track_caller]
fn cut(lane: &mut Lane) {
    for _ in 0..200 {
        assert_eq!(lane.step().unwrap(), None, "it ends before a firing is cut");
        if lane.logic.is_firing() {
            return;
        }
    }
    panic!("no firing is cut");
}

#[test]
fn rows_come_in_one_order_however_a_firing_is_cut_and_whoever_works_on_it() {
    for kind in KINDS {
        for lateness in [0, 30] {
            let whole = at_once(kind, lateness);
            assert!(whole.len() >= 20, "{kind:?}");
            for (workers, groups) in [(1, 1), (1, 7), (4, 1), (4, 5)] {
                let world = World::with(kind, lateness, None);
                let (mut lane, _commands) = open(&world, workers, Some(groups));
                cut(&mut lane);
                assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
                let what = format!("{kind:?} {lateness} {workers} {groups}");
                assert_same(&rows_in_order(&world), &whole, &what);
            }
        }
    }
}

#[test]
fn a_command_is_taken_between_two_runs_and_the_rest_fires_with_the_new_module() {
    for kind in KINDS {
        let whole = at_once(kind, 0);
        let world = World::new(kind);
        let (mut lane, commands) = open(&world, 2, Some(2));
        cut(&mut lane);
        let (reply, answer) = oneshot::channel();
        let module = native::module("join-2", PluginKind::Aggregate);
        let digest = module.digest;
        commands.try_send(Command::Activate { stage: "join".to_owned(), module, reply }).unwrap();
        while lane.ledger.modules.last().unwrap().pinned.digest != digest {
            lane.step().unwrap();
        }
        assert!(
            lane.logic.is_firing(),
            "{kind:?}: the module is exchanged before the rest has fired"
        );
        assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
        let epoch = answer.blocking_recv().unwrap().unwrap();
        let before = world.chain().iter().filter(|record| record.epoch < epoch).count();
        assert!(before > 1, "what had fired is committed with or before it");
        assert_same(&rows_in_order(&world), &whole, &format!("{kind:?}"));
    }
}

/// `kill -9` and a stop come to the same: what is stored between two runs knows what has fired.
#[test]
fn a_lane_goes_on_between_two_runs_where_the_chain_stands() {
    for (kind, lateness) in KINDS.into_iter().flat_map(|kind| [(kind, 0), (kind, 30)]) {
        let whole = at_once(kind, lateness);
        let world = World::with(kind, lateness, None);
        let mut cuts = 0;
        loop {
            // Another number of workers in each life.
            let (mut lane, _commands) = open(&world, 1 + cuts % 3, Some(3));
            let is_cut = (0..200).find_map(|_| match lane.step().unwrap() {
                Some(end) => Some(end == LaneEnd::Stopped),
                None => lane.logic.is_firing().then_some(true),
            });
            if is_cut != Some(true) {
                assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
                break;
            }
            cuts += 1;
            lane.desk.outside.stop.ask();
            assert_eq!(lane.run().unwrap(), LaneEnd::Stopped);
            let head = world.chain().pop().unwrap();
            assert!(!head.source.ended, "{kind:?}: something is left");
        }
        assert!(cuts > 2, "{kind:?}");
        assert_same(&rows_in_order(&world), &whole, &format!("{kind:?} {lateness}"));
    }
}

/// How far the groups have fired is a place in their order, and that is all that is new.
#[test]
fn a_checkpoint_between_two_runs_writes_next_to_nothing_of_windows_that_fire_once() {
    let world = World::new(TUMBLING);
    let mut events: Vec<Event> =
        (0..400).map(|n| Event { key: (n % 200) as u8, at: n % 40, kind: 0 }).collect();
    events.push(Event { key: 0, at: 500, kind: 0 });
    let source = Box::new(LogSource::new(&logs_of(&[events]), 1_000, 1));
    let (mut lane, _commands) = world.open_at(source, 2, &Clock::system());
    lane.logic.set_step(Some(1));
    cut(&mut lane);
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    let mut deltas = 0;
    for pair in world.chain().windows(2) {
        let keys = |record: &ChainRecord| -> Vec<String> {
            let pieces = record.state.iter().flat_map(|state| &state.pieces);
            pieces.map(|piece| piece.key.clone()).collect()
        };
        let (before, after) = (keys(&pair[0]), &pair[1]);
        let pieces = after.state.iter().flat_map(|state| &state.pieces);
        let new: Vec<_> = pieces.filter(|piece| !before.contains(&piece.key)).collect();
        deltas += usize::from(!new.is_empty() && new.iter().all(|piece| piece.delta));
        let bytes: u64 = new.iter().filter(|piece| piece.delta).map(|piece| piece.bytes).sum();
        assert!(bytes < 300, "{bytes} bytes in epoch {}", after.epoch);
    }
    assert!(deltas > 100, "{deltas}");
}

/// Rows of a key come after others of a global window have fired: whoever goes on with the keys of both knows that they have not.
#[test]
fn a_group_that_is_younger_than_the_last_firing_fires_whoever_goes_on() {
    let kind = Kind::Global { trigger: 20 };
    let event = |key, at| Event { key, at, kind: 0 };
    let early: Vec<Event> = (0..6).map(|key| event(key, 5)).collect();
    let late: Vec<Event> = (0..40).map(|key| event(key, 30)).collect();
    let logs = logs_of(&[[early, vec![event(0, 25)], late].concat()]);
    let run = |lives: &[usize]| {
        let world = World::new(kind);
        for (life, workers) in lives.iter().enumerate() {
            let source = Box::new(LogSource::new(&logs, 7, 1));
            let (mut lane, _commands) = world.open_at(source, *workers, &Clock::system());
            if life + 1 == lives.len() {
                assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
                break;
            }
            while lane.intake.partitions.total().read < 40 {
                assert_eq!(lane.step().unwrap(), None);
            }
            lane.desk.outside.stop.ask();
            assert_eq!(lane.run().unwrap(), LaneEnd::Stopped);
        }
        rows_in_order(&world)
    };
    let whole = run(&[1]);
    assert!(whole.len() >= 40, "{}", whole.len());
    for lives in [[4, 1], [4, 3], [3, 2], [1, 4]] {
        assert_same(&run(&lives), &whole, &format!("{lives:?}"));
    }
}

/// Which a run of groups that take long is not: it is short.
#[test]
fn a_command_breaks_a_run_off_that_takes_long() {
    let world = World::new(TUMBLING);
    let line = |n: usize| format!(r#"{{"key":"k{n}","text":"weary","at":1}}"#);
    let partition = Partition { stream: Arc::from("log"), number: 0 };
    let logs: Logs = Arc::new(BTreeMap::from([(partition, (0..30).map(line).collect())]));
    let source = Box::new(LogSource::new(&logs, 30, 1));
    let (mut lane, commands) = world.open_at(source, 1, &Clock::system());
    // As if it was known that groups take no time.
    lane.logic.set_step(Some(100));
    let status = Arc::clone(&lane.desk.outside.status);
    while lane.logic.groups_len() < 30 {
        lane.step().unwrap();
    }
    let (reply, _answer) = oneshot::channel();
    let module = native::module("drop-2", PluginKind::Filter);
    let command = Command::Activate { stage: "drop".to_owned(), module, reply };
    lane.pool.brake().begin_turn();
    commands.try_send(command).unwrap();
    let to = Watermark::at(EventTime(50));
    let fired = lane.with_logic(|logic, given, effects| logic.advance(given, to, effects));
    let broken_off = fired.unwrap_err();
    assert!(matches!(broken_off, LaneError::BrokenOff), "{broken_off}");
    assert_ne!(status.load().phase, Phase::Isolating, "nothing failed");
    assert!(lane.desk.outside.commands.is_waiting(), "the next life takes it first");
}
