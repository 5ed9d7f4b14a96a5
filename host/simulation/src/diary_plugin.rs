//! A process plugin in native code: it writes down the ids of its key, and speaks by rows and timers.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::record_batch::RecordBatch;
use sluicegate_model::time::EventTime;
use sluicegate_model::timers::{KeyedGroups, Timer};
use sluicegate_model::varlen::Varlen;
use sluicegate_sandbox::plugin::answer::{KeyedAnswer, KeyedRows, TimerAnswer};
use sluicegate_sandbox::plugin::guest::{Guest, Instance, KeyedGuest, StatefulGuest};
use sluicegate_sandbox::plugin::{Code, PluginError};

use super::diary_key::{Key, Said};

/// The column that each of them makes.
pub(crate) const OUTPUT: &str = "ids";

const SECOND: i64 = 1_000_000;

/// See the module's page.
pub(crate) struct DiaryOfKeys;

impl Code for DiaryOfKeys {
    fn instantiate(&self, _: &[(String, String)]) -> Result<Instance, PluginError> {
        Ok(Instance::Keyed(Box::new(Self)))
    }
}

fn seconds(time: EventTime) -> i64 {
    time.micros().div_euclid(SECOND)
}

fn read(groups: &KeyedGroups) -> Vec<Key> {
    let key = |group| Key {
        state: String::from_utf8_lossy(groups.states.value(group)).into_owned(),
        timers: groups.timers.get(group).map(|timer| (seconds(timer.time), timer.id)).collect(),
    };
    (0..groups.len()).map(key).collect()
}

fn write(keys: &[Key]) -> KeyedGroups {
    let mut groups = KeyedGroups::default();
    for Key { state, timers } in keys {
        let timer = |(at, id): &(i64, u32)| Timer { time: EventTime(at * SECOND), id: *id };
        groups.push(state.as_bytes(), timers.iter().map(timer));
    }
    groups
}

/// A column of what was said.
fn batch(said: &[(i64, String)]) -> RecordBatch {
    let column: ArrayRef = Arc::new(StringArray::from_iter_values(said.iter().map(|(_, it)| it)));
    let batch = RecordBatch::try_from_iter_with_nullable([(OUTPUT, column, false)]);
    batch.expect("one column")
}

impl Guest for DiaryOfKeys {}

impl KeyedGuest for DiaryOfKeys {
    fn process(
        &mut self,
        rows: &KeyedRows<'_>,
        groups: &KeyedGroups,
    ) -> Result<KeyedAnswer, PluginError> {
        let (mut keys, mut said, mut source_rows) = (read(groups), Said::new(), Vec::new());
        for (row, id) in rows.batch.column(0).as_string::<i32>().iter().enumerate() {
            let key = &mut keys[rows.groups[row] as usize];
            key.advance(seconds(rows.watermarks[row]), &mut said);
            if rows.expired[row] {
                key.expire();
            }
            key.row(seconds(rows.times[row]), id.unwrap_or_default(), &mut said);
            source_rows.resize(said.len(), u32::try_from(row).expect("rows of a batch"));
        }
        let times = said.iter().map(|(at, _)| EventTime(at * SECOND)).collect();
        let (groups, batch) = (write(&keys), batch(&said));
        Ok(KeyedAnswer { groups, batch, source_rows, times, rejects: Vec::new() })
    }

    fn on_timer(
        &mut self,
        fired: &[Timer],
        groups: &KeyedGroups,
    ) -> Result<TimerAnswer, PluginError> {
        let (mut keys, mut said) = (read(groups), Said::new());
        for (key, timer) in keys.iter_mut().zip(fired) {
            key.fire((seconds(timer.time), timer.id), &mut said);
        }
        let of = (0..).take(said.len()).collect();
        Ok(TimerAnswer { groups: write(&keys), batch: batch(&said), of })
    }
}

impl StatefulGuest for DiaryOfKeys {
    fn migrate(&mut self, _: u32, _: &Varlen) -> Result<Varlen, PluginError> {
        unreachable!("one version only")
    }
}
