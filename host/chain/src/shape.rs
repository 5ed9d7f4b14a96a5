//! What a record tells of a table whose log is written from it (docs/design/decisions.md#d24): the columns of the table,
//! and what readers may know of a file without reading it.
//!
//! Types and bounds are texts here: the chain hands them on and asks nothing of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The columns of a table as an epoch writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableShape {
    /// In the order of the table; those of the path are the last.
    pub columns: Vec<ColumnShape>,
    /// The columns whose values stand in the paths of files, and not in them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_by: Vec<String>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnShape {
    /// As its readers know it.
    pub name: String,
    /// As Delta's schemas write it: `"long"`, `"decimal(18,2)"`, or an object for a list or a struct.
    #[serde(rename = "type")]
    pub kind: serde_json::Value,
    /// Whether a row may lack it.
    pub nullable: bool,
}

/// What is known of a column in one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnStatistics {
    /// No value is less. As text: `-12.50`, `2026-11-21T00:00:00.000001Z`, `2026-11-21`, `true`; of a text its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// No value is more; written as `min`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// Rows without a value.
    pub nulls: u64,
}

/// By the names of columns. Those of which nothing is known are left out.
pub type FileStatistics = BTreeMap<String, ColumnStatistics>;
