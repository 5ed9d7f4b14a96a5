//! `[schema]`: names, types and origins of the columns, in the order of the file.

use std::collections::BTreeMap;

use crate::column::{self, RawColumn, RawColumnTable};
use crate::document::{Document, Key};
use crate::problem::Problems;
use crate::{FileOrder, SourceConfig, metadata, suggest};
use sluicegate_model::schema::{
    Column, ColumnType, Metadata, Origin, Schema, TextForm, TimestampEncoding,
};

/// Columns that the tables of results, late rows and corrections have beside those of the pipeline.
pub const RESERVED_COLUMNS: [&str; 4] = ["window_start", "window_end", "revision", "watermark"];

/// Wide enough for any event; keeps a mistyped generator from making a million columns.
const COLUMNS_MAX: usize = 1_000;

/// Longest name of a column.
const COLUMN_NAME_LENGTH_MAX: usize = 128;

pub(super) fn check(
    mut raw: BTreeMap<String, RawColumn>,
    source: Option<&SourceConfig>,
    document: &Document<'_>,
    problems: &mut Problems<'_>,
) -> Option<Schema> {
    let key = Key::top("schema");
    if raw.is_empty() || raw.len() > COLUMNS_MAX {
        let message = format!(
            "{} columns; declare 1 to {COLUMNS_MAX}, for example store = \"string\"",
            raw.len()
        );
        problems.refuse(&key, message);
        return None;
    }
    let mut columns: Vec<Column> = Vec::with_capacity(raw.len());
    let mut complete = true;
    for name in document.keys_in_order("schema") {
        let Some(raw) = raw.remove(&name) else {
            continue;
        };
        match check_column(&name, raw, source, &key.child(&name), problems) {
            Some(column) => {
                check_place(&column, &columns, &key, problems);
                check_case(&column, &columns, &key, problems);
                columns.push(column);
            }
            None => complete = false,
        }
    }
    if complete && columns.iter().all(|column| column.path().is_none()) {
        let fix = "no column stands in the JSON of a record, and a record is a JSON object: declare one of its fields";
        problems.refuse(&key, fix);
        complete = false;
    }
    complete.then_some(Schema { columns })
}

