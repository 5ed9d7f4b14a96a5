//! A million open groups: what they cost, whether [`KeyedState::bytes`] and its like say so, and that it comes back.
//!
//! What they cost is what the process has resident, so each test runs once more in a process of its own, on the
//! allocator of the binary, told to give back to the system at once what was freed.

use std::process::Command;

use super::*;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const GROUPS: usize = 1_000_000;
/// Groups of one call, about as many as the rows of a turn.
const CALL_GROUPS: usize = 8_192;
const STATE: [u8; 16] = [7; 16];
/// docs/design/decisions.md#d8.
const BYTES_MAX: usize = 250_000_000;
/// For the allocator.
const GIVE_BACK: &str = "dirty_decay_ms:0,muzzy_decay_ms:0";

/// Runs `measure` in a process in which nothing else happens. `test` is the name of the calling test.
fn alone(test: &str, measure: impl FnOnce()) {
    // Skips no test, and tells a process that it is the one in which to measure.
    let mark = "--skip=measured-alone";
    if std::env::args().any(|argument| argument == mark) {
        return measure();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let path = format!("window::tests::scale::{test}");
    command.args([path.as_str(), "--exact", mark, "--test-threads=1", "--nocapture"]);
    let output = command.env("MALLOC_CONF", GIVE_BACK).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
}

/// What a process has resident, and what grew since.
struct Resident(usize);

impl Resident {
    fn now() -> Self {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        let mut pages = statm.split(' ').map(|pages| pages.trim().parse::<usize>().unwrap());
        let (resident, shared) = (pages.nth(1).unwrap(), pages.next().unwrap());
        // Without pages of the executable, which come and go as the machine likes.
        Self((resident - shared) * rustix::param::page_size())
    }

    /// `said` is below the limit of a million groups and is what they cost, give or take a twentieth.
    #[track_caller]
    fn assert_grown_by(&self, what: &str, said: usize) {
        let grown = Self::now().0.saturating_sub(self.0);
        println!("{what}: {said} bytes, {grown} resident, {} a group", said / GROUPS);
        assert!(said < BYTES_MAX, "{what}: {said} bytes");
        assert!(
            grown < said / 20 * 21 && said < grown / 20 * 23,
            "{what}: {said} said, {grown} grown"
        );
    }

    #[track_caller]
    fn assert_given_back(&self, what: &str, said: usize) {
        let left = Self::now().0.saturating_sub(self.0);
        println!("{what}: {said} bytes left, {left} resident");
        assert!(said < 100_000, "{what}: {said} bytes for nothing");
        assert!(left < 20_000_000, "{what}: {left} bytes are not given back");
    }
}

fn key_of(number: usize) -> [u8; 16] {
    let mut key = *b"key 000000000000";
    key[8..].copy_from_slice(&(number as u64).to_be_bytes());
    key
}

/// `keys` groups in each of the places, some at a call.
fn fill(state: &mut KeyedState, places: &[Place], keys: usize) {
    let mut touched = Touched::default();
    for place in places {
        for first in (0..keys).step_by(CALL_GROUPS) {
            state.begin(&mut touched);
            for number in first..keys.min(first + CALL_GROUPS) {
                let key = key_of(number);
                state.touch(*place, TableHash::of(&key), &key, &mut touched);
            }
            let states: Varlen = touched.groups.iter().map(|_| &STATE[..]).collect();
            state.scatter(&touched, &states, std::iter::empty());
        }
    }
}

#[test]
fn a_million_groups_of_a_tumbling_window_cost_what_they_say_and_give_it_back() {
    alone("a_million_groups_of_a_tumbling_window_cost_what_they_say_and_give_it_back", || {
        let before = Resident::now();
        let mut state = KeyedState::default();
        let bounds = window(0, 10);
        fill(&mut state, &[Place { bounds, skipped: 0 }], GROUPS);
        assert_eq!(state.groups_len(), GROUPS);
        before.assert_grown_by("tumbling", state.bytes());
        let mut fired = 0;
        state.fire(Watermark::at(EventTime(10)), 0, |firing| fired += firing.len());
        assert_eq!(fired, GROUPS);
        before.assert_given_back("tumbling", state.bytes());
    });
}

#[test]
fn a_million_groups_of_panes_cost_what_they_say_and_give_it_back() {
    alone("a_million_groups_of_panes_cost_what_they_say_and_give_it_back", || {
        let before = Resident::now();
        let slides = Slides::new(8, 1, 0);
        let places: Vec<Place> = (0..8)
            .map(|time| Place { bounds: slides.pane(EventTime(time)).bounds(), skipped: 0 })
            .collect();
        let mut state = KeyedState::default();
        fill(&mut state, &places, GROUPS / 8);
        assert_eq!(state.groups_len(), GROUPS);
        before.assert_grown_by("panes", state.bytes());
        // The first window that sees them all merges a whole block: every suffix is held beside the panes.
        let mut tables = SlideTables::default();
        let mut merge = |left: &Varlen, _: &Varlen| sluicegate_model::refusal::MergeOutcome {
            states: left.clone(),
            refusals: Vec::new(),
        };
        let mut fire = |state: &mut KeyedState, tables: &mut SlideTables, before, now| {
            let progress = sliding::Progress { before, now, lateness: 0, tells_closed: false };
            tables.fire(&slides, state, progress, &mut merge, |_, _, _| {});
        };
        let [first, whole] = [1, 8].map(|time| Watermark::at(EventTime(time)));
        fire(&mut state, &mut tables, first, whole);
        before.assert_grown_by("panes, merged", state.bytes() + tables.bytes());
        fire(&mut state, &mut tables, whole, Watermark::End);
        before.assert_given_back("panes", state.bytes() + tables.bytes());
    });
}

#[test]
fn a_million_sessions_cost_what_they_say_and_give_it_back() {
    alone("a_million_sessions_cost_what_they_say_and_give_it_back", || {
        let before = Resident::now();
        let mut sessions = Sessions::default();
        for first in (0..GROUPS).step_by(CALL_GROUPS) {
            let mut call = SessionCall::default();
            for number in first..GROUPS.min(first + CALL_GROUPS) {
                let key = key_of(number);
                sessions.assign(TEN, row(5, 0, &key), &mut call).unwrap();
            }
            let states: Varlen = call.rows_of(0).rows.iter().map(|_| &STATE[..]).collect();
            call.put(0, &states, std::iter::empty());
            sessions.settle(&mut call);
        }
        assert_eq!(sessions.len(), GROUPS);
        before.assert_grown_by("sessions", sessions.bytes());
        let mut fired = 0;
        let watermark = Watermark::at(EventTime(15));
        sessions.fire(TEN, watermark, 0, |firing| fired += firing.len());
        assert_eq!(fired, GROUPS);
        before.assert_given_back("sessions", sessions.bytes());
    });
}

/// A window fires by runs: beside the groups their order is held, and never more than a run of what fires.
#[test]
fn a_million_groups_that_fire_cost_little_more_and_are_never_all_in_hand() {
    alone("a_million_groups_that_fire_cost_little_more_and_are_never_all_in_hand", || {
        let mut state = KeyedState::firing_once();
        fill(&mut state, &[Place { bounds: window(0, 10), skipped: 0 }], GROUPS);
        let before = Resident::now();
        let size = RunSize { groups: CALL_GROUPS, sorted: 2 * CALL_GROUPS };
        let (mut sorting, mut fired, mut most, mut last) = (0, 0, 0, Vec::new());
        loop {
            let until = match state.next_run(|_| true, size) {
                NextRun::Nothing => break,
                NextRun::Sorting => {
                    sorting += 1;
                    continue;
                }
                NextRun::To(last) => Some(last),
                NextRun::All => None,
            };
            let firing = state.fire_run(until.as_ref());
            assert!(firing.len() <= CALL_GROUPS);
            for key in firing.keys.iter() {
                assert!(*last < *key, "groups fire in the order of their keys");
                last.clear();
                last.extend_from_slice(key);
            }
            most = most.max(state.firing_bytes());
            fired += firing.len();
        }
        let grown = Resident::now().0.saturating_sub(before.0);
        println!(
            "firing: {most} bytes beside the groups, {grown} resident, sorted in {sorting} pieces"
        );
        assert_eq!(fired, GROUPS);
        assert!(sorting >= GROUPS / size.sorted, "{sorting}");
        assert!(most < 5 * GROUPS, "{most} bytes");
        assert!(grown < 10 * GROUPS, "{grown} bytes");
        state.close(Watermark::at(EventTime(10)), 0);
        assert_eq!((state.bytes(), state.firing_bytes()), (0, 0));
    });
}
