//! The rows of a chunk on their way through a turn, and what becomes of the records that they came from.

pub(super) mod codes;

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::take;
use arrow::datatypes::Schema;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use sluicegate_model::codes::values;
use sluicegate_model::dead_letter::DeadLetterKind;
use sluicegate_model::module::ModuleDigest;
use sluicegate_model::refusal::Refusal;
use sluicegate_model::schema::with_codes;
use sluicegate_model::time::EventTime;
use sluicegate_state::window::RowSelection;

use super::plan::FittedStage;
use codes::{Codes, is_dictionary};

/// A run of records of one block.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    /// Index of the block in the turn.
    pub(super) block: usize,
    /// Index of its partition in the lane.
    pub(super) partition: usize,
    /// Records of the block.
    pub(super) records: Range<usize>,
}

/// What became of one source record. The order is that of precedence: dead-lettered if any of it
/// was, else accepted if any row of it was, else late if any row of it was, else filtered
/// (docs/guarantees.md#g4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    Filtered,
    Late,
    Accepted,
    DeadLettered,
}

/// A record for the dead-letter table.
#[derive(Clone, Debug)]
pub(super) struct Condemned {
    /// Record of the block.
    pub(super) record: u32,
    /// Which step refused it: a stage's id, or the host's own step.
    pub(super) stage: Arc<str>,
    /// What kind of refusal.
    pub(super) kind: DeadLetterKind,
    /// For a person; of the first of its rows.
    pub(super) reason: String,
    /// How many rows of it the step refused; none if it refused the record itself.
    pub(super) rows: Option<i64>,
    /// The module that refused it, if one did.
    pub(super) module: Option<ModuleDigest>,
}

/// A chunk after its plugins.
pub(super) struct Prepared {
    pub(super) chunk: Chunk,
    pub(super) rows: Rows,
    /// The largest event time of its records.
    pub(super) max_event_time: Option<EventTime>,
    /// Its rows as they were decoded, until it is judged whether they jump; none if nobody asks.
    pub(super) seen: Option<Seen>,
    /// An event time that looks like another unit than its column's.
    pub(super) odd_time: Option<EventTime>,
    /// One per record of the chunk.
    pub(super) fates: Vec<Fate>,
    pub(super) condemned: Vec<Condemned>,
}

/// The rows of a chunk whose event time counts, as long as jumps are not judged.
#[derive(Debug)]
pub(super) struct Seen {
    /// Event time of each row, µs.
    pub(super) times: Vec<i64>,
    /// As in [`Rows`].
    pub(super) records: Option<Vec<u32>>,
    /// As in [`Rows`].
    pub(super) picked: Option<Vec<u32>>,
}

impl Seen {
    /// Calls with the record of the block and the event time of each row that counts.
    pub(super) fn each(&self, first: u32, mut call: impl FnMut(u32, i64)) {
        let mut row = |row: u32| {
            let record = self.records.as_ref().map_or(first + row, |it| it[row as usize]);
            call(record, self.times[row as usize]);
        };
        match &self.picked {
            Some(picked) => picked.iter().copied().for_each(&mut row),
            None => (0..self.times.len() as u32).for_each(&mut row),
        }
    }
}

impl Prepared {
    /// Raises the fates of the records of these rows of the batch.
    pub(super) fn raise_each(&mut self, rows: &[u32], fate: Fate) {
        let Self { rows: Rows { records, .. }, fates, chunk, .. } = self;
        for row in rows {
            let index = match records {
                Some(records) => records[*row as usize] as usize - chunk.records.start,
                None => *row as usize,
            };
            fates[index] = fate.max(fates[index]);
        }
    }

    /// Raises the fate of a record of the block.
    pub(super) fn raise(&mut self, record: u32, fate: Fate) {
        let slot = &mut self.fates[record as usize - self.chunk.records.start];
        *slot = fate.max(*slot);
    }

    /// Dead-letters the records of the rows that a plugin refused, which counts only those that were left.
    pub(super) fn condemn_each(&mut self, stage: &FittedStage, refusals: Vec<Refusal>) {
        for refusal in refusals {
            self.condemn(self.rows.nth(refusal.row), stage, refusal);
        }
    }

    /// Dead-letters the record that a row came from.
    pub(super) fn condemn(&mut self, row: u32, stage: &FittedStage, refusal: Refusal) {
        let record = self.rows.record(row as usize);
        self.raise(record, Fate::DeadLettered);
        // One letter for a record and stage: each holds all of the record.
        if let Some(last) = self.condemned.last_mut()
            && (last.record, &last.stage) == (record, &stage.id)
            && let Some(rows) = &mut last.rows
        {
            *rows += 1;
            return;
        }
        self.condemned.push(Condemned {
            record,
            stage: Arc::clone(&stage.id),
            kind: refusal.kind.into(),
            reason: refusal.reason,
            rows: Some(1),
            module: Some(stage.plugin.digest),
        });
    }

    /// Dead-letters a record by a step of the host, which stands in the table under this name.
    pub(super) fn condemn_by_host(
        &mut self,
        host_stage: &Arc<str>,
        record: u32,
        kind: DeadLetterKind,
        reason: String,
    ) {
        self.raise(record, Fate::DeadLettered);
        let stage = Arc::clone(host_stage);
        self.condemned.push(Condemned { record, stage, kind, reason, rows: None, module: None });
    }

    /// Dead-letters the one record of the chunk, of which a stage makes more than a turn can hold.
    pub(super) fn condemn_too_large(&mut self, stage: &FittedStage, bytes: usize, most: usize) {
        let record = self.rows.first;
        self.raise(record, Fate::DeadLettered);
        self.condemned.push(Condemned {
            record,
            stage: Arc::clone(&stage.id),
            kind: DeadLetterKind::TooLarge,
            reason: format!(
                "what the stage makes of this record has {bytes} bytes with the columns that its rows keep, a turn may \
                 hold {most}: let the plugin make fewer rows or keep fewer columns, or raise `limits.turn_bytes`"
            ),
            rows: None,
            module: Some(stage.plugin.digest),
        });
        self.rows.picked = Some(Vec::new());
    }
}

