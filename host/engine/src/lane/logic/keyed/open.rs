//! Keys that live, for somebody who asks: how much state each has, and when its next timer fires. What the state means is for the
//! plugin, which is not asked.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use crate::lane::asked::WindowsAsked;
use crate::lane::logic::wanted::is_wanted;
use crate::lane::plan::Grouped;
use sluicegate_model::schema::timestamp_type;
use sluicegate_model::time::thread_cpu_nanos;
use sluicegate_state::keyed::KeyedTable;
use sluicegate_state::window::key;

/// Keys that are looked at between two looks at the clock.
const AT_ONCE: usize = 256;

/// The columns: the key, then these.
pub(super) fn schema(grouped: &Grouped) -> SchemaRef {
    let own = [
        Field::new("state_bytes", DataType::Int64, false),
        Field::new("timers", DataType::Int64, false),
        Field::new("next_timer", timestamp_type(), true),
    ];
    let key = grouped.key_fields.iter().map(Arc::clone);
    Arc::new(Schema::new(key.chain(own.map(Arc::new)).collect::<Vec<_>>()))
}

/// At most `rows` keys that are wanted, within CPU time, and how many were looked at.
pub(super) fn keys(
    grouped: &Grouped,
    table: &KeyedTable,
    asked: &WindowsAsked,
    nanos: u64,
) -> (RecordBatch, usize) {
    let end = thread_cpu_nanos().saturating_add(nanos);
    let (mut found, mut seen) = (Vec::new(), 0);
    let mut ids = table.ids().peekable();
    while ids.peek().is_some() && found.len() < asked.rows && thread_cpu_nanos() < end {
        let some: Vec<u32> = ids.by_ref().take(AT_ONCE).collect();
        let wanted = is_wanted(grouped, asked, some.iter().map(|id| table.key(*id)));
        let room = asked.rows - found.len();
        seen += some.len() - wanted.len().saturating_sub(room);
        found.extend(wanted.iter().take(room).map(|index| some[*index]));
    }
    (rows(grouped, table, &found), seen)
}

fn rows(grouped: &Grouped, table: &KeyedTable, ids: &[u32]) -> RecordBatch {
    let mut columns: Vec<ArrayRef> =
        key::decode(&grouped.key_fields, ids.iter().map(|id| table.key(*id)));
    let bytes = ids.iter().map(|id| table.state(*id).len() as i64);
    columns.push(Arc::new(Int64Array::from_iter_values(bytes)));
    let timers = ids.iter().map(|id| table.timers(*id).len() as i64);
    columns.push(Arc::new(Int64Array::from_iter_values(timers)));
    let next = ids.iter().map(|id| table.timers(*id).first().map(|timer| timer.time.micros()));
    let next: TimestampMicrosecondArray = next.collect();
    columns.push(Arc::new(next.with_timezone("UTC")));
    RecordBatch::try_new(schema(grouped), columns).expect("the columns are those of the schema")
}
