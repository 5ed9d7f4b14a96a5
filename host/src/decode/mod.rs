//! Bytes → Arrow columns by the declared schema. A record that cannot be decoded is an outcome, not an error.
//!
//! One seam, so that the decoder can be replaced: [`Decoder::decode`].

use std::ops::Range;

use arrow::record_batch::RecordBatch;

use crate::schema::Schema;
use crate::varlen::Varlen;

/// What became of a run of records.
#[derive(Debug)]
pub struct Decoded {
    /// The rows that could be decoded, in order; the columns that were asked for, in the schema's order.
    pub batch: RecordBatch,
    /// For each row the record it came from, as an index into the block. None: all of the range, in order.
    pub records: Option<Vec<u32>>,
    /// The records that could not be decoded, ascending, with the reason for a person.
    pub rejects: Vec<(u32, String)>,
}

/// Decodes JSON objects into the columns that somebody needs. One per worker: it keeps buffers.
#[derive(Debug)]
pub struct Decoder {
    schema: Schema,
    wanted: Vec<usize>,
}

impl Decoder {
    /// A decoder that makes the columns of `schema` at the indexes `wanted` (ascending, at least one).
    pub fn new(schema: &Schema, wanted: &[usize]) -> Self {
        Self { schema: schema.clone(), wanted: wanted.to_vec() }
    }

    /// Decodes the records `range` of an arena.
    pub fn decode(&mut self, values: &Varlen, range: Range<usize>) -> Decoded {
        let _ = (&self.schema, &self.wanted, values, range);
        todo!()
    }
}
