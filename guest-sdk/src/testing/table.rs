//! Tables as text, and the columns they stand for.

use std::ops::Range;
use std::str::FromStr;

use crate::column::Value;
use crate::output::{
    BitBuilder, ColumnBuilder, Decimal38Builder, OutputValue, OwnedColumn, OwnedValues,
};
use crate::varlen::Varlen;
use crate::{
    Batch, Column, ColumnSpec, ColumnType, Date, Decimal38, DecimalType, Reject, Span, Timestamp,
};

/// A parsed table: of each row the cells of the plugin's inputs, in their order.
pub(super) struct Table {
    inputs: &'static [ColumnSpec],
    cells: Vec<Vec<String>>,
    /// For each row its group.
    pub(super) group_of: Vec<u32>,
    groups: usize,
    /// For each input its digits; none for what is no decimal.
    digits: Vec<Option<DecimalType>>,
}

/// Columns that a batch can borrow.
pub(super) struct OwnedBatch {
    rows: usize,
    columns: Vec<OwnedColumn>,
}

impl OwnedBatch {
    pub(super) fn borrow(&self) -> Batch<'_> {
        Batch { rows: self.rows, columns: self.columns.iter().map(OwnedColumn::borrow).collect() }
    }
}

impl Table {
    pub(super) fn parse(text: &str, inputs: &'static [ColumnSpec]) -> Self {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(split);
        let head = lines.next().expect("a table has a line of column names");
        let place = |name: &str| head.iter().position(|column| column == name);
        let places: Vec<_> = inputs
            .iter()
            .map(|input| {
                place(input.name)
                    .unwrap_or_else(|| panic!("the table lacks column `{}`", input.name))
            })
            .collect();
        let group = place("group").filter(|_| inputs.iter().all(|input| input.name != "group"));
        let (mut cells, mut group_of) = (Vec::new(), Vec::new());
        for row in lines {
            assert_eq!(row.len(), head.len(), "row {row:?} has as many cells as the head");
            group_of.push(group.map_or(0, |place| number(&row[place])));
            cells.push(places.iter().map(|place| row[*place].clone()).collect());
        }
        let digits = inputs.iter().enumerate().map(|(index, input)| digits(input, index, &cells));
        let digits = digits.collect();
        let groups = group_of.iter().max().map_or(1, |last| *last as usize + 1);
        Self { inputs, cells, group_of, groups, digits }
    }

    pub(super) fn rows(&self) -> usize {
        self.cells.len()
    }

    /// How many groups there are, those without rows included.
    pub(super) fn groups(&self) -> usize {
        self.groups
    }

    /// The rows that were not refused.
    pub(super) fn without(&self, rejects: &[Reject]) -> Self {
        let refused = |row: usize| rejects.iter().any(|reject| reject.row as usize == row);
        let taken: Vec<_> = (0..self.rows()).filter(|row| !refused(*row)).collect();
        Self {
            cells: taken.iter().map(|row| self.cells[*row].clone()).collect(),
            group_of: taken.iter().map(|row| self.group_of[*row]).collect(),
            digits: self.digits.clone(),
            ..*self
        }
    }

    /// Row `row` as a line of its cells.
    pub(super) fn line(&self, row: usize) -> String {
        self.cells[row].join(" | ")
    }

    /// The keys under which the host gives the digits of decimals.
    pub(super) fn decimal_digits(&self) -> impl Iterator<Item = (String, String)> {
        let decimals = self.inputs.iter().zip(&self.digits);
        let decimals = decimals.filter_map(|(column, digits)| Some((column.name, (*digits)?)));
        decimals.flat_map(|(name, DecimalType { precision, scale })| {
            [("scale", scale), ("precision", precision)]
                .map(|(what, digits)| (format!("decimal-{what}:{name}"), digits.to_string()))
        })
    }

    pub(super) fn batch(&self, rows: Range<usize>) -> OwnedBatch {
        let cells = &self.cells[rows];
        let columns = self.inputs.iter().enumerate().map(|(index, input)| {
            let cells: Vec<_> = cells.iter().map(|row| value(&row[index])).collect();
            column_of(input, self.digits[index], &cells)
        });
        OwnedBatch { rows: cells.len(), columns: columns.collect() }
    }
}

fn split(line: &str) -> Vec<String> {
    line.split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// The times in a column of a table, which need not be one that the plugin reads.
pub(super) fn column(text: &str, name: &str) -> Option<Vec<i64>> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(split);
    let place = lines.next()?.iter().position(|column| column == name)?;
    Some(lines.map(|cells| micros(&cells[place])).collect())
}

/// A time in microseconds, or with a unit.
fn micros(cell: &str) -> i64 {
    cell.parse().unwrap_or_else(|_| number::<Span>(cell).0)
}

/// A cell's value; none is null.
fn value(cell: &str) -> Option<&str> {
    match cell {
        "null" => None,
        "\"\"" => Some(""),
        cell => Some(cell),
    }
}

fn number<T: FromStr>(cell: &str) -> T {
    let kind = std::any::type_name::<T>();
    cell.parse().unwrap_or_else(|_| panic!("cell `{cell}` cannot be read as {kind}"))
}

