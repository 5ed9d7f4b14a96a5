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
use sluicegate_model::varlen::Varlen;

use super::hash::{PairHash, TableHash, key_shard};
use super::key::{self, RowSelection};
use super::packed::{Packed, PackedColumn};

/// With fewer rows to a key than this, a code costs more than it spares.
const ROWS_PER_KEY_MIN: usize = 4;

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
        let coded = Codes::of_columns(columns, known, rows);
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
        let Codes { codes, firsts } = Codes::of_column(column, 0..column.len() as u32)?;
        Some(Self { codes: codes.into(), firsts })
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
    fn of_rows(&self, rows: &[u32]) -> Option<Codes> {
        let Self { codes, firsts } = self;
        let codes: &[u32] = codes;
        (firsts.len() <= rows.len() / ROWS_PER_KEY_MIN).then(|| Codes {
            codes: rows.iter().map(|row| codes[*row as usize]).collect(),
            firsts: firsts.clone(),
        })
    }
}

/// Codes of rows.
#[derive(Debug)]
struct Codes {
    codes: Vec<u32>,
    /// For each code a row of the batch that has it: the first.
    firsts: Vec<u32>,
}

impl Codes {
    /// None: there are too many keys, or a column is of a type that has no packed form.
    fn of_columns(
        columns: &[ArrayRef],
        known: &[Option<&ColumnCodes>],
        rows: &[u32],
    ) -> Option<Self> {
        let mut each = columns.iter().zip(known).map(|(column, known)| {
            let known = known.and_then(|codes| codes.of_rows(rows));
            known.or_else(|| Self::of_column(column, rows.iter().copied()))
        });
        let mut all = each.next()??;
        for column in each {
            let Self { codes, .. } = column?;
            let pairs =
                all.codes.iter().zip(&codes).map(|(left, right)| Packed::pair(*left, *right));
            all = Self::of(pairs, rows.iter().copied(), |_, _| true)?;
        }
        Some(all)
    }

    fn of_column(
        column: &ArrayRef,
        rows: impl ExactSizeIterator<Item = u32> + Clone,
    ) -> Option<Self> {
        let column = PackedColumn::new(column)?;
        let same = |row: u32, other: u32| column.same(row as usize, other as usize);
        // Nearly all keys are texts: a loop of their own does not ask at each row what the column holds.
        if let Some(texts) = column.texts() {
            let packed = rows.clone().map(|row| texts.packed(row as usize));
            return Self::of(packed, rows, same);
        }
        let packed = rows.clone().map(|row| column.packed(row as usize));
        Self::of(packed, rows, same)
    }

    /// The codes of `rows` by their packed values. `same` is asked of two rows whose values are equal and not whole.
    #[inline]
    fn of(
        packed: impl Iterator<Item = Packed>,
        rows: impl ExactSizeIterator<Item = u32>,
        same: impl Fn(u32, u32) -> bool,
    ) -> Option<Self> {
        let most = rows.len() / ROWS_PER_KEY_MIN;
        // If nearly each row until there brings a key, most of the others will.
        let early = most / 2;
        let mut table = CodeTable::new(most);
        let mut codes = Vec::with_capacity(rows.len());
        let mut firsts: Vec<u32> = Vec::new();
        for (packed, row) in packed.zip(rows) {
            let code = table.find_or_insert(packed, |code| {
                packed.is_whole() || same(firsts[code as usize], row)
            });
            if code as usize == firsts.len() {
                let are_many = firsts.len() == early && codes.len() < early + early / 8;
                if firsts.len() == most || early > 0 && are_many {
                    return None;
                }
                firsts.push(row);
            }
            codes.push(code);
        }
        Some(Self { codes, firsts })
    }
}

/// Packed values → codes, in the order in which they come. Never more than half full.
struct CodeTable {
    /// Codes from 1 on, at a place that follows from the value's hash or behind it; 0 for none.
    slots: Vec<u32>,
    values: Vec<Packed>,
    hash: PairHash,
}

impl CodeTable {
    /// For one value more than `most`.
    fn new(most: usize) -> Self {
        let slots = (2 * (most + 1)).next_power_of_two();
        Self { slots: vec![0; slots], values: Vec::new(), hash: PairHash::new() }
    }

    /// The code of a value: the next one, if there is none for which `is_it` is true.
    #[inline]
    fn find_or_insert(&mut self, packed: Packed, is_it: impl Fn(u32) -> bool) -> u32 {
        let mask = self.slots.len() - 1;
        let mut slot = self.hash.of(packed.halves()) as usize & mask;
        loop {
            match self.slots[slot] {
                0 => {
                    self.values.push(packed);
                    self.slots[slot] = self.values.len() as u32;
                    return self.slots[slot] - 1;
                }
                next => {
                    let code = next - 1;
                    if self.values[code as usize] == packed && is_it(code) {
                        return code;
                    }
                }
            }
            slot = (slot + 1) & mask;
        }
    }
}
