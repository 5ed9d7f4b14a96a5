//! A long opening shows that it lives for as long as it goes on.

use super::relaid::{self, relaid};
use super::*;
use crate::lane::logic::migrate::migrate;
use sluicegate_sandbox::run::brake::Brake;

const MINUTE: Duration = Duration::from_secs(60);

/// What a lane that is stopped in the middle leaves of state.
fn stopped(world: &World, logs: &Logs) -> Opened {
    let (mut lane, _commands) = world.open(logs, 2, 5);
    (0..8).for_each(|_| assert_eq!(lane.step().unwrap(), None));
    lane.desk.outside.stop.ask();
    assert_eq!(lane.run().unwrap(), LaneEnd::Stopped);
    world.runtime.block_on(open_chain(&world.storage()))
}

/// The modules of a head, with another layout of the state.
fn relaid_modules(
    world: &World,
    head: &ChainRecord,
    at_migrate: relaid::AtMigrate,
) -> Vec<PlacedModule> {
    let mut modules = world.modules(Some(head));
    let placed = modules.last_mut().unwrap();
    let relaid = relaid(&placed.stage.id, placed.stage.kind, at_migrate);
    *placed = PlacedModule::successor(placed, relaid);
    modules
}

#[test]
fn whoever_restores_and_migrates_a_large_state_shows_that_it_lives() {
    let events = |n: i64| Event { key: (n % 3) as u8, at: n, kind: 0 };
    let windows = (World::new(TUMBLING), logs_of(&[(0..40).map(events).collect()]));
    let keys = |n: i64| keyed::Event { key: n as u8, at: n, kind: 0 };
    let keyed = (keyed::world(None), keyed::logs_of(&[(0..40).map(keys).collect()]));
    for (world, logs) in [windows, keyed] {
        let Opened { head, state, .. } = stopped(&world, &logs);
        let (head, clock) = (head.unwrap(), Clock::manual(0));
        let (pulse, calls) = (Pulse::new(clock.clone()), Arc::new(Mutex::new(Vec::new())));
        let slow = {
            let (clock, pulse, calls) = (clock.clone(), pulse.clone(), Arc::clone(&calls));
            move || {
                calls.lock().unwrap().push(pulse.silence());
                clock.advance(MINUTE);
                Ok(())
            }
        };
        let modules = relaid_modules(&world, &head, Arc::new(slow));
        let plan = Plan::new(&world.config, &modules).unwrap();
        let pool = Pool::new(1, Brake::default(), pulse.clone()).unwrap();
        let mut logic = Logic::new(&plan, &pool);
        clock.advance(MINUTE);
        logic.restore(&pool, head.watermark, &state).unwrap();
        assert_eq!(pulse.silence(), Duration::ZERO, "rows of a piece were restored");
        let migrated = migrate(&logic, &pool, &plan, 1).unwrap();
        assert_eq!(pulse.silence(), Duration::ZERO, "the last call has ended");
        let calls = std::mem::take(&mut *calls.lock().unwrap());
        assert!(calls.len() > 1, "{calls:?}");
        assert!(calls.iter().all(Duration::is_zero), "each call is shown: {calls:?}");
        clock.advance(MINUTE);
        migrated.put(&mut logic, &pool);
        assert_eq!(pulse.silence(), Duration::ZERO, "states were put in their places");
    }
}
