//! Checks what a plugin says of itself, before anybody believes it.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};

use crate::contract::LONG_DECIMALS;
use crate::contract::bindings::sluicegate::plugin::description::{
    ColumnSpec, ColumnType, PluginDescription, PluginKind as Kind,
};
use crate::plugin::description::{Description, PluginColumn};
use crate::plugin::printable::printable;
use sluicegate_model::module::PluginKind;
use sluicegate_model::schema::{
    DECIMAL_DIGITS_MAX, DECIMAL64_DIGITS_MAX, decimal_type, timestamp_type,
};

/// Columns that a plugin may read, or make.
const COLUMNS_MAX: usize = 256;
/// Bytes of a column's name.
const NAME_BYTES_MAX: usize = 256;
/// Versions of its state that a plugin may migrate from.
const MIGRATES_FROM_MAX: usize = 256;

/// Digits of the longest decimal, in the version of the contract with that last number.
fn precision_max(additions: u32) -> u8 {
    if additions < LONG_DECIMALS { DECIMAL64_DIGITS_MAX } else { DECIMAL_DIGITS_MAX }
}

/// The description as the host uses it, or what is wrong with it.
///
/// `is_keyed`: the module exports the calls of a keyed plugin and not those of an aggregate. The contract's enum has
/// one word for both. `additions`: last number of the version of the contract that it was built for.
pub(crate) fn described(
    raw: PluginDescription,
    is_keyed: bool,
    additions: u32,
) -> Result<Description, String> {
    let kind = match raw.kind {
        Kind::Filter => PluginKind::Filter,
        Kind::MapRows => PluginKind::Map,
        Kind::Aggregate if is_keyed => PluginKind::Keyed,
        Kind::Aggregate => PluginKind::Aggregate,
    };
    let inputs = columns("input", raw.inputs, additions)?;
    let outputs = columns("output", raw.outputs, additions)?;
    match (kind, outputs.is_empty()) {
        (PluginKind::Filter, false) => return Err("a filter has no output columns".to_owned()),
        (PluginKind::Aggregate, true) => {
            return Err("an aggregate has at least one output column".to_owned());
        }
        (PluginKind::Keyed, true) => {
            return Err("a process plugin has at least one output column".to_owned());
        }
        (PluginKind::Map, true) if !raw.keeps_other_columns => {
            return Err("a map without output columns keeps the others".to_owned());
        }
        _ => {}
    }
    if raw.keeps_other_columns && kind != PluginKind::Map {
        return Err("only a map keeps other columns".to_owned());
    }
    let stateful =
        raw.state_version != 0 || raw.state_fingerprint != 0 || !raw.migrates_from.is_empty();
    if stateful && matches!(kind, PluginKind::Filter | PluginKind::Map) {
        return Err("only an aggregate or a process plugin has state".to_owned());
    }
    if raw.migrates_from.len() > MIGRATES_FROM_MAX {
        return Err(format!("it migrates from more than {MIGRATES_FROM_MAX} versions"));
    }
    if raw.migrates_from.contains(&raw.state_version) {
        return Err(format!("it migrates from its own state version {}", raw.state_version));
    }
    Ok(Description {
        kind,
        sdk: printable(&raw.sdk),
        inputs,
        outputs,
        keeps_other_columns: raw.keeps_other_columns,
        state_version: raw.state_version,
        state_fingerprint: raw.state_fingerprint,
        migrates_from: raw.migrates_from,
    })
}

/// The inputs that a filter wants by code, if they make sense.
pub(crate) fn wanted(raw: &[u32], inputs: &[PluginColumn]) -> Result<Arc<[usize]>, String> {
    if !raw.is_sorted_by(|one, next| one < next) {
        return Err("the inputs that it wants by code do not ascend".to_owned());
    }
    let place = |index: &u32| {
        let index = *index as usize;
        match inputs.get(index) {
            Some(input) if input.data_type == DataType::Utf8 => Ok(index),
            Some(input) => Err(format!("it wants `{}` by code, which is no text", input.name)),
            None => Err(format!("it wants input {index} by code, and has {}", inputs.len())),
        }
    };
    raw.iter().map(place).collect()
}

/// Arrow schema of the columns that a plugin makes.
pub(crate) fn output_schema(outputs: &[PluginColumn]) -> Schema {
    let field =
        |column: &PluginColumn| Field::new(&column.name, column.data_type.clone(), column.nullable);
    Schema::new(outputs.iter().map(field).collect::<Vec<_>>())
}

fn columns(
    side: &str,
    specs: Vec<ColumnSpec>,
    additions: u32,
) -> Result<Vec<PluginColumn>, String> {
    if specs.len() > COLUMNS_MAX {
        return Err(format!(
            "it has {} {side} columns, at most {COLUMNS_MAX} are taken",
            specs.len()
        ));
    }
    let mut names = HashSet::new();
    for spec in &specs {
        let name = printable(&spec.name);
        if spec.name.is_empty() || spec.name.len() > NAME_BYTES_MAX {
            return Err(format!(
                "the name of an {side} column has 1 to {NAME_BYTES_MAX} bytes, `{name}` has {}",
                spec.name.len()
            ));
        }
        if spec.name.contains(char::is_control) {
            return Err(format!("the {side} column `{name}` has control characters in its name"));
        }
        if !names.insert(&spec.name) {
            return Err(format!("two {side} columns are named `{name}`"));
        }
    }
    specs.into_iter().map(|spec| column(side, spec, precision_max(additions))).collect()
}

fn column(side: &str, spec: ColumnSpec, precision_max: u8) -> Result<PluginColumn, String> {
    let data_type = match spec.column_type {
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::TimestampUs => timestamp_type(),
        ColumnType::Date => DataType::Date32,
        ColumnType::Utf8 => DataType::Utf8,
        ColumnType::Binary => DataType::Binary,
        ColumnType::Decimal(None) if side == "input" => DataType::Decimal64(0, 0),
        ColumnType::Decimal(None) => {
            return Err(format!("the output column `{}` is a decimal without a scale", spec.name));
        }
        ColumnType::Decimal(Some(decimal)) => {
            let sane = (1..=precision_max).contains(&decimal.precision)
                && decimal.scale <= decimal.precision;
            if !sane {
                return Err(format!(
                    "the {side} column `{}` is decimal({},{}): the precision is 1 to {precision_max}, \
                     the scale at most the precision",
                    spec.name, decimal.precision, decimal.scale
                ));
            }
            decimal_type(decimal.precision, decimal.scale)
        }
    };
    Ok(PluginColumn { name: spec.name, data_type, nullable: spec.nullable })
}
