//! What lanes may hold: the share of each, who waits, and who is refused.

use std::sync::Barrier;
use std::thread;

use super::{Account, Holds, Memory, PART_LEAST, STAGED_BYTES_MAX, TooLittle};

const MIB: u64 = 1 << 20;
const TURN: u64 = 16 * MIB;

fn memory(limit: u64, lanes: usize) -> (Memory, Vec<Account>) {
    let memory = Memory::new(limit, lanes).unwrap();
    let accounts = (0..lanes).map(|_| memory.open(None, TURN).unwrap()).collect();
    (memory, accounts)
}

fn state(bytes: u64) -> Holds {
    Holds { state: bytes, ..Holds::default() }
}

#[test]
fn what_a_lane_keeps_comes_off_before_results_have_their_half() {
    let (_, lanes) = memory(320 * MIB, 1);
    let lane = &lanes[0];
    let input = lane.view().input;
    // 20 ahead, 10 of a turn, 40 of what it makes.
    assert_eq!(input, 70 * MIB);
    assert_eq!(lane.staged_max(), 125 * MIB);
    lane.tell(Holds { plugins: 10 * MIB, ..state(20 * MIB) });
    assert_eq!(lane.staged_max(), 100 * MIB, "the state, its copy for a checkpoint, the plugins");
    lane.tell(Holds { plugins: 10 * MIB, copy: 5 * MIB, ..state(20 * MIB) });
    assert_eq!(lane.staged_max(), 100 * MIB, "a copy that is there was counted before");
}

#[test]
fn lanes_share_what_all_of_them_leave() {
    let (_, lanes) = memory(640 * MIB, 2);
    lanes[1].tell(state(50 * MIB));
    assert_eq!(lanes[0].staged_max(), 100 * MIB);
    assert_eq!(lanes[1].staged_max(), 100 * MIB);
}

#[test]
fn a_share_has_a_most() {
    assert_eq!(Account::default().staged_max(), STAGED_BYTES_MAX);
    assert_eq!(Account::default().view().limit, None);
}

/// However many lanes there are, and whatever they keep: full halves stay within the limit. So nobody waits for others.
#[test]
fn all_parts_together_stay_within_the_limit() {
    for lanes in [1, 2, 5, 40] {
        for each in [0, MIB, 2 * MIB] {
            let (_, accounts) = memory(lanes as u64 * PART_LEAST + 7, lanes);
            let told = |holds| accounts.iter().for_each(|account| account.tell(holds));
            let kept = Holds { plugins: MIB, ..state(each) };
            told(kept);
            let half = accounts[0].staged_max();
            assert!(half > 0);
            let full = Holds { staged: half, in_flight: half, copy: each, ..kept };
            told(full);
            let view = accounts[0].view();
            assert!(view.used <= view.limit.unwrap(), "{lanes} lanes, {each} each: {view:?}");
            assert!(!accounts[0].is_over());
            assert_eq!(accounts[0].staged_max(), half, "what passes does not shrink the part");
        }
    }
}

#[test]
fn all_lanes_wait_while_together_they_hold_more_than_the_limit() {
    let (_, lanes) = memory(160 * MIB, 2);
    let half = lanes[0].staged_max();
    lanes[0].tell(Holds { staged: half, in_flight: half, ..Holds::default() });
    assert!(!lanes[1].is_over());
    // Nobody waits for room that the first has taken, until the second has grown into it.
    lanes[1].tell(state(40 * MIB));
    assert!(lanes[1].is_over() && lanes[1].may_shrink());
    assert_eq!(lanes[1].check(), Ok(()), "it fits once the first has stored its epochs");
    lanes[0].tell(Holds::default());
    assert!(!lanes[1].is_over());
}

#[test]
fn the_lane_that_keeps_most_is_refused_and_no_other() {
    let (_, lanes) = memory(320 * MIB, 2);
    let inputs = 2 * lanes[0].view().input;
    let free = 280 * MIB - inputs;
    lanes[0].tell(state(10 * MIB));
    lanes[1].tell(state(free / 2 - 10 * MIB));
    assert_eq!((lanes[0].check(), lanes[1].check()), (Ok(()), Ok(())));
    assert_eq!(lanes[1].view().state_max, free / 2 - 10 * MIB);
    lanes[1].tell(state(free / 2 - 10 * MIB + 1));
    assert_eq!(lanes[0].check(), Ok(()));
    let crowded = lanes[1].check().unwrap_err();
    assert_eq!((crowded.kept, crowded.limit), (280 * MIB + 2, 320 * MIB));
    lanes[1].tell(Holds::default());
    assert_eq!(lanes[0].check(), Ok(()), "what was let go of counts no more");
}

/// Nobody waits for it: it takes of what is free, and lanes have the less to stage meanwhile.
#[test]
fn files_are_put_together_in_a_part_of_what_is_free() {
    let (_, lanes) = memory(320 * MIB, 1);
    let lane = &lanes[0];
    lane.tell(Holds { staged: 50 * MIB, ..Holds::default() });
    // Of 320, 70 are for what is read and 50 staged.
    assert_eq!((lane.compaction_max(), lane.staged_max()), (50 * MIB, 125 * MIB));
    assert!(lane.set_aside(50 * MIB + 1).is_none());
    let aside = lane.set_aside(50 * MIB).unwrap();
    assert_eq!((lane.view().compaction, lane.view().used), (50 * MIB, 170 * MIB));
    assert_eq!((lane.compaction_max(), lane.staged_max()), (150 * MIB / 4, 100 * MIB));
    // What grows meanwhile makes all wait, until they are together.
    lane.tell(Holds { staged: 100 * MIB, in_flight: 100 * MIB + 1, ..Holds::default() });
    assert!(lane.is_over() && lane.may_shrink());
    drop(aside);
    assert!(!lane.is_over());
    assert_eq!(lane.view().compaction, 0);
    assert!(Account::default().set_aside(1 << 40).is_some(), "without a limit");
}

/// Of 640 MiB, 140 are for what is read. A quarter of the rest is too little for two who want 110.
#[test]
fn lanes_that_look_at_the_same_moment_do_not_take_the_same_room() {
    let (_, lanes) = memory(640 * MIB, 8);
    for round in 0..200 {
        let start = Barrier::new(lanes.len());
        let took = thread::scope(|scope| {
            let lanes = lanes.iter().map(|lane| {
                scope.spawn(|| {
                    start.wait();
                    lane.set_aside(110 * MIB)
                })
            });
            let lanes: Vec<_> = lanes.collect();
            lanes.into_iter().filter_map(|lane| lane.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(took.len(), 1, "round {round}");
    }
}

#[test]
fn too_little_for_the_lanes_or_for_what_is_read_ahead_is_refused_with_the_fix() {
    let (limit, lanes) = (100 * MIB, 50);
    let error = Memory::new(limit, lanes).unwrap_err();
    assert_eq!(error, TooLittle::ForLanes { limit, lanes: 50 });
    assert!(error.to_string().contains("`--memory 800MiB`"), "{error}");

    let memory = Memory::new(limit, 2).unwrap();
    assert_eq!(memory.open(Some(25 * MIB), TURN).unwrap().ahead(), 25 * MIB);
    let error = memory.open(Some(30 * MIB), TURN).unwrap_err();
    assert!(error.to_string().contains("`--memory 120MiB`"), "{error}");
}
