//! `sluicegate windows`: what stands in the open windows, or keys, of a pipeline of a running server.

use std::io::{Write as _, stdout};
use std::process::ExitCode;

use serde_json::Value;

use super::client::{Client, Connection};
use super::plugin::print_json;
use crate::api::windows::Windows;
use crate::terminal::columns::table_of;

/// Show what stands in the open windows of a pipeline, or under the keys of a process plugin.
#[derive(Clone, Debug, clap::Args)]
pub struct WindowsArgs {
    /// The pipeline
    pub pipeline: String,
    /// Only groups that have this text in a column of their key
    #[arg(long, value_name = "TEXT")]
    pub key: Option<String>,
    /// How many groups, at most 2,000
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub limit: usize,
    /// Which server
    #[command(flatten)]
    pub connection: Connection,
    /// Print the server's answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Shows open windows.
pub fn windows(args: &WindowsArgs) -> anyhow::Result<ExitCode> {
    let WindowsArgs { pipeline, key, limit, connection, json } = args;
    let client = Client::new(connection)?;
    let parameters = [("key", key.clone()), ("limit", Some(limit.to_string()))];
    let answer: Windows =
        client.get_where(&["v1", "pipelines", pipeline, "windows"], &parameters)?;
    if *json {
        return print_json(&answer);
    }
    write!(stdout(), "{}", describe(&answer))?;
    Ok(ExitCode::SUCCESS)
}

fn describe(answer: &Windows) -> String {
    let head: Vec<_> = answer.columns.iter().map(|column| column.name.to_uppercase()).collect();
    let rows: Vec<Vec<String>> =
        answer.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let mut text = table_of(&head, &rows);
    let Windows { groups, rows_left_out, uncommitted_epoch, watermark, .. } = answer;
    let watermark = watermark.as_deref().unwrap_or("none");
    text += &match rows.len() {
        0 => format!("no rows, of {groups} open groups"),
        1 => format!("1 row, of {groups} open groups"),
        rows => format!("{rows} rows, of {groups} open groups"),
    };
    if *rows_left_out > 0 {
        text += &format!("; {rows_left_out} not looked at, --limit and --key choose others");
    }
    text + &format!("\nnot committed: part of epoch {uncommitted_epoch}; watermark {watermark}\n")
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_those_of_the_answer_and_what_is_missing_is_said() {
        let answer: Windows = serde_json::from_value(json!({
            "pipeline": "sales", "uncommitted_epoch": 43, "watermark": null,
            "columns": [{"name": "store", "type": "string"}, {"name": "revenue", "type": "decimal(18,2)"}],
            "key_columns": 1, "rows": [["größe", "1204.50"], [null, 7]], "groups": 96, "rows_left_out": 94,
        }))
        .unwrap();
        expect![[r#"
            STORE  REVENUE
            größe  1204.50
            -      7
            2 rows, of 96 open groups; 94 not looked at, --limit and --key choose others
            not committed: part of epoch 43; watermark none
        "#]]
        .assert_eq(&describe(&answer));
    }
}
