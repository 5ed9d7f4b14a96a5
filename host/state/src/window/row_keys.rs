//! The keys of some rows by code: each key stands there once, encoded and hashed, and rows have its number.
//!
//! ```text
//!  store     berlin  oslo  berlin  oslo  rome      column 1, codes  0 1 0 1 2  ┐
//!  currency  EUR     NOK   EUR     EUR   EUR       column 2, codes  0 1 0 0 0  ┘ pairs, codes  0 1 0 2 3
//! ```
//!
//! Most batches have few keys and many rows. So a row costs one look into a small table, and finds its group by index
//! ([`super::state`]); what costs more is done once for each key. A batch of many keys gains nothing by that: its keys are
//! encoded row by row.
//!
//! Codes are those of one batch. They are never stored, and nothing is kept of them: no memory grows with the keys of a
//! stream, and no result depends on how its rows were cut into batches.

use arrow::array::ArrayRef;
use arrow::buffer::ScalarBuffer;
use sluicegate_model::codes::{Coded, Coder, Met, Packed, ROWS_PER_VALUE_MIN};
use sluicegate_model::varlen::Varlen;

use super::hash::{TableHash, key_shard};
use super::key::{self, RowSelection};
use super::packed::PackedColumn;

/// Keys of rows. Row `i` is the `i`th that they were made of.
#[derive(Debug, Default)]
pub struct RowKeys {
    /// For each row its key; none: row `i` has key `i`, and keys may be equal.
    codes: Option<Vec<u32>>,
    /// Encoded as in [`key`].
    keys: Varlen,
    /// Of each key.
    shards: Vec<u8>,
    hashes: Vec<TableHash>,
}

impl RowKeys {
    /// The keys of some rows of these columns. Panics where [`key::encode`] does.
    pub fn new(columns: &[ArrayRef], rows: &[u32]) -> Self {
        Self::with_codes(columns, &vec![None; columns.len()], rows)
    }

    /// The same, where the codes of some columns are known for all their rows.
    pub fn with_codes(columns: &[ArrayRef], known: &[Option<&ColumnCodes>], rows: &[u32]) -> Self {
        let coded = of_columns(columns, known, rows);
        let (codes, firsts) = coded.map_or((None, None), |it| (Some(it.codes), Some(it.firsts)));
        let encoded = firsts.as_deref().unwrap_or(rows);
        // Most keys are an id or a short name.
        let mut keys = Varlen::with_capacity(encoded.len(), encoded.len() * 16);
        key::encode(columns, RowSelection::Picked(encoded), &mut keys);
        let shards = keys.iter().map(key_shard).collect();
        let hashes = keys.iter().map(TableHash::of).collect();
        Self { codes, keys, shards, hashes }
    }

    /// For each row its key, below [`RowKeys::distinct`], if rows were found to share keys.
    pub fn codes(&self) -> Option<&[u32]> {
        self.codes.as_deref()
    }

    /// How many keys there are.
    pub fn distinct(&self) -> usize {
        self.keys.len()
    }

    /// The encoded key of a row.
    #[inline]
    pub fn key(&self, row: usize) -> &[u8] {
        self.keys.value(self.code(row))
    }

    /// The hash of a row's key.
    #[inline]
    pub fn hash(&self, row: usize) -> TableHash {
        self.hashes[self.code(row)]
    }

    /// The shard of a row's key.
    #[inline]
    pub fn shard(&self, row: usize) -> u8 {
        self.shards[self.code(row)]
    }

    #[inline]
    fn code(&self, row: usize) -> usize {
        self.codes.as_ref().map_or(row, |codes| codes[row] as usize)
    }
}

/// The codes of all rows of a column that few values share.
#[derive(Debug)]
pub struct ColumnCodes {
    codes: ScalarBuffer<u32>,
    firsts: Vec<u32>,
}

impl ColumnCodes {
    /// None: there are too many values, or they are of a type that has no packed form.
    pub fn new(column: &ArrayRef) -> Option<Self> {
        let Coded { codes, firsts } = of_column(column, 0..column.len() as u32)?;
        Some(Self { codes: codes.into(), firsts })
    }

    /// Those that a dictionary of so many values has, in which null has a code of its own. None: not each value is met in the order of
    /// its code, as where rows were taken out.
    pub fn of_dictionary(codes: &ScalarBuffer<u32>, values: usize) -> Option<Self> {
        let mut firsts = Vec::with_capacity(values);
        let mut rows = codes.iter().zip(0..);
        while firsts.len() < values {
            let (code, row) = rows.next()?;
            if *code as usize == firsts.len() {
                firsts.push(row);
            }
        }
        Some(Self { codes: codes.clone(), firsts })
    }

    /// Of each row. A clone of it is no copy.
    pub fn codes(&self) -> &ScalarBuffer<u32> {
        &self.codes
    }

    /// For each code the first row that has it.
    pub fn firsts(&self) -> &[u32] {
        &self.firsts
    }

    /// Of some rows. None: they are so few that a code costs more than it spares.
    fn of_rows(&self, rows: &[u32]) -> Option<Coded> {
        let Self { codes, firsts } = self;
        let codes: &[u32] = codes;
        (firsts.len() <= rows.len() / ROWS_PER_VALUE_MIN).then(|| Coded {
            codes: rows.iter().map(|row| codes[*row as usize]).collect(),
            firsts: firsts.clone(),
        })
    }
}

/// The codes of rows by all these columns. None: there are too many keys, or a column is of a type that has no packed form.
fn of_columns(columns: &[ArrayRef], known: &[Option<&ColumnCodes>], rows: &[u32]) -> Option<Coded> {
    let mut each = columns.iter().zip(known).map(|(column, known)| {
        let known = known.and_then(|codes| codes.of_rows(rows));
        known.or_else(|| of_column(column, rows.iter().copied()))
    });
    let mut all = each.next()??;
    for column in each {
        let Coded { codes, .. } = column?;
        let pairs = all.codes.iter().zip(&codes).map(|(left, right)| Packed::pair(*left, *right));
        all = code(pairs, rows.iter().copied(), |_, _| true)?;
    }
    Some(all)
}

fn of_column(column: &ArrayRef, rows: impl ExactSizeIterator<Item = u32> + Clone) -> Option<Coded> {
    let column = PackedColumn::new(column)?;
    let same = |row: u32, other: u32| column.same(row as usize, other as usize);
    // Nearly all keys are texts: a loop of their own does not ask at each row what the column holds.
    if let Some(texts) = column.texts() {
        let packed = rows.clone().map(|row| texts.packed(row as usize));
        return code(packed, rows, same);
    }
    let packed = rows.clone().map(|row| column.packed(row as usize));
    code(packed, rows, same)
}

/// The codes of `rows` by their packed values. `same` is asked of two rows whose values are packed alike and not whole.
#[inline]
fn code(
    packed: impl Iterator<Item = Packed>,
    rows: impl ExactSizeIterator<Item = u32>,
    same: impl Fn(u32, u32) -> bool,
) -> Option<Coded> {
    let mut coder = Coder::new(rows.len());
    for (packed, row) in packed.zip(rows) {
        let is_it = |code: u32, firsts: &[u32]| same(firsts[code as usize], row);
        if coder.push(packed, row, is_it) == Met::TooMany {
            return None;
        }
    }
    Some(coder.take())
}
