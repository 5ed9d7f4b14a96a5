//! Rows that a plugin makes in several calls, put together as one batch.

use std::ops::Range;

use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::outcome::{Refused, index};
use crate::plugin::PluginError;

/// Bytes of states that a plugin may give back for one batch: below the 2 GiB that an Arrow column of text can hold, and
/// some hundred times what a batch takes.
const STATES_BYTES_MAX: usize = 1 << 30;
/// Bytes of rows that a plugin may make of one batch: some sixty times what a batch takes. Each worker may hold as much.
const MADE_BYTES_MAX: usize = 256 << 20;

/// Whether there is room for `more` bytes of states beside those that came back for a batch.
pub(crate) fn admit(bytes: usize, more: usize) -> Result<(), PluginError> {
    within(STATES_BYTES_MAX, bytes, more)
}

fn within(bytes_max: usize, bytes: usize, more: usize) -> Result<(), PluginError> {
    if bytes.saturating_add(more) <= bytes_max {
        return Ok(());
    }
    Err(PluginError::Answer(format!("more than {bytes_max} bytes came back for one batch")))
}

/// Rows that a plugin made, call by call, and where each comes from.
pub(crate) struct Made {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    sources: Vec<u32>,
    bytes: usize,
    overflowed: bool,
}

impl Made {
    pub(crate) fn new(schema: &SchemaRef) -> Self {
        Self {
            schema: SchemaRef::clone(schema),
            batches: Vec::with_capacity(1),
            sources: Vec::new(),
            bytes: 0,
            overflowed: false,
        }
    }

    /// The rows that one call made of a part.
    pub(crate) fn push(
        &mut self,
        part: &Range<usize>,
        batch: RecordBatch,
        sources: Vec<u32>,
    ) -> Result<(), Refused> {
        if let Err(fault) = self.admit(&batch) {
            self.overflowed = true;
            return Err(Refused::by(&fault));
        }
        self.push_admitted(part, batch, sources);
        Ok(())
    }

    /// Whether rows were refused for want of room.
    pub(crate) fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    /// Whether there is room for these rows.
    pub(crate) fn admit(&self, batch: &RecordBatch) -> Result<(), PluginError> {
        within(MADE_BYTES_MAX, self.bytes, batch.get_array_memory_size())
    }

    /// Rows for which there is room.
    pub(crate) fn push_admitted(
        &mut self,
        part: &Range<usize>,
        batch: RecordBatch,
        mut sources: Vec<u32>,
    ) {
        self.bytes += batch.get_array_memory_size();
        self.batches.push(batch);
        if self.sources.is_empty() && part.start == 0 {
            self.sources = sources;
        } else {
            let start = index(part.start);
            sources.iter_mut().for_each(|source| *source += start);
            self.sources.append(&mut sources);
        }
    }

    /// All rows, and the row or group that each comes from.
    pub(crate) fn finish(mut self) -> (RecordBatch, Vec<u32>) {
        if self.batches.len() == 1 {
            return (self.batches.swap_remove(0), self.sources);
        }
        let batch = concat_batches(&self.schema, &self.batches)
            .expect("all have the output schema, and their bytes are bounded");
        (batch, self.sources)
    }
}
