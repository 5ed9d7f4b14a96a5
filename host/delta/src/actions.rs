//! The actions of a table's log, as far as this program reads or writes them. What it does not know is skipped, because
//! whatever has to be known for reading or writing is announced by the protocol ([`super::decide`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One line of a commit, or one row of a checkpoint: exactly one of its fields is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Line {
    /// Who wrote the commit, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit_info: Option<Value>,
    /// What one has to know to read the table, or to write to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Columns and settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<Metadata>,
    /// How far a writer has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txn: Option<Txn>,
    /// A file that belongs to the table from here on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add: Option<Add>,
    /// A file that does not any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remove: Option<Remove>,
}

/// What one has to know to read the table, or to write to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Protocol {
    /// The least version of the protocol that a reader has to know.
    pub min_reader_version: i32,
    /// The same for a writer.
    pub min_writer_version: i32,
    /// From reader version 3 on: what a reader has to know by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader_features: Option<Vec<String>>,
    /// From writer version 7 on: what a writer has to know by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer_features: Option<Vec<String>>,
}

/// Columns and settings of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// Random, made with the table.
    pub id: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Parquet.
    pub format: Format,
    /// JSON of the columns: [`super::schema`].
    pub schema_string: String,
    /// Columns whose values stand in paths.
    pub partition_columns: Vec<String>,
    /// Settings by name.
    #[serde(default)]
    pub configuration: BTreeMap<String, String>,
    /// ms since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_time: Option<i64>,
}

/// How files are encoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// `parquet`.
    pub provider: String,
    /// None.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// How far a writer has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Txn {
    /// Which writer: [`super::decide::Owner::app_id`].
    pub app_id: String,
    /// The last epoch that the log has of it.
    pub version: i64,
    /// ms since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated: Option<i64>,
}

/// A file that belongs to the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Add {
    /// Below the table's folder, as a relative URL.
    pub path: String,
    /// Texts by column; null for a row without one.
    pub partition_values: BTreeMap<String, Option<String>>,
    /// Bytes.
    pub size: i64,
    /// ms since 1970.
    pub modification_time: i64,
    /// Whether it brings rows, or only holds others in another way.
    pub data_change: bool,
    /// What is known of its columns: JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<String>,
    /// Nothing of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, Option<String>>>,
}

/// A file that does not belong to the table any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remove {
    /// As in the action that added it.
    pub path: String,
    /// ms since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<i64>,
    /// Whether rows went with it.
    #[serde(default)]
    pub data_change: bool,
    /// Whether the two fields below are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended_file_metadata: Option<bool>,
    /// As in the action that added it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_values: Option<BTreeMap<String, Option<String>>>,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
}

/// Reads a commit, or the rows of a checkpoint as JSON.
///
/// # Errors
///
/// What is wrong with which line, as the end of a sentence.
pub fn parse(text: &[u8]) -> Result<Vec<Line>, String> {
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    let parse = |(number, line)| {
        serde_json::from_slice(line).map_err(|error| format!("line {}: {error}", number + 1))
    };
    lines.map(parse).collect()
}

/// A commit as the bytes of its object.
pub fn write(lines: &[Line]) -> Vec<u8> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line).expect("memory can be written to");
        text.push(b'\n');
    }
    text
}