/// The rows that are left of a chunk. What travels with a row, hidden from plugins, stands beside
/// the batch (docs/design/decisions.md#d2). Columns are not compacted by a filter: only what
/// somebody reads next is gathered.
pub(super) struct Rows {
    /// Columns; rows that were dropped are still in it.
    pub(super) batch: RecordBatch,
    /// The rows that are left, ascending; all if none.
    pub(super) picked: Option<Vec<u32>>,
    /// Of those columns of the batch that somebody wanted by code.
    pub(super) codes: Codes,
    /// For each row of the batch its record in the block; row `i` is record `first + i` if none.
    pub(super) records: Option<Vec<u32>>,
    /// The first record of the chunk.
    pub(super) first: u32,
    /// Event time of each row, µs. It and the next are columns as Arrow has them: eight bytes a row, read by loops over
    /// all rows.
    pub(super) times: Vec<i64>,
    /// The largest event time in the chunk before each row's record, µs, ascending; `i64::MIN` if there was none.
    pub(super) before: Vec<i64>,
}

impl Rows {
    /// The record of the block that a row of the batch came from.
    pub(super) fn record(&self, row: usize) -> u32 {
        match &self.records {
            Some(records) => records[row],
            None => self.first + row as u32,
        }
    }

    /// How many rows are left.
    pub(super) fn len(&self) -> usize {
        self.picked.as_ref().map_or(self.batch.num_rows(), Vec::len)
    }

    /// The rows of the batch that are left, without a copy.
    pub(super) fn selection(&self) -> RowSelection<'_> {
        match &self.picked {
            Some(picked) => RowSelection::Picked(picked),
            None => RowSelection::All(self.batch.num_rows()),
        }
    }

    /// The rows of the batch that are left.
    pub(super) fn left(&self) -> Vec<u32> {
        match &self.picked {
            Some(picked) => picked.clone(),
            None => (0..self.batch.num_rows() as u32).collect(),
        }
    }

    /// Of the rows left only those stay whose bit is set.
    pub(super) fn keep(&mut self, bits: &BooleanBuffer) {
        let rows = self.len();
        let kept = bits.count_set_bits();
        if kept == rows {
            return;
        }
        // Every row is written and only those that stay are kept: a branch on a bit is a coin that is tossed.
        let mut picked = vec![0; rows];
        let mut end = 0;
        for (index, stays) in (0..).zip(bits) {
            picked[end] = self.nth(index);
            end += usize::from(stays);
        }
        picked.truncate(kept);
        self.picked = Some(picked);
    }

    /// The row of the batch that is number `index` among those left.
    pub(super) fn nth(&self, index: u32) -> u32 {
        self.picked.as_ref().map_or(index, |picked| picked[index as usize])
    }

    /// Gathers the rows left, with these columns only.
    pub(super) fn project(&self, columns: &[usize]) -> RecordBatch {
        project(&self.batch, columns, self.picked.as_deref())
    }

    /// The same; those of the columns whose place is in `by_code` are dictionaries if rows share their values.
    pub(super) fn project_coded(&mut self, columns: &[usize], by_code: &[usize]) -> RecordBatch {
        let Self { batch, picked, codes, .. } = self;
        let mut fields = Vec::with_capacity(columns.len());
        let mut arrays = Vec::with_capacity(columns.len());
        let indices =
            picked.as_ref().map(|picked| UInt32Array::from_iter_values(picked.iter().copied()));
        for (place, column) in columns.iter().enumerate() {
            let array = batch.column(*column);
            let coded =
                if by_code.contains(&place) { codes.dictionary(*column, array) } else { None };
            let array = coded.unwrap_or_else(|| Arc::clone(array));
            fields.push(Arc::clone(&batch.schema_ref().fields()[*column]));
            arrays.push(match &indices {
                Some(indices) => gather(&array, indices),
                None => array,
            });
        }
        let schema = with_codes(&Arc::new(Schema::new(fields)), &arrays);
        let options = RecordBatchOptions::new().with_row_count(Some(self.len()));
        RecordBatch::try_new_with_options(schema, arrays, &options)
            .expect("gathered columns have as many rows as were picked")
    }
}

/// The columns `columns` of a batch, with the rows `picked`, or without a copy if all are. Columns by code become values.
pub(super) fn project(
    batch: &RecordBatch,
    columns: &[usize],
    picked: Option<&[u32]>,
) -> RecordBatch {
    let has_codes = columns.iter().any(|column| is_dictionary(batch.column(*column)));
    let projected = batch.project(columns).expect("fitted columns are columns of the rows");
    if picked.is_none() && !has_codes {
        return projected;
    }
    let indices = picked.map(|picked| UInt32Array::from_iter_values(picked.iter().copied()));
    let pick = |column: &ArrayRef| {
        indices.as_ref().map_or_else(|| values(column), |rows| values(&gather(column, rows)))
    };
    let columns: Vec<ArrayRef> = projected.columns().iter().map(pick).collect();
    let rows = picked.map_or(batch.num_rows(), <[u32]>::len);
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let schema = with_codes(projected.schema_ref(), &columns);
    RecordBatch::try_new_with_options(schema, columns, &options)
        .expect("gathered columns have as many rows as were picked")
}

fn gather(column: &ArrayRef, indices: &UInt32Array) -> ArrayRef {
    take(column, indices, None).expect("picked rows are rows of the batch")
}
