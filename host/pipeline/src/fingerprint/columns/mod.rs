//! The columns of the tables that a pipeline has written, as the chain keeps them, and what to say when they changed.
//!
//! Files of one table lie beside each other for years, and readers take them for one thing: so a column keeps its name
//! and its type. Columns that may be null come and go, because a file without one reads as null.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use sluicegate_model::schema::type_name;

/// A table as a pipeline would write it.
#[derive(Clone, Debug)]
pub struct TableColumns {
    /// The sink's id, or `late`.
    pub id: String,
    /// Where its files lie, as the pipeline file says it: a folder that moves with its pipeline is the same table.
    pub place: String,
    /// The columns of its files.
    pub schema: SchemaRef,
}

/// The files of a table were written with other columns than those of the pipeline file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the table `{table}` in {place} has {}: {}; put that back, or give the table another `path`",
    file.as_ref().map_or_else(
        || "files with other columns".to_owned(),
        |file| format!("a file with other columns, `{file}`")
    ),
    changes.join("; ")
)]
pub struct TableConflict {
    /// A sink's id, or that of dead letters or late rows.
    pub table: String,
    /// The table's folder or URL, for the message.
    pub place: String,
    /// The file that was looked at, below that; none if the chain says so.
    pub file: Option<String>,
    /// One sentence each; at least one.
    pub changes: Vec<String>,
}

/// The beginning of the names under which tables stand among the fingerprints.
pub(super) const TABLE: &str = "table ";
/// Between the columns and the place of a table. No name or type of a column has it.
const PLACE: &str = " in ";
const NULLABLE: char = '?';

/// Type and nullability of a column by its name.
type Columns<'a> = BTreeMap<&'a str, (String, bool)>;

impl TableColumns {
    /// The name under which it stands among the fingerprints.
    pub fn key(&self) -> String {
        format!("{TABLE}{}", self.id)
    }

    /// The fingerprint of its columns, with those that older files have: `n int64, store string? in data/results`.
    pub fn part(&self, old: &BTreeMap<String, String>) -> String {
        let mut columns = columns_of(&self.schema);
        for (name, (kind, nullable)) in self.before(old).flat_map(|(_, columns)| columns) {
            // What newer files lack is null in them.
            let column = columns.entry(name).or_insert((kind, true));
            column.1 |= nullable;
        }
        let column = |(name, (kind, nullable)): (&&str, &(String, bool))| {
            format!("{name} {kind}{}", if *nullable { "?" } else { "" })
        };
        let columns = columns.iter().map(column).collect::<Vec<_>>().join(", ");
        format!("{columns}{PLACE}{}", self.place)
    }

    /// Whether files with these columns may lie beside those that the fingerprints `old` know.
    ///
    /// # Errors
    /// What changed, and what can be done.
    pub fn check(&self, old: &BTreeMap<String, String>) -> Result<(), TableConflict> {
        let is = columns_of(&self.schema);
        let mut changes = Vec::new();
        for (table, was) in self.before(old) {
            changes.extend(changed(&was, &is, &table));
        }
        if changes.is_empty() {
            return Ok(());
        }
        Err(self.conflict(None, changes))
    }

    /// Whether files with these columns may lie beside one with those of `found`. Columns may be in one only: of whether
    /// they may, the chain knows more.
    ///
    /// # Errors
    /// The columns of another type, or whose names differ in their case.
    pub fn check_file(&self, path: &str, found: &Schema) -> Result<(), TableConflict> {
        let (was, is) = (columns_of(found), columns_of(&self.schema));
        let both = is.iter().filter_map(|(name, (now, _))| Some((name, &was.get(name)?.0, now)));
        let other_type = both.filter(|(_, before, now)| before != now);
        let mut changes: Vec<String> = other_type
            .map(|(name, before, now)| format!("`{name}` is {before} there and would be {now}"))
            .collect();
        for (name, before) in other_case(&was, &is) {
            changes.push(format!("`{name}` differs from `{before}` there in its case only"));
        }
        if changes.is_empty() {
            return Ok(());
        }
        Err(self.conflict(Some(path.to_owned()), changes))
    }