fn check_column(
    name: &str,
    raw: RawColumn,
    source: Option<&SourceConfig>,
    key: &Key,
    problems: &mut Problems<'_>,
) -> Option<Column> {
    let RawColumn(raw) = raw;
    let nullable = raw.nullable;
    let name = problems.take(key, column_name(name));
    let kind = problems.take(key, column::parse_type(&raw.r#type));
    if let Some(from) = &raw.from {
        let metadata = check_metadata(from, kind, source, key, problems);
        let is_plain = refuse_texts(from, &raw, key, problems);
        let origin = metadata.filter(|_| is_plain).map(Origin::Metadata);
        let form = TextForm::default();
        return Some(Column { name: name?, kind: kind?, nullable, origin: origin?, form });
    }
    if kind == Some(ColumnType::Binary) {
        let fix = "JSON has no bytes: write \"string\", or \"json\" for a value as it stands; binary is for keys and headers (`from = \"key\"`)";
        problems.refuse(&key.child("type"), fix);
        return None;
    }
    let form = kind.and_then(|kind| check_form(kind, &raw, key, problems));
    let path = match (raw.pointer, &name) {
        (Some(pointer), _) => problems.take(&key.child("pointer"), column::parse_pointer(&pointer)),
        (None, Some(name)) => Some(vec![name.clone()]),
        (None, None) => None,
    };
    Some(Column { name: name?, kind: kind?, nullable, origin: Origin::Value(path?), form: form? })
}

/// What of a record beside its value the column holds, if the source has it and the type can hold it.
fn check_metadata(
    from: &str,
    kind: Option<ColumnType>,
    source: Option<&SourceConfig>,
    key: &Key,
    problems: &mut Problems<'_>,
) -> Option<Metadata> {
    let metadata = metadata::parse(from);
    let metadata = metadata.and_then(|metadata| match source.and_then(|it| lack(&metadata, it)) {
        Some(fix) => Err(fix),
        None => Ok(metadata),
    });
    let metadata = problems.take(&key.child("from"), metadata)?;
    let types: &[ColumnType] = match metadata {
        Metadata::Topic | Metadata::Path => &[ColumnType::String],
        Metadata::Partition | Metadata::Offset => &[ColumnType::Int64],
        Metadata::Timestamp => &[ColumnType::Timestamp(TimestampEncoding::UnixMillis)],
        Metadata::Key | Metadata::Header(_) => &[ColumnType::String, ColumnType::Binary],
        Metadata::Headers => &[ColumnType::Json],
    };
    if let Some(kind) = kind.filter(|kind| !types.contains(kind)) {
        let types: Vec<String> = types.iter().map(|kind| format!("\"{kind}\"")).collect();
        let types = types.join(" or ");
        let message = format!("what is made from `{metadata}` cannot be {kind}: write {types}");
        problems.refuse(&key.child("type"), message);
        return None;
    }
    Some(metadata)
}

/// Why the source has no such thing; none if it has.
fn lack(metadata: &Metadata, source: &SourceConfig) -> Option<String> {
    match (source, metadata) {
        (SourceConfig::Kafka(_), Metadata::Path) => Some(
            "a record of a topic lies in no file: it has `topic`, `partition` and `offset`"
                .to_owned(),
        ),
        (SourceConfig::Files(files), Metadata::Path) => {
            let fix = "with `source.files.order = \"sequential\"` all files are one, and a line does not know its own: leave the column out, or choose another order";
            (files.order == FileOrder::Sequential).then(|| fix.to_owned())
        }
        (SourceConfig::Kafka(_), _) | (SourceConfig::Files(_), Metadata::Offset) => None,
        (SourceConfig::Files(_), _) => Some(format!(
            "a line of a file has no `{metadata}`: it has `path` and `offset`, the byte at which it begins"
        )),
    }
}

/// Refuses what says where in the JSON a column stands and how it is written there. Whether there was none of it.
fn refuse_texts(from: &str, raw: &RawColumnTable, key: &Key, problems: &mut Problems<'_>) -> bool {
    let there = [
        ("pointer", raw.pointer.is_some()),
        ("zone", raw.zone.is_some()),
        ("format", raw.format.is_some()),
        ("quoted", raw.quoted),
    ];
    for (name, _) in there.iter().filter(|(_, is_there)| *is_there) {
        let fix = format!(
            "is for columns that stand in the JSON, and this one is made `from = \"{from}\"`: leave one of the two out"
        );
        problems.refuse(&key.child(name), fix);
    }
    there.iter().all(|(_, is_there)| !is_there)
}

/// How the column's texts are read; a key that its type has no use for is refused.
fn check_form(
    kind: ColumnType,
    raw: &RawColumnTable,
    key: &Key,
    problems: &mut Problems<'_>,
) -> Option<TextForm> {
    let is_local = kind == ColumnType::Timestamp(TimestampEncoding::Local);
    let is_number = match kind {
        ColumnType::Int64 | ColumnType::Float64 => true,
        ColumnType::Timestamp(encoding) => encoding.digits().is_some(),
        _ => false,
    };
    let misplaced = [
        ("zone", raw.zone.is_some() && !is_local, "timestamp(local)"),
        (
            "format",
            raw.format.is_some() && !is_local && kind != ColumnType::Date,
            "timestamp(local) and date",
        ),
        ("quoted", raw.quoted && !is_number, "int64, float64 and timestamp(s | ms | us)"),
    ];
    for (name, _, types) in misplaced.iter().filter(|(_, is_misplaced, _)| *is_misplaced) {
        let message = format!("is for {types}, and this column is {kind}: leave it out");
        problems.refuse(&key.child(name), message);
    }
    let zone = raw.zone.as_deref().map_or(Ok(0), column::parse_zone);
    let zone = problems.take(&key.child("zone"), zone);
    let format = raw.format.as_deref().map(column::parse_format).transpose();
    let format = problems.take(&key.child("format"), format);
    let is_good = misplaced.iter().all(|(_, is_misplaced, _)| !is_misplaced);
    is_good.then_some(TextForm { zone: zone?, format: format?, quoted: raw.quoted })
}

/// A value may make several columns. But what lies within another column can only be there if that takes objects.
fn check_place(column: &Column, before: &[Column], key: &Key, problems: &mut Problems<'_>) {
    let Some(path) = column.path() else { return };
    let inside = |(kind, outer): (ColumnType, &[String]), inner: &[String]| {
        kind != ColumnType::Json && inner.len() > outer.len() && inner.starts_with(outer)
    };
    let clash = before.iter().find_map(|other| {
        let outer = other.path()?;
        let is_clash = inside((other.kind, outer), path) || inside((column.kind, path), outer);
        is_clash.then_some((other, outer))
    });
    if let Some((other, outer)) = clash {
        let message = format!(
            "it stands at /{} in the JSON and column `{}` at /{}: one lies within the other, which is then no object; the outer one may be of type json",
            path.join("/"),
            other.name,
            outer.join("/")
        );
        problems.refuse(&key.child(&column.name), message);
    }
}

/// Many readers of tables do not tell names apart that differ in their case only.
fn check_case(column: &Column, before: &[Column], key: &Key, problems: &mut Problems<'_>) {
    let same = |other: &&Column| other.name.eq_ignore_ascii_case(&column.name);
    if let Some(other) = before.iter().find(same) {
        let pointer = column.path().map(|path| {
            format!(", and point to its field with `pointer = \"/{}\"`", path.join("/"))
        });
        let message = format!(
            "it differs from column `{}` in its case only, and many readers of tables do not tell them apart: rename one of them{}",
            other.name,
            pointer.unwrap_or_default()
        );
        problems.refuse(&key.child(&column.name), message);
    }
}

/// A name that may be given to a column.
pub(super) fn column_name(name: &str) -> Result<String, String> {
    let is_legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let fits = (1..=COLUMN_NAME_LENGTH_MAX).contains(&name.len())
        && name.bytes().all(is_legal)
        && !name.as_bytes()[0].is_ascii_digit();
    if RESERVED_COLUMNS.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
        return Err(format!(
            "the name is reserved for a column that results and late rows get ({}): choose another one, and point to the field with `pointer = \"/{name}\"`",
            RESERVED_COLUMNS.join(", ")
        ));
    }
    if fits {
        Ok(name.to_owned())
    } else {
        Err(format!(
            "\"{name}\" is not a column name: write letters, digits and `_`, beginning with a letter or `_`; a field of another name is reached with `pointer`"
        ))
    }
}

/// The column of that name.
///
/// # Errors
/// A sentence with the nearest name or all of them.
pub(super) fn find<'s>(name: &str, schema: &'s Schema) -> Result<(usize, &'s Column), String> {
    schema.column(name).ok_or_else(|| {
        let names = || schema.columns.iter().map(|column| column.name.as_str());
        let fix = suggest::did_you_mean(name, names()).unwrap_or_else(|| {
            let names: Vec<String> = names().map(|name| format!("`{name}`")).collect();
            format!("there are {}", names.join(", "))
        });
        format!("`[schema]` has no column `{name}`; {fix}")
    })
}
