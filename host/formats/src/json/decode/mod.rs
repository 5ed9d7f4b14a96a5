//! Bytes → Arrow columns by the declared schema. A record that cannot be decoded is an outcome, not an error.
//!
//! One seam, so that the decoder can be replaced: [`Decoder::decode`]. Behind it a record is read as those before it were
//! written (`template.rs`), and where it is not, key by key (`plain.rs`). What that does not take is parsed by `sonic-rs`, whose
//! visitors over the runtime schema write straight into column builders: records that are no good, numbers of many digits, rare
//! escapes. Nothing is allocated per row.
//!
//! What a record must be: one JSON object in UTF-8, nested at most [`NESTING_MAX`] deep, with nothing but white
//! space after it. Keys that no wanted column names are checked as JSON and skipped. A key that leads to a wanted
//! column and occurs twice makes the record undecodable: readers of JSON disagree about which one counts. `null`
//! and a missing key are the same, also on the way to a nested field. Numbers are not taken from strings, except
//! for decimals and where the column says so; an integer is taken however it is written (`5.0`, `5e0`), if it is one.

mod column;
mod lead;
mod moment;
mod number;
mod number_run;
mod plain;
mod plain_number;
mod reason;
mod shape;
mod skip;
mod template;
mod text;
mod trace;
mod visit;
mod wide;
mod word;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use column::ColumnBuilder;
use plain::{BYTES_BEHIND, Sight};
use reason::Fault;
use shape::Shape;
use sluicegate_model::schema::{Column, ColumnType, Schema, with_codes};
use sluicegate_model::varlen::Varlen;
use template::Template;

/// Objects and arrays within each other: more than anybody writes by hand, and few enough that skipping an
/// unknown field, which recurses in the parser, cannot exhaust the stack.
pub const NESTING_MAX: usize = 128;

/// What became of a run of records.
#[derive(Debug)]
pub struct Decoded {
    /// The rows that could be decoded, in order; the columns that were asked for, in the schema's order.
    pub batch: RecordBatch,
    /// For each row the record it came from, as an index into the block. None: all of the range, in order.
    pub records: Option<Vec<u32>>,
    /// The records that could not be decoded, ascending, with the reason for a person.
    pub rejects: Vec<(u32, String)>,
    /// How many records were read twice, because the one pass gave them up to the parser; rejects are among them.
    pub reread: u64,
}

/// Decodes JSON objects into the columns that somebody needs. One per worker: it keeps what it learned about the
/// order of keys.
pub struct Decoder {
    fields: SchemaRef,
    shape: Shape,
    template: Template,
    columns: Vec<ColumnBuilder>,
    /// Where each column stands in a record, for messages.
    paths: Vec<Vec<String>>,
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("fields", &self.fields).finish_non_exhaustive()
    }
}

impl Decoder {
    /// A decoder that makes the columns of `schema` at the indexes `wanted` (ascending), of which at least one stands in the
    /// value. Those that do not are somebody else's to add.
    pub fn new(schema: &Schema, wanted: &[usize]) -> Self {
        let wanted = wanted.iter().map(|&index| &schema.columns[index]);
        let columns: Vec<(&Column, &[String])> =
            wanted.filter_map(|column| Some((column, column.path()?))).collect();
        let fields: Vec<_> = columns.iter().map(|(column, _)| column.field()).collect();
        Self {
            fields: Arc::new(arrow::datatypes::Schema::new(fields)),
            shape: Shape::new(
                columns.iter().map(|(column, path)| (*path, column.kind == ColumnType::Json)),
            ),
            template: Template::new(),
            columns: columns.iter().map(|(column, _)| ColumnBuilder::new(column)).collect(),
            paths: columns.iter().map(|(_, path)| path.to_vec()).collect(),
        }
    }

    /// The same, with those columns of texts that stand in the value and whose indexes in `schema` are among `coded` as
    /// dictionaries (`UInt32` → `Utf8`), wherever rows share their texts. Each text stands in a row, and none before that of a lower
    /// code.
    pub fn with_codes(mut self, schema: &Schema, coded: &[usize]) -> Self {
        let names: Vec<_> = coded.iter().map(|index| &schema.columns[*index].name).collect();
        let columns = self.columns.iter_mut();
        columns
            .filter(|it| names.iter().any(|name| *name == it.name()))
            .for_each(ColumnBuilder::code);
        self
    }

    /// The Arrow schema of every batch that [`Decoder::decode`] makes, where no column is a dictionary.
    pub fn schema(&self) -> &SchemaRef {
        &self.fields
    }

    /// Decodes the records `range` of an arena. The same values whatever the split into ranges.
    pub fn decode(&mut self, values: &Varlen, range: Range<usize>) -> Decoded {
        let text = ArenaText::new(values, &range);
        for column in &mut self.columns {
            column.begin(range.len());
        }
        let mut taking =
            Taking { range: range.clone(), kept: None, rejects: Vec::new(), reread: 0 };
        let mut rows = 0;
        for index in range {
            match self.decode_record(&text, index, rows) {
                Some(filled) if filled == self.columns.len() && taking.kept.is_none() => rows += 1,
                filled => rows += self.settle(filled, rows, &text, index, &mut taking),
            }
        }
        let Taking { kept, rejects, reread, .. } = taking;
        Decoded { batch: self.finish(rows), records: kept, rejects, reread }
    }

    /// Appends values of one row: how many there are. None: they are a part of them, or of none.
    #[inline(always)]
    fn decode_record(&mut self, text: &ArenaText<'_>, index: usize, rows: usize) -> Option<usize> {
        self.shape.begin_record();
        let sight = text.sight(index)?;
        plain::decode(sight, rows, &mut self.template, &mut self.shape, &mut self.columns)
    }