    /// Whether the fingerprints know files at this place.
    pub fn is_known(&self, known: &BTreeMap<String, String>) -> bool {
        self.before(known).next().is_some()
    }

    fn conflict(&self, file: Option<String>, changes: Vec<String>) -> TableConflict {
        TableConflict { table: self.id.clone(), place: self.place.clone(), file, changes }
    }

    /// The tables that were written to the same place, by id.
    fn before<'o>(
        &self,
        old: &'o BTreeMap<String, String>,
    ) -> impl Iterator<Item = (String, Columns<'o>)> + use<'_, 'o> {
        let here = place(&self.place);
        old.iter().filter_map(move |(key, part)| {
            let id = key.strip_prefix(TABLE)?;
            let (columns, url) = part.split_once(PLACE)?;
            (place(url) == here).then(|| (id.to_owned(), parse(columns)))
        })
    }
}

/// Where a table was, as the fingerprints of a record say; none if they do not.
pub fn place_of<'o>(old: &'o BTreeMap<String, String>, table: &str) -> Option<&'o str> {
    old.get(&format!("{TABLE}{table}"))?.split_once(PLACE).map(|(_, place)| place)
}

/// Whether two ways to write a place mean the same by their words.
pub fn is_same_place(one: &str, other: &str) -> bool {
    place(one) == place(other)
}

/// Whether tables may be written on top of what a chain record knows of them.
///
/// # Errors
/// The first table whose columns changed.
pub fn check_tables(
    tables: &[TableColumns],
    old: &BTreeMap<String, String>,
) -> Result<(), TableConflict> {
    tables.iter().try_for_each(|table| table.check(old))
}

fn changed(was: &Columns<'_>, is: &Columns<'_>, table: &str) -> Vec<String> {
    let mut changes = Vec::new();
    for (name, (kind, nullable)) in was {
        match is.get(name) {
            Some((now, _)) if now == kind => {}
            Some((now, _)) => changes.push(format!("`{name}` was {kind} and is now {now}")),
            None if *nullable => {}
            None => changes.push(format!(
                "`{name}` ({kind}) is gone, and it never was null: only a nullable column may go"
            )),
        }
    }
    let is_new = |name: &str| !was.contains_key(name);
    for (name, (kind, _)) in is.iter().filter(|(name, (_, nullable))| is_new(name) && !nullable) {
        changes.push(format!(
            "`{name}` ({kind}) is new, and older files have null there: make it nullable"
        ));
    }
    for (name, before) in other_case(was, is) {
        changes.push(format!("`{name}` differs from `{before}` of `{table}` in its case only"));
    }
    changes
}

/// New columns whose name an old one has in another case: many readers do not tell them apart.
fn other_case<'a>(was: &Columns<'a>, is: &Columns<'a>) -> Vec<(&'a str, &'a str)> {
    let same = |name: &&'a str| {
        let other = was.keys().find(|before| before.eq_ignore_ascii_case(name));
        other.filter(|before| *before != name).map(|before| (*name, *before))
    };
    is.keys().filter_map(same).collect()
}

fn columns_of(schema: &Schema) -> Columns<'_> {
    let column = |field: &Field| (file_type_name(field.data_type()), field.is_nullable());
    schema.fields().iter().map(|field| (field.name().as_str(), column(field))).collect()
}

/// A file of Parquet has one kind of decimals, whatever they are in memory.
fn file_type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            type_name(&DataType::Decimal64(*precision, *scale))
        }
        other => type_name(other),
    }
}

fn parse(columns: &str) -> Columns<'_> {
    // A decimal has a comma without a blank behind it.
    let column = |text: &str| -> (String, bool) {
        (text.trim_end_matches(NULLABLE).to_owned(), text.ends_with(NULLABLE))
    };
    let columns = columns.split(", ").filter_map(|text| text.split_once(' '));
    columns.map(|(name, kind)| (name, column(kind))).collect()
}

/// A place without what makes no difference.
fn place(url: &str) -> &str {
    url.strip_prefix("file://").unwrap_or(url).trim_start_matches("./").trim_end_matches('/')
}

#[cfg(test)]
mod tests;
