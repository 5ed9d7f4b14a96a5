//! `sluicegate dead-letters`: what a pipeline of a running server has refused, and why.

use std::io::{Write as _, stdout};
use std::process::ExitCode;

use super::client::{Client, Connection};
use super::plugin::print_json;
use crate::api::dead_letters::{DeadLetter, DeadLetters, Shown};
use crate::terminal::columns::{cut, table};
use sluicegate_model::printable::printable;

/// Characters of a reason and of a record that stand in a line of the table. `--json` has more.
const CELL_CHARS_MAX: usize = 80;

/// Show what a pipeline has refused, and why, the newest first.
#[derive(Clone, Debug, clap::Args)]
pub struct DeadLettersArgs {
    /// The pipeline
    pub pipeline: String,
    /// Only those of this kind, such as `decode`
    #[arg(long)]
    pub kind: Option<String>,
    /// Only those of this stage; `sluicegate` for what happens before the stages
    #[arg(long)]
    pub stage: Option<String>,
    /// How many, at most 500
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub limit: usize,
    /// Go on behind the last row of an earlier answer, which says how
    #[arg(long, value_name = "PLACE")]
    pub before: Option<String>,
    /// Which server
    #[command(flatten)]
    pub connection: Connection,
    /// Print the server's answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Shows dead letters.
pub fn dead_letters(args: &DeadLettersArgs) -> anyhow::Result<ExitCode> {
    let DeadLettersArgs { pipeline, kind, stage, limit, before, connection, json } = args;
    let client = Client::new(connection)?;
    let parameters = [
        ("kind", kind.clone()),
        ("stage", stage.clone()),
        ("limit", Some(limit.to_string())),
        ("before", before.clone()),
    ];
    let answer: DeadLetters =
        client.get_where(&["v1", "pipelines", pipeline, "dead-letters"], &parameters)?;
    if *json {
        return print_json(&answer);
    }
    write!(stdout(), "{}", describe(&answer))?;
    Ok(ExitCode::SUCCESS)
}

fn describe(answer: &DeadLetters) -> String {
    let row = |letter: &DeadLetter| {
        [
            letter.at.clone(),
            letter.kind.clone(),
            letter.stage.clone(),
            place(letter),
            if letter.committed { letter.epoch.to_string() } else { "open".to_owned() },
            cut(&letter.reason, CELL_CHARS_MAX),
            letter.record.as_ref().map_or_else(|| "-".to_owned(), bytes),
        ]
    };
    let rows: Vec<_> = answer.rows.iter().map(row).collect();
    let head = ["AT", "KIND", "STAGE", "RECORD", "EPOCH", "REASON", "VALUE"];
    let mut text = table(head, &rows);
    if let Some(note) = &answer.note {
        text += &format!("note: {}\n", printable(note));
    }
    if answer.left_out > 0 {
        let left_out = answer.left_out;
        text += &format!("{left_out} more are shown when their epoch is committed\n");
    }
    match &answer.older {
        Some(older) => text += &format!("there may be older ones: --before {}\n", printable(older)),
        None if rows.is_empty() => text += "no dead letters\n",
        None => {}
    }
    text
}

/// Topic or file, partition, and offset; the key of a group or of a timer.
fn place(letter: &DeadLetter) -> String {
    match (&letter.stream, letter.partition, letter.offset) {
        (Some(stream), Some(partition), Some(offset)) => format!("{stream}[{partition}]@{offset}"),
        _ => {
            letter.key.as_ref().map_or_else(|| "-".to_owned(), |key| format!("key {}", bytes(key)))
        }
    }
}

fn bytes(shown: &Shown) -> String {
    let text = shown.text.clone();
    let text = text.or_else(|| shown.hex.as_ref().map(|hex| format!("0x{hex}")));
    let text = cut(&text.unwrap_or_default(), CELL_CHARS_MAX);
    if shown.cut && !text.ends_with('…') { text + "…" } else { text }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn answer(rows: serde_json::Value) -> DeadLetters {
        serde_json::from_value(json!({
            "pipeline": "sales", "table": null, "note": null, "reasons": [], "other_reasons": 0,
            "rows": rows, "older": null, "left_out": 0,
        }))
        .unwrap()
    }

    #[test]
    fn a_line_has_what_one_needs_to_find_the_record_and_nothing_that_a_terminal_obeys() {
        let letter = |more: serde_json::Value| {
            let mut letter = json!({
                "at": "2026-11-21T10:00:04Z", "kind": "decode", "stage": "sluicegate",
                "reason": "no \u{1b}[2J JSON", "trap": null, "headers": null, "headers_left_out": 0,
                "key": null, "record": null, "stream": null, "partition": null, "offset": null,
                "record_timestamp": null, "digest": null, "rows": null, "epoch": 8, "committed": true,
            });
            letter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            letter
        };
        let long = "<b>".repeat(1_300);
        let shown = answer(json!([
            letter(json!({
                "stream": "sales", "partition": 2, "offset": 51_199, "committed": false,
                "record": {"text": long, "bytes": 1_000_000, "cut": true},
            })),
            letter(json!({
                "stage": "revenue", "kind": "evaluate",
                "key": {"text": "store-1", "bytes": 7, "cut": false},
                "record": {"hex": "00ff", "bytes": 2, "cut": false},
            })),
        ]));
        let shown = DeadLetters { older: Some("8.0.1".to_owned()), left_out: 3, ..shown };
        expect![[r#"
            AT                    KIND      STAGE       RECORD          EPOCH  REASON             VALUE
            2026-11-21T10:00:04Z  decode    sluicegate  sales[2]@51199  open   no \u{1b}[2J JSON  <b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b…
            2026-11-21T10:00:04Z  evaluate  revenue     key store-1     8      no \u{1b}[2J JSON  0x00ff
            3 more are shown when their epoch is committed
            there may be older ones: --before 8.0.1
        "#]]
        .assert_eq(&describe(&shown));
        assert_eq!(describe(&answer(json!([]))), "no dead letters\n");
    }
}