    /// Makes a row of a record that may have left columns without a value, or has to be parsed; or none. How many it made.
    #[inline(never)]
    fn settle(
        &mut self,
        filled: Option<usize>,
        rows: usize,
        text: &ArenaText<'_>,
        index: usize,
        taking: &mut Taking,
    ) -> usize {
        let settled = match filled {
            Some(_) => self.fill(rows),
            None => text.record(index).and_then(|record| {
                taking.reread += 1;
                self.parse_record(record, rows)?;
                self.fill(rows)
            }),
        };
        match settled {
            Ok(()) => {
                taking.keep(index);
                1
            }
            Err(reason) => {
                for column in &mut self.columns {
                    column.truncate(rows);
                }
                taking.reject(index, reason);
                0
            }
        }
    }

    /// Columns of which the row has no value are null in it, if they may be.
    fn fill(&mut self, rows: usize) -> Result<(), String> {
        for column in &mut self.columns {
            if column.len() == rows && !column.push_null() {
                return Err(reason::missing(column.name()));
            }
        }
        Ok(())
    }

    /// Any record, whatever of it is in the columns already.
    fn parse_record(&mut self, record: &str, rows: usize) -> Result<(), String> {
        for column in &mut self.columns {
            column.truncate(rows);
        }
        if is_nested_too_deep(record.as_bytes()) {
            return Err(format!("nested more than {NESTING_MAX} objects and arrays deep"));
        }
        self.shape.begin_record();
        let mut fault = None;
        let parsed = visit::parse(record, &mut self.shape, &mut self.columns, rows, &mut fault);
        match (parsed, fault) {
            (Ok(()), None) => {}
            (Err(_), None) if record.is_empty() => return Err("the value is empty".to_owned()),
            (Err(_), None | Some(Fault::NotAnObject(_)))
                if let Some(reason) = reason::part_of_a_value(record) =>
            {
                return Err(reason);
            }
            (_, Some(fault)) => {
                let fault = fault.show_as_written(record, |column| &self.paths[column]);
                return Err(self.describe(&fault));
            }
            (Err(error), None) => {
                let foreign = reason::foreign_beginning(record.as_bytes());
                return Err(foreign.unwrap_or_else(|| reason::syntax(&error)));
            }
        }
        Ok(())
    }

    #[cold]
    fn describe(&self, fault: &Fault) -> String {
        reason::describe(fault, |column| {
            let column = &self.columns[column];
            (column.name(), column.kind())
        })
    }

    fn finish(&mut self, rows: usize) -> RecordBatch {
        let columns: Vec<_> = self.columns.iter_mut().map(|it| it.finish(rows)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(with_codes(&self.fields, &columns), columns, &options)
            .expect("every builder makes its field's type, and holds one value a row")
    }
}

/// What became of the records of a range so far, as in [`Decoded`].
struct Taking {
    range: Range<usize>,
    kept: Option<Vec<u32>>,
    rejects: Vec<(u32, String)>,
    reread: u64,
}

impl Taking {
    fn keep(&mut self, index: usize) {
        if let Some(kept) = &mut self.kept {
            kept.push(record_number(index));
        }
    }

    fn reject(&mut self, index: usize, reason: String) {
        self.kept.get_or_insert_with(|| {
            (record_number(self.range.start)..record_number(index)).collect()
        });
        self.rejects.push((record_number(index), reason));
    }
}

fn record_number(index: usize) -> u32 {
    u32::try_from(index).expect("a block has fewer than 2³² records")
}

/// The records of a range as text. UTF-8 is checked once over the whole arena, which is several times cheaper than
/// record by record; only if that fails is each record checked by itself.
struct ArenaText<'a> {
    values: &'a Varlen,
    /// The bytes of the range, and where they begin in the arena.
    whole: Option<(&'a str, usize)>,
}

impl<'a> ArenaText<'a> {
    fn new(values: &'a Varlen, range: &Range<usize>) -> Self {
        if range.is_empty() {
            return Self { values, whole: None };
        }
        let start = values.offsets[range.start] as usize;
        let end = values.offsets[range.end] as usize;
        let whole = simdutf8::basic::from_utf8(&values.bytes[start..end]).ok();
        Self { values, whole: whole.map(|text| (text, start)) }
    }

    /// A record with what stands behind it. None: it is no UTF-8.
    #[inline(always)]
    fn sight(&self, index: usize) -> Option<Sight<'a>> {
        let Some((text, start)) = self.whole else { return self.sight_alone(index) };
        let from = self.values.offsets[index] as usize - start;
        let to = self.values.offsets[index + 1] as usize - start;
        let behind = (to + BYTES_BEHIND).min(text.len());
        Some(Sight { bytes: &text.as_bytes()[from..behind], length: to - from })
    }

    #[inline(never)]
    fn sight_alone(&self, index: usize) -> Option<Sight<'a>> {
        let bytes = self.record(index).ok()?.as_bytes();
        Some(Sight { bytes, length: bytes.len() })
    }

    /// The record alone. One that begins or ends within a character is no UTF-8, though the whole is.
    fn record(&self, index: usize) -> Result<&'a str, String> {
        let bytes = self.values.value(index);
        str::from_utf8(bytes).map_err(|error| reason::not_utf8(bytes, error))
    }
}

/// Whether objects and arrays lie within each other more than [`NESTING_MAX`] times. Counts opening brackets first:
/// only a long record with many of them is looked at byte by byte.
#[inline]
fn is_nested_too_deep(record: &[u8]) -> bool {
    record.len() > 2 * NESTING_MAX
        && record.iter().filter(|&&byte| byte == b'{' || byte == b'[').count() > NESTING_MAX
        && depth(record) > NESTING_MAX
}

#[cold]
fn depth(record: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for &byte in record {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
