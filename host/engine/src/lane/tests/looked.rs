//! Somebody asks what stands in open windows while the lane works: the answer is what would fire, and nothing changes by it.

use tokio::sync::oneshot;

use super::*;
use crate::lane::logic::{Extent, Freezing};

/// Keys with rows in several windows, and none that fires them.
fn logs() -> Logs {
    let events: Vec<Event> =
        (0..60).map(|n| Event { key: n % 20, at: i64::from(n), kind: 0 }).collect();
    logs_of(&[events])
}

const KINDS: [Kind; 4] = [
    Kind::Sliding { size: 20, slide: 20 },
    Kind::Sliding { size: 20, slide: 5 },
    Kind::Session { gap: 15, max_length: 40 },
    Kind::Global { trigger: 20 },
];

fn open(world: &World, workers: usize) -> Lane {
    let source = Box::new(LogSource::new(&logs(), 7, 1));
    world.open_at(source, workers, &Clock::manual(0)).0
}

/// What stands in the open groups now. The state is as it was before.
pub(super) fn look(lane: &mut Lane, rows: usize, key: Option<&str>) -> Option<OpenWindows> {
    let frozen = |lane: &mut Lane| {
        let Lane { logic, pool, intake, .. } = lane;
        let (watermark, extent) = (intake.clock().watermark(), Extent::Whole);
        logic.encode(pool, Freezing { generation: 1, watermark, extent })
    };
    let (before, dirty) = (frozen(lane), lane.ledger.dirty);
    let (reply, mut answer) = oneshot::channel();
    let asked = WindowsAsked { rows, key: key.map(str::to_owned) };
    lane.show_open(Look { asked, reply }).unwrap();
    assert_eq!((frozen(lane), lane.ledger.dirty), (before, dirty), "a look changes nothing");
    let open = answer.try_recv().ok()?.unwrap();
    assert_eq!(open.groups, lane.logic.groups_len());
    if open.rows.schema().column_with_name("next_timer").is_some() && key.is_none() {
        let shown = open.rows.num_rows() as u64;
        assert_eq!(shown + open.left_out, open.groups, "keys are shown or left out");
    }
    Some(open)
}

fn keys(open: &OpenWindows) -> Vec<String> {
    let column = open.rows.column(0).as_string::<i32>();
    column.iter().map(|key| key.unwrap().to_owned()).collect()
}

#[test]
fn what_is_shown_is_what_fires_and_results_are_the_same_with_looks_and_without() {
    for kind in KINDS {
        for (lateness, workers) in [(0, 1), (30, 3)] {
            let plain = World::with(kind, lateness, None);
            assert_eq!(open(&plain, workers).run().unwrap(), LaneEnd::Finished);
            let world = World::with(kind, lateness, None);
            let mut lane = open(&world, workers);
            let mut last = look(&mut lane, 1_000, None).unwrap();
            assert_eq!((last.rows.num_rows(), last.groups), (0, 0));
            while lane.step().unwrap().is_none() {
                let open = look(&mut lane, 1_000, None).unwrap();
                assert_eq!(open.left_out, 0);
                if open.groups > 0 {
                    last = open;
                }
            }
            lane.run().unwrap();
            let results = world.results();
            assert_eq!(results, plain.results(), "{kind:?} {lateness} {workers}");
            // All rows were read by then, so this is what fires at the end.
            assert!(last.rows.num_rows() > 0, "{kind:?}");
            let fired: BTreeSet<String> = world.table("results").iter().flat_map(as_json).collect();
            for row in as_json(&last.rows) {
                assert!(fired.contains(&row), "{kind:?}: {row} was shown and not in {fired:#?}");
            }
        }
    }
}

#[test]
fn a_look_is_bounded_and_says_how_many_groups_it_left_out() {
    for kind in KINDS {
        for workers in [1, 3] {
            let world = World::with(kind, 0, None);
            let mut lane = open(&world, workers);
            while lane.logic.groups_len() < 20 {
                assert_eq!(lane.step().unwrap(), None);
            }
            let all = look(&mut lane, 1_000, None).unwrap();
            let rows = all.rows.num_rows();
            assert!(rows >= 20, "{kind:?}: {rows} rows");
            let few = look(&mut lane, 3, None).unwrap();
            assert_eq!(few.rows.num_rows(), 3, "{kind:?}");
            assert!(few.left_out > 0, "{kind:?}: {few:?}");
            assert_eq!(few.groups, all.groups);
            let key = &keys(&all)[7];
            let wanted = look(&mut lane, 1_000, Some(key)).unwrap();
            let expected: Vec<_> =
                keys(&all).into_iter().filter(|of| of.contains(key.as_str())).collect();
            assert_eq!(keys(&wanted), expected, "{kind:?}");
            assert_eq!(look(&mut lane, 9, Some("nobody")).unwrap().rows.num_rows(), 0);
        }
    }
}

#[test]
fn who_asks_is_answered_between_two_turns_and_at_most_a_tenth_of_the_time() {
    let world = World::with(KINDS[0], 0, None);
    let clock = Clock::manual(0);
    let source = Box::new(LogSource::new(&logs(), 7, 1));
    let (mut lane, _commands) = world.open_at(source, 1, &clock);
    let (looks, receiver) = mpsc::channel(4);
    lane.desk.outside.looks = Looks::new(receiver);
    let ask = || {
        let (reply, answer) = oneshot::channel();
        looks.try_send(Look { asked: WindowsAsked { rows: 9, key: None }, reply }).unwrap();
        answer
    };
    // Nobody waits for this one.
    drop(ask());
    let mut answer = ask();
    assert_eq!(lane.step().unwrap(), None);
    assert!(answer.try_recv().unwrap().is_ok());
    assert_eq!(lane.desk.turns, 0, "no record was read meanwhile");
    let began = clock.monotonic();
    clock.advance(Duration::from_millis(10));
    lane.desk.end_look(began);
    let mut answer = ask();
    assert_eq!(lane.step().unwrap(), None);
    assert!(answer.try_recv().is_err(), "the lane has records to read first");
    assert!(lane.desk.turns > 0);
    clock.advance(Duration::from_millis(90));
    assert_eq!(lane.step().unwrap(), None);
    assert!(answer.try_recv().unwrap().is_ok());
    let mut last = ask();
    lane.desk.refuse_all();
    assert!(matches!(last.try_recv().unwrap(), Err(Refusal::Ended)));
}
