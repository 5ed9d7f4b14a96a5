//! A look from outside at work that may never end: a story whose threads go round without waiting cannot tell of itself.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::diary::{Diary, Event};

/// Of the last events of a story.
const TOLD: usize = 30;

/// Does some work. If it takes longer than `bound` by the wall, `late` is called beside it, and it goes on.
pub(crate) fn watched<T>(
    bound: Duration,
    late: impl FnOnce() + Send,
    work: impl FnOnce() -> T,
) -> T {
    let (done, is_done) = sync_channel::<()>(0);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if is_done.recv_timeout(bound) == Err(RecvTimeoutError::Timeout) {
                late();
            }
        });
        // Gone with this closure, also where the work panics.
        let _done = done;
        work()
    })
}

/// Ends the process: nothing else stops a thread that does not wait. What it says goes past the capture of tests.
pub(crate) fn give_up(seed: u64, bound: Duration, diary: Option<&Diary>) -> ! {
    let text = said(seed, bound, &diary.map(Diary::events).unwrap_or_default());
    let _nobody_reads = std::io::stderr().write_all(text.as_bytes());
    std::process::exit(101);
}

fn said(seed: u64, bound: Duration, events: &[Event]) -> String {
    let mut text = format!(
        "\nseed {seed}: the story has not ended in {bound:?}: something goes round without waiting\n\
         again: cargo xtask simulate --seeds 1 --from {seed}\nits last events:\n"
    );
    for Event { at, who, what, object } in &events[events.len().saturating_sub(TOLD)..] {
        text.push_str(&format!("{:>8.3} s  {who:<8}  {what}  {object}\n", at.as_secs_f64()));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn work_that_goes_round_is_seen_while_it_does() {
        let is_seen = AtomicBool::new(false);
        let late = || is_seen.store(true, Ordering::Relaxed);
        watched(Duration::from_millis(5), late, || {
            while !is_seen.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
    }

    #[test]
    fn work_that_ends_or_panics_is_not_late() {
        let hour = Duration::from_secs(3_600);
        let late = || unreachable!("an hour has passed");
        assert_eq!(watched(hour, late, || 7), 7);
        let panicking = || watched(hour, late, || panic!("over"));
        assert!(std::panic::catch_unwind(panicking).is_err());
    }

    #[test]
    fn what_is_said_names_the_seed_and_ends_with_the_last_event() {
        let event = |number: u64| Event {
            at: Duration::from_millis(number),
            who: "host-1".to_owned(),
            what: format!("event {number}"),
            object: String::new(),
        };
        let events: Vec<Event> = (0..40).map(event).collect();
        let said = said(1_978, Duration::from_secs(120), &events);
        assert!(said.contains("seed 1978: the story has not ended in 120s"), "{said}");
        assert!(said.contains("--seeds 1 --from 1978"), "{said}");
        let told: Vec<&str> = said.lines().skip(4).collect();
        assert_eq!(told.len(), TOLD);
        assert_eq!(told.last().unwrap().trim(), "0.039 s  host-1    event 39");
    }
}
