//! What the evil plugin says of itself: a column of each type, and whichever kind stands in its bytes.

use std::hint::black_box;

use crate::bindings::sluicegate::plugin::description::{
    ColumnSpec, ColumnType, DecimalType, PluginDescription, PluginKind,
};

/// A test replaces the word in the module's bytes by another of the same length. Of the dots behind it, the first makes
/// the plugin lean if it is an `l` (no binary column, which no pipeline has), and the second good if it is a `g`. The third says which
/// inputs it wants by code, if not the texts.
static KIND: [u8; 24] = *b"evil-kind:aggregate.....";

pub(crate) fn description() -> PluginDescription {
    // The compiler must not know what is in it.
    let word = &black_box(&KIND)[10..19];
    let mut description = match word {
        b"filter..." => honest(PluginKind::Filter),
        b"map......" | b"scaleless" => honest(PluginKind::MapRows),
        _ => honest(PluginKind::Aggregate),
    };
    let outputs = &mut description.outputs;
    match word {
        b"same-name" => outputs[1].name = outputs[0].name.clone(),
        b"nameless." => outputs[0].name.clear(),
        b"control.." => outputs[0].name.push('\n'),
        b"scaleless" => outputs[5].column_type = ColumnType::Decimal(None),
        b"digits..." => {
            let impossible = DecimalType { precision: 39, scale: 2 };
            outputs[0].column_type = ColumnType::Decimal(Some(impossible));
        }
        b"barren..." => outputs.clear(),
        b"keeper..." => description.keeps_other_columns = true,
        b"circular." => description.migrates_from.push(2),
        b"stateful." => description.kind = PluginKind::MapRows,
        _ => {}
    }
    if black_box(&KIND)[19] == b'l' {
        for columns in [&mut description.inputs, &mut description.outputs] {
            columns.retain(|column| column.name != "x");
        }
    }
    description
}

/// The inputs that it wants by code: `s`, or what no host takes.
pub(crate) fn wanted() -> Vec<u32> {
    match black_box(&KIND)[21] {
        b'w' => vec![6, 99],
        b'n' => vec![1],
        b'd' => vec![6, 6],
        _ => vec![6],
    }
}

/// Commits no sin, whatever its configuration says: the module that one rolls back to.
pub(crate) fn is_good() -> bool {
    black_box(&KIND)[20] == b'g'
}

fn honest(kind: PluginKind) -> PluginDescription {
    let decimal = DecimalType { precision: 18, scale: 2 };
    let outputs = match kind {
        PluginKind::Filter => Vec::new(),
        PluginKind::MapRows => columns(ColumnType::Decimal(Some(decimal))),
        PluginKind::Aggregate => {
            vec![column("hash", ColumnType::Int64, false), column("name", ColumnType::Utf8, true)]
        }
    };
    let stateful = kind == PluginKind::Aggregate;
    PluginDescription {
        kind,
        sdk: "none".to_owned(),
        inputs: columns(ColumnType::Decimal(None)),
        outputs,
        keeps_other_columns: kind == PluginKind::MapRows,
        state_version: if stateful { 2 } else { 0 },
        state_fingerprint: if stateful { 7 } else { 0 },
        migrates_from: if stateful { vec![1] } else { Vec::new() },
    }
}

fn columns(decimal: ColumnType) -> Vec<ColumnSpec> {
    vec![
        column("b", ColumnType::Boolean, true),
        column("i", ColumnType::Int64, false),
        column("f", ColumnType::Float64, true),
        column("t", ColumnType::TimestampUs, true),
        column("d", ColumnType::Date, true),
        column("m", decimal, true),
        column("s", ColumnType::Utf8, true),
        column("x", ColumnType::Binary, true),
    ]
}

fn column(name: &str, column_type: ColumnType, nullable: bool) -> ColumnSpec {
    ColumnSpec { name: name.to_owned(), column_type, nullable }
}
