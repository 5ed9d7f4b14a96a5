//! Whole plugins in native unit tests: configuration, columns, calls and all, on tables written as text.
//!
//! A table has a line of column names and a line for each row, with `|` between the cells:
//!
//! ```text
//! store   | price | item
//! store-1 | 12.50 | pear
//! store-2 |  3.00 | null
//! ```
//!
//! Times are numbers, microseconds (or a number with a unit: `90s`) or days since 1970; `null` is no value, `""` the empty text. The columns may stand
//! in any order; those the plugin does not read are left out, as the host does. Answers come back as lines of the same
//! form, without a head. For a single row it is simpler to call the function itself.
//!
//! A table that does not fit the plugin is a mistake of the test, and panics.

mod process;
mod table;

pub use process::process;
use table::Table;

use crate::varlen::Varlen;
use crate::{
    Accumulate, AggregatePlugin, Config, Description, FilterPlugin, MapPlugin, OwnedColumn, Reject,
    Timestamp, VarlenRef, Window,
};

/// What a plugin answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its rows, as lines of cells.
    pub rows: Vec<String>,
    /// The rows it refused: `row 2: the price has digits beyond cents`. Rows count from 0.
    pub rejects: Vec<String>,
}

/// Runs a filter; the rows of the answer are those it keeps, with the columns it reads.
///
/// # Errors
/// What the plugin says of the configuration.
pub fn filter<P: FilterPlugin>(
    _: P,
    config: &[(&str, &str)],
    rows: &str,
) -> Result<Answer, String> {
    let table = Table::parse(rows, P::describe().inputs);
    let answer =
        P::init(&configuration(config, &table))?.filter(&table.batch(0..table.rows()).borrow());
    let kept = |row: &usize| answer.keep[row / 8] >> (row % 8) & 1 == 1;
    let lines = (0..table.rows()).filter(kept).map(|row| table.line(row)).collect();
    Ok(Answer { rows: lines, rejects: reject_lines(&answer.rejects) })
}

/// Runs a map; the rows of the answer are the source row, counted from 0, and the columns of the output.
///
/// # Errors
/// What the plugin says of the configuration.
pub fn map<P: MapPlugin>(_: P, config: &[(&str, &str)], rows: &str) -> Result<Answer, String> {
    let description = P::describe();
    let table = Table::parse(rows, description.inputs);
    let answer =
        P::init(&configuration(config, &table))?.map(&table.batch(0..table.rows()).borrow());
    let lines = output_lines(&description, &answer.columns, &answer.source_rows);
    Ok(Answer { rows: lines, rejects: reject_lines(&answer.rejects) })
}

/// Runs an aggregate; the rows of the answer are the group and the columns of the output.
///
/// A column `group` of the table, with small numbers, says which group a row belongs to; without it there is one
/// group, 0. The window is the first minute of 1970.
///
/// Also checks what the host relies on, and panics if it does not hold: the rows that are not refused give the same
/// result when they come one a call, and when they are cut in two anywhere and merged. Floating-point results may
/// differ by one part in 10⁹.
///
/// # Errors
/// What the plugin says of the configuration.
pub fn aggregate<P: AggregatePlugin>(
    _: P,
    config: &[(&str, &str)],
    rows: &str,
) -> Result<Answer, String> {
    let description = P::describe();
    let table = Table::parse(rows, description.inputs);
    let plugin = P::init(&configuration(config, &table))?;
    let run = Run { plugin: &*plugin, description: &description, table: &table };
    let (states, rejects) = run.update(0..table.rows(), run.no_states());
    let rows = run.evaluate(&states);

    let taken = table.without(&rejects);
    Run { table: &taken, ..run }.check_laws(&rows);
    Ok(Answer { rows, rejects: reject_lines(&rejects) })
}

struct Run<'t> {
    plugin: &'t dyn Accumulate,
    description: &'t Description,
    table: &'t Table,
}

impl Run<'_> {
    fn no_states(&self) -> Varlen {
        Varlen { offsets: vec![0; self.table.groups() + 1], bytes: Vec::new() }
    }

    fn update(&self, rows: std::ops::Range<usize>, states: Varlen) -> (Varlen, Vec<Reject>) {
        let batch = self.table.batch(rows.clone());
        let answer =
            self.plugin.update(&batch.borrow(), &self.table.group_of[rows], states.borrow());
        (answer.states, answer.rejects)
    }

    fn check_laws(&self, expected: &[String]) {
        let rows = self.table.rows();
        let one_a_call = |states, row| self.update(row..row + 1, states).0;
        let states = (0..rows).fold(self.no_states(), one_a_call);
        table::assert_same(expected, &self.evaluate(&states), "with the rows one a call");
        for cut in 0..=rows {
            let left = self.update(0..cut, self.no_states()).0;
            let right = self.update(cut..rows, self.no_states()).0;
            let merged = self.plugin.merge(left.borrow(), right.borrow());
            table::assert_same(expected, &self.evaluate(&merged), "with the rows cut and merged");
        }
    }

    fn evaluate(&self, states: &Varlen) -> Vec<String> {
        let minute = Window { start: Timestamp(0), end: Timestamp(60_000_000) };
        let states: VarlenRef<'_> = states.borrow();
        let answer = self.plugin.evaluate(&vec![minute; states.len()], states);
        output_lines(self.description, &answer.columns, &answer.groups)
    }
}

fn configuration(pairs: &[(&str, &str)], table: &Table) -> Config {
    let given = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Config::new(given.chain(table.decimal_digits()))
}

fn output_lines(description: &Description, columns: &[OwnedColumn], of: &[u32]) -> Vec<String> {
    let line = |(row, of): (usize, &u32)| {
        let cells = output_cells(description, columns, row);
        std::iter::once(of.to_string()).chain(cells).collect::<Vec<_>>().join(" | ")
    };
    of.iter().enumerate().map(line).collect()
}

fn output_cells(
    description: &Description,
    columns: &[OwnedColumn],
    row: usize,
) -> impl Iterator<Item = String> {
    let columns = columns.iter().zip(description.outputs);
    columns.map(move |(column, spec)| table::cell(&column.borrow(), spec, row))
}

fn reject_lines(rejects: &[Reject]) -> Vec<String> {
    rejects.iter().map(|reject| format!("row {}: {}", reject.row, reject.reason)).collect()
}
