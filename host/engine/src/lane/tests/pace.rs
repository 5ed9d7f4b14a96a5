//! How often changes are shown: as often as the listener in most haste wants them, and at once when one comes. How long little may be
//! collected: until somebody sees what becomes of it.

use super::*;

#[test]
fn changes_are_shown_twice_a_second_unless_a_listener_is_in_haste() {
    let clock = Clock::manual(0);
    let world = World::new(Kind::Sliding { size: 20, slide: 20 });
    let mut lane = world.open_at(Box::new(LogSource::new(&logs_of(&[]), 7, 1)), 1, &clock).0;
    let is_time_after = |millis, lane: &mut Lane| {
        clock.advance(Duration::from_millis(millis));
        lane.desk.take_fired().is_some()
    };
    assert!(!is_time_after(1_000, &mut lane), "nobody listens");
    let _listener = lane.desk.outside.live.subscribe();
    assert!(is_time_after(500, &mut lane));
    assert!(!is_time_after(100, &mut lane));
    let in_haste = lane.desk.outside.haste.claim();
    assert!(is_time_after(0, &mut lane), "it does not wait for the calm ones");
    assert!(!is_time_after(99, &mut lane));
    assert!(is_time_after(1, &mut lane));
    drop(in_haste);
    assert!(!is_time_after(499, &mut lane));
    assert!(is_time_after(1, &mut lane));
}

#[test]
fn little_is_collected_until_the_next_barrier_and_not_while_somebody_waits() {
    let clock = Clock::manual(0);
    clock.advance(Duration::from_secs(1));
    let world = World::new(Kind::Sliding { size: 20, slide: 20 });
    let events = (0..200).map(|index| Event { key: 0, at: index / 10, kind: 0 }).collect();
    let (mut lane, _commands) =
        world.open_at(Box::new(LogSource::new(&logs_of(&[events]), 1, 1)), 1, &clock);
    let barrier = lane.ledger.barrier_at();
    assert_eq!(lane.unseen_until(), barrier);
    assert!(barrier > Duration::ZERO);
    let listener = lane.desk.outside.live.subscribe();
    assert_eq!(lane.unseen_until(), Duration::ZERO, "it was shown nothing yet");
    drop(listener);
    while !lane.ledger.committer.in_flight() {
        assert_eq!(lane.unseen_until(), lane.ledger.barrier_at());
        assert_eq!(lane.step().unwrap(), None);
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!(lane.unseen_until(), Duration::ZERO, "its outcome is waited for");
}
