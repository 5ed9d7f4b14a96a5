//! What readers may know of a file without opening it, as the log writes it.

use serde_json::Value;

use sluicegate_chain::shape::{ColumnStatistics, FileStatistics};

/// JSON with the rows of a file, and of its columns the bounds and how many rows lack them.
///
/// It is put together as text: a decimal of 38 digits is a number there, and no number of this program holds it.
/// `kind` names the type of a column; none for one that the table does not have, or a list or a struct.
pub(super) fn statistics<'k>(
    rows: u64,
    of: &FileStatistics,
    kind: impl Fn(&str) -> Option<&'k str>,
) -> String {
    let known = || of.iter().filter_map(|(name, of)| Some((name, of, kind(name)?)));
    let bounds = |bound: fn(&ColumnStatistics) -> Option<&String>| {
        let bounds = known().filter_map(|(name, of, kind)| {
            Some(format!("{}:{}", quoted(name), as_json(kind, bound(of)?)))
        });
        bounds.collect::<Vec<_>>().join(",")
    };
    let nulls = known().map(|(name, of, _)| format!("{}:{}", quoted(name), of.nulls));
    format!(
        r#"{{"numRecords":{},"minValues":{{{}}},"maxValues":{{{}}},"nullCount":{{{}}}}}"#,
        rows,
        bounds(|of| of.min.as_ref()),
        bounds(|of| of.max.as_ref()),
        nulls.collect::<Vec<_>>().join(","),
    )
}

fn as_json(kind: &str, text: &str) -> String {
    match kind {
        "string" | "timestamp" | "date" | "binary" => quoted(text),
        _ => text.to_owned(),
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
