//! A second logic over the same prepared rows: it makes what the first makes, and nobody notices it.

use super::*;
use crate::lane::intake::Run;
use crate::lane::logic::{Effect, Effects};

/// Keeps what a logic makes, as text, and applies nothing.
#[derive(Default)]
pub(super) struct Kept(pub(super) Vec<String>);

impl Effects for Kept {
    fn take(&mut self, effect: Effect<'_>) -> Result<(), LaneError> {
        match effect {
            Effect::Rows(rows) => self.0.extend(as_json(rows)),
            Effect::Updates { rows, last } => {
                self.0.extend(as_json(rows).iter().map(|row| format!("{row} {last}")));
            }
            Effect::Fired => {}
            Effect::Groups { condemned, .. } => self.0.push(format!("{condemned:?}")),
            Effect::Timers { condemned, .. } => self.0.push(format!("{condemned:?}")),
        }
        Ok(())
    }
}

/// Fires what is due, in as many steps as that takes.
fn advance(logic: &mut Logic, given: &Given<'_>, to: Watermark, effects: &mut Kept) {
    logic.advance(given, to, effects).unwrap();
    while logic.is_firing() {
        logic.advance(given, to, effects).unwrap();
    }
}

pub(super) fn given<'g>(pool: &'g Pool, intake: &'g Intake, desk: &Desk) -> Given<'g> {
    let Outside { stop, trial, .. } = &desk.outside;
    Given { pool, clock: intake.clock(), stop: stop.clone(), trial: trial.clone() }
}

/// The same for the other logic, which has a trial of its own: a panic of it is not the lane's.
fn given_beside<'g>(pool: &'g Pool, intake: &'g Intake, desk: &Desk) -> Given<'g> {
    Given { trial: Trial::default(), ..given(pool, intake, desk) }
}

/// From the epoch on that ends with turn `from`, another logic stands beside that of a lane. What both make.
fn beside(world: &World, logs: &Logs, from: usize) -> (Vec<String>, Vec<String>) {
    let (lane, _commands) = world.open(logs, 2, 1);
    let Lane { mut intake, mut logic, pool, desk, .. } = lane;
    let plan = Plan::new(&world.config, &world.modules(None)).unwrap();
    let mut shadow = Logic::new(&plan, &pool);
    let (mut kept, mut compared) = (Kept::default(), Kept::default());
    for number in 0.. {
        let blocks = intake.poll(Duration::ZERO, Duration::ZERO).unwrap();
        let mut left = intake.cut(blocks);
        let most = left.cut_at(&desk.outside.trial);
        let run = intake.take(&pool, &desk.outside.trial, &mut left, most).unwrap();
        let Run { mut prepared, judges } = run;
        let with = given(&pool, &intake, &desk);
        let turn = Turn { chunks: &prepared, judges: &judges };
        let mut judged = logic.update(&with, &turn, &mut kept).unwrap();
        if number > from {
            let with = given_beside(&pool, &intake, &desk);
            let other = shadow.update(&with, &turn, &mut compared).unwrap();
            assert_eq!(format!("{judged:?}"), format!("{other:?}"), "turn {number}");
        }
        for (prepared, judged) in prepared.iter_mut().zip(&mut judged) {
            judged.settle(prepared, logic.stage());
        }
        intake.settle(&mut left, &prepared);
        intake.leave(left);
        let (to, _) = intake.advance().unwrap();
        let with = given(&pool, &intake, &desk);
        advance(&mut logic, &with, to, &mut kept);
        if number > from {
            let with = given_beside(&pool, &intake, &desk);
            advance(&mut shadow, &with, to, &mut compared);
        } else if number == from {
            kept.0.clear();
            shadow.begin_at(to);
            if let Some(state) = logic.freeze(&pool, 1, to, true) {
                let piece = [vec![state.header], state.sections].concat().concat();
                shadow.restore(&pool, to, &[piece]).unwrap();
            }
        }
        if intake.is_over() {
            break;
        }
    }
    intake.finish();
    let with = given(&pool, &intake, &desk);
    while !logic.finish(&with, &mut kept).unwrap() {}
    let with = given_beside(&pool, &intake, &desk);
    while !shadow.finish(&with, &mut compared).unwrap() {}
    (kept.0, compared.0)
}

#[test]
fn a_second_logic_that_takes_over_the_state_makes_what_the_first_makes() {
    let kinds = [
        TUMBLING,
        Kind::Sliding { size: 12, slide: 5 },
        Kind::Session { gap: 3, max_length: 20 },
        Kind::Global { trigger: 7 },
    ];
    let event = |n: i64| Event { key: (n % 3) as u8, at: n * 7 % 50 + n / 2, kind: (n % 10) as u8 };
    let logs = logs_of(&[(0..80).map(event).collect(), (5..70).map(event).collect()]);
    for kind in kinds {
        let world = World::with(kind, 6, None);
        let (kept, compared) = beside(&world, &logs, 4);
        assert!(kept.len() > 5, "{kind:?}: {kept:?}");
        assert_eq!(kept, compared, "{kind:?}");
    }
    let world = keyed::world(Some(20));
    let events = |from: i64| {
        (from..from + 60).map(|n| keyed::Event { key: (n % 3) as u8, at: n, kind: (n % 9) as u8 })
    };
    let logs = keyed::logs_of(&[events(0).collect(), events(3).collect()]);
    let (kept, compared) = beside(&world, &logs, 4);
    assert!(kept.len() > 5, "{kept:?}");
    assert_eq!(kept, compared);
}
