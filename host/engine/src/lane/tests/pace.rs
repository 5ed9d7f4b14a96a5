//! How often changes are shown: as often as the listener in most haste wants them, and at once when one comes.

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
