//! What the keys of a process plugin hold: a million of them in a table as a lane's worker has it.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use sluicegate_model::time::EventTime;
use sluicegate_model::timers::{KeyedGroups, Timer};
use sluicegate_state::keyed::{KeyedCall, KeyedTable};
use sluicegate_state::window::TableHash;

/// Per key.
#[derive(Serialize, Deserialize)]
pub(crate) struct Keys {
    /// What the table says that it holds: what `limits.state_bytes` is compared with.
    pub(crate) counted_bytes: f64,
    /// What the process has more in memory than before.
    pub(crate) resident_bytes: f64,
}

/// Keys of one call.
const CALL: usize = 8_192;

/// So many keys of 16 bytes, each with a state of 16 bytes and a timer.
pub(crate) fn run(count: usize) -> Result<Keys> {
    let before = resident_bytes()?;
    let mut table = KeyedTable::new(None);
    let mut call = KeyedCall::default();
    let mut after = KeyedGroups::default();
    for begin in (0..count).step_by(CALL) {
        table.begin(&mut call);
        after.clear();
        for number in begin..count.min(begin + CALL) {
            let key = format!("{number:016}");
            let time = EventTime(number as i64);
            table.touch(TableHash::of(key.as_bytes()), key.as_bytes(), time, time, &mut call);
            after.push(key.as_bytes(), [Timer { time, id: 0 }]);
        }
        table.gather(&mut call);
        table.scatter(&call, &after);
    }
    ensure!(table.len() == count, "the table has {} keys", table.len());
    let resident = resident_bytes()?.saturating_sub(before);
    let per_key = |bytes: usize| bytes as f64 / count as f64;
    Ok(Keys { counted_bytes: per_key(table.bytes()), resident_bytes: per_key(resident) })
}

/// Memory of this process that is not swapped out and not given back.
pub(crate) fn resident_bytes() -> Result<usize> {
    let text = fs::read_to_string("/proc/self/statm").context("read the size of this process")?;
    let pages = text.split_whitespace().nth(1).context("the size of this process")?;
    let pages: usize = pages.parse().context("the size of this process")?;
    Ok(pages * rustix::param::page_size())
}
