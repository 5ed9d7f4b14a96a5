//! A keyed plugin for scripts: it writes down the texts of a key's rows, and does what some of them say.
//!
//! ```text
//!  tea          written down
//!  tell         emits what is written down
//!  wake+10s     a timer 10 s behind the row: emits what is written down
//!  daily+10s    a timer 10 s behind the row, which emits and sets itself again, 10 s later
//!  tick+1s      as daily, without a word
//!  forget       the key, with its timers
//!  refuse       this row
//! ```

use crate::lane::tests::keyed::{Key, Said, Told, Watch};
use sluicegate_model::time::EventTime;
use sluicegate_model::timers::Timer;

pub(in crate::lane::tests) const DIARY: Watch = Watch { on_row, on_timer };

const ONCE: u32 = 0;
/// Added to the id of a timer that says nothing.
const SILENT: u32 = 1 << 31;

fn on_row(key: &mut Key, at: i64, text: &str) -> Said {
    match text {
        "tell" => return Ok(Some(vec![told("told", key)])),
        "forget" => *key = Key::default(),
        "refuse" => return Ok(None),
        _ => match timer(at, text) {
            Some(timer) => _ = key.timers.insert(timer),
            None => key.state.extend_from_slice(format!("{text};").as_bytes()),
        },
    }
    Ok(Some(Vec::new()))
}

/// The id of a timer that sets itself again says how many seconds later.
fn on_timer(key: &mut Key, timer: Timer) -> Told {
    if timer.id != ONCE {
        let time = timer.time.plus(i64::from(timer.id & !SILENT) * 1_000_000);
        key.timers.insert(Timer { time, ..timer });
    }
    Ok((timer.id & SILENT == 0).then(|| told("woke", key)))
}

fn told(why: &str, key: &Key) -> String {
    format!("{why};{}", String::from_utf8_lossy(&key.state))
}

fn timer(at: i64, text: &str) -> Option<Timer> {
    let (what, length) = text.split_once(['+', '-'])?;
    let length = humantime::parse_duration(length).unwrap().as_micros() as i64;
    let time = if text.contains('-') { at - length } else { at + length };
    let seconds = u32::try_from(length / 1_000_000).unwrap();
    let id = match what {
        "daily" => seconds,
        "tick" => seconds | SILENT,
        _ => ONCE,
    };
    Some(Timer { time: EventTime(time), id })
}