/// The declared digits; or as many behind the point as the longest cell has, and in all as many as there can be.
fn digits(input: &ColumnSpec, index: usize, cells: &[Vec<String>]) -> Option<DecimalType> {
    let precision = match input.column_type {
        ColumnType::Decimal(None) => 18,
        ColumnType::Decimal38(None) => 38,
        ColumnType::Decimal(digits) | ColumnType::Decimal38(digits) => return digits,
        _ => return None,
    };
    let cells = cells.iter().filter_map(|row| value(&row[index]));
    let scale = cells.map(|cell| number::<Decimal38>(cell).scale()).max().unwrap_or(0);
    Some(DecimalType { precision, scale })
}

fn column_of(
    input: &'static ColumnSpec,
    digits: Option<DecimalType>,
    cells: &[Option<&str>],
) -> OwnedColumn {
    let nulls = cells.iter().any(Option::is_none);
    assert!(
        input.nullable || !nulls,
        "column `{}` is an `Option` if the table has nulls",
        input.name
    );
    let values = match input.column_type {
        ColumnType::Boolean => OwnedValues::Boolean(bits(input, numbers::<bool>(cells))),
        ColumnType::Int64 => OwnedValues::Int64(numbers(cells).collect()),
        ColumnType::Float64 => OwnedValues::Float64(numbers(cells).collect()),
        ColumnType::TimestampUs => {
            let times = cells.iter().map(|cell| cell.map_or(0, micros));
            OwnedValues::TimestampUs(times.collect())
        }
        ColumnType::Date => OwnedValues::Date(numbers(cells).collect()),
        ColumnType::Decimal(_) | ColumnType::Decimal38(_) => {
            let mut column =
                Decimal38Builder::of(input.name, digits.expect("a decimal has digits"));
            numbers::<Decimal38>(cells).for_each(|value| value.append_to(&mut column));
            column.finish().values
        }
        ColumnType::Utf8 | ColumnType::Text => OwnedValues::Utf8(texts(cells)),
        ColumnType::Binary => OwnedValues::Binary(texts(cells)),
    };
    let validity = nulls.then(|| bits(input, cells.iter().map(Option::is_some)));
    OwnedColumn { values, validity }
}

fn numbers<T: FromStr + Default>(cells: &[Option<&str>]) -> impl Iterator<Item = T> {
    cells.iter().map(|cell| cell.map_or_else(T::default, number))
}

fn texts(cells: &[Option<&str>]) -> Varlen {
    let mut texts = Varlen::new();
    cells.iter().for_each(|cell| texts.push(cell.unwrap_or_default().as_bytes()));
    texts
}

fn bits(input: &'static ColumnSpec, values: impl Iterator<Item = bool>) -> Vec<u8> {
    let mut bits = BitBuilder::new(input);
    values.for_each(|value| bits.push_bit(value));
    bits.into_bytes()
}

/// The cell of a column, as a table writes it.
pub(super) fn cell(column: &Column<'_>, spec: &ColumnSpec, row: usize) -> String {
    let text = match spec.column_type {
        ColumnType::Boolean => read::<bool>(column, row, 0).map(|v| v.to_string()),
        ColumnType::Int64 => read::<i64>(column, row, 0).map(|v| v.to_string()),
        ColumnType::Float64 => read::<f64>(column, row, 0).map(|v| v.to_string()),
        ColumnType::TimestampUs => read::<Timestamp>(column, row, 0).map(|v| v.0.to_string()),
        ColumnType::Date => read::<Date>(column, row, 0).map(|v| v.0.to_string()),
        ColumnType::Decimal(digits) | ColumnType::Decimal38(digits) => {
            let scale = digits.map_or(0, |digits| digits.scale);
            read::<Decimal38>(column, row, scale).map(|v| v.to_string())
        }
        ColumnType::Utf8 | ColumnType::Text => read::<&str>(column, row, 0).map(str::to_owned),
        ColumnType::Binary => {
            read::<&[u8]>(column, row, 0).map(|v| String::from_utf8_lossy(v).into_owned())
        }
    };
    match text {
        None => "null".to_owned(),
        Some(text) if text.is_empty() => "\"\"".to_owned(),
        Some(text) => text,
    }
}

fn read<'a, T: Value>(column: &Column<'a>, row: usize, scale: u8) -> Option<T::At<'a>> {
    let reader = <Option<T> as Value>::reader(column, row + 1, scale);
    <Option<T> as Value>::get(&reader.expect("an output has the type of its column"), row)
}

/// Panics unless both tables say the same, floating-point numbers to one part in 10⁹.
pub(super) fn assert_same(expected: &[String], found: &[String], how: &str) {
    let same_cell = |a: &str, b: &str| match (a.parse::<f64>(), b.parse::<f64>()) {
        _ if a == b => true,
        (Ok(a), Ok(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
        _ => false,
    };
    let same_line = |(a, b): (&String, &String)| {
        let (a, b) = (split(a), split(b));
        a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| same_cell(a, b))
    };
    let same = expected.len() == found.len() && expected.iter().zip(found).all(same_line);
    assert!(same, "the result differs {how}:\n  in one call: {expected:#?}\n  so: {found:#?}");
}
