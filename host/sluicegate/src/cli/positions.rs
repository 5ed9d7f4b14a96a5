//! `sluicegate positions`: where a pipeline stands in its topic or files, and moving it on purpose.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::Context;

use crate::program::lane_storage;
use crate::terminal::columns::table;
use sluicegate_chain::inspect;
use sluicegate_chain::moves::{Moves, move_positions};
use sluicegate_chain::record::{Epoch, PartitionState, SourceKind, SourceState};
use sluicegate_model::identity::SourceIdentity;
use sluicegate_model::position::Partition;
use sluicegate_pipeline as config;
use sluicegate_pipeline::environment::Environment;

/// Show where a pipeline stands in its topic or files, or move it in its topic: after a position was lost, or to leave a
/// record out.
///
/// Asks the chain, not the pipeline. Of files it shows those that are not finished, in bytes. To move positions, stop it first: one that runs loses what it has not committed. The chain
/// keeps each move. Records between the old and the new position are left out, or read twice if it is moved back.
#[derive(Clone, Debug, clap::Args)]
pub struct PositionsArgs {
    /// The pipeline file
    #[arg(value_name = "FILE")]
    pub pipeline: PathBuf,
    /// Read this record next in that partition; may be given several times
    #[arg(long, value_name = "PARTITION=OFFSET")]
    pub set: Vec<Move>,
    /// Take the positions over to the topic and the cluster that are there now, although others were read
    #[arg(long)]
    pub accept_topic: bool,
    /// Print the positions as JSON
    #[arg(long)]
    pub json: bool,
}

/// `PARTITION=OFFSET`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    partition: i32,
    offset: i64,
}

impl FromStr for Move {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text.split_once('=').and_then(|(partition, offset)| {
            let (partition, offset) = (partition.parse().ok()?, offset.parse().ok()?);
            (partition >= 0 && offset >= 0).then_some(Self { partition, offset })
        });
        numbers.ok_or_else(|| {
            format!("`{text}` is not a position: write 0=17 for record 17 of partition 0")
        })
    }
}

/// Moves what is to be moved, and shows where the pipeline stands.
///
/// # Errors
///
/// The file is refused, the store fails, or there is nothing to move.
pub fn run(args: &PositionsArgs) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_program();
    let pipeline = config::load(&args.pipeline, &environment)?;
    let storage = lane_storage(&pipeline, &environment.stores())?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.context("start the runtime that asks the store")?;
    let moves = Moves {
        positions: args.set.iter().map(|one| (one.partition, one.offset)).collect(),
        accepts_input: args.accept_topic,
    };
    let record = if moves.positions.is_empty() && !moves.accepts_input {
        let latest = runtime.block_on(inspect::latest(&storage))?;
        let record = latest.map(|epoch| runtime.block_on(inspect::record(&storage, epoch)));
        let record = record.transpose()?.flatten();
        record.with_context(|| {
            format!(
                "there is no chain of pipeline `{}` in {}: run the pipeline",
                pipeline.name, storage.chain.url
            )
        })?
    } else {
        runtime.block_on(move_positions(&storage, "sluicegate positions", &moves))?
    };
    let text = if args.json {
        format!("{}\n", serde_json::to_string_pretty(&record.source)?)
    } else {
        describe(record.epoch, &record.source)
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

fn describe(epoch: Epoch, source: &SourceState) -> String {
    let is_kafka = source.kind == SourceKind::Kafka;
    let place = |partition: &Partition| match is_kafka {
        true => partition.to_string(),
        false => partition.stream.to_string(),
    };
    let row = |state: &PartitionState| {
        let position = &state.position;
        [
            place(&state.partition),
            position.next_offset.to_string(),
            position.end_offset.map_or_else(|| "-".to_owned(), |end| end.to_string()),
            state.fates.read.to_string(),
        ]
    };
    let rows: Vec<_> = source.partitions.iter().map(row).collect();
    let mut text = format!("epoch {epoch}\n{}\n", input(source));
    let first = if is_kafka { "PARTITION" } else { "FILE" };
    text += &table([first, "NEXT", "END", "READ"], &rows);
    for jump in &source.jumps {
        let place = place(&jump.partition);
        text += &format!("{place} {} -> {}: {}\n", jump.from, jump.to, jump.reason);
    }
    text
}

/// What the positions belong to: lines with their ends.
fn input(source: &SourceState) -> String {
    match source.kind {
        SourceKind::Kafka => {
            let known = |id: &Option<String>| {
                let unknown = "whichever the next run finds: somebody has accepted it, or an older version wrote the chain";
                id.clone().unwrap_or_else(|| unknown.to_owned())
            };
            let SourceIdentity { cluster, topic, .. } = &source.identity;
            format!("cluster {}\ntopic id {}\n", known(cluster), known(topic))
        }
        SourceKind::Files => {
            let files = source.finished.as_ref().map_or(0, |finished| finished.files);
            format!("finished files {files}, which are not listed here\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    fn described(source: serde_json::Value) -> String {
        describe(Epoch(7), &serde_json::from_value(source).unwrap())
    }

    /// Neither a cluster nor a number within it.
    #[test]
    fn files_are_shown_by_their_names() {
        let fates = json!({"read": 9, "accepted": 9, "filtered": 0, "late": 0, "dead_lettered": 0});
        let file = json!({
            "stream": "in/a.json", "number": 0, "next_offset": 120, "end_offset": 130, "ended": false,
            "max_event_time": null, "fates": fates,
        });
        let finished = json!({"files": 2, "fates": fates, "runs": [["in/0", "1", ".json", 1]]});
        let source = json!({
            "kind": "files", "ended": false, "partitions": [file], "finished": finished,
        });
        expect![[r"
            epoch 7
            finished files 2, which are not listed here

            FILE       NEXT  END  READ
            in/a.json  120   130  9
        "]]
        .assert_eq(&described(source));
    }

    #[test]
    fn a_position_is_a_partition_and_an_offset() {
        assert_eq!("3=17".parse(), Ok(Move { partition: 3, offset: 17 }));
        for wrong in ["3", "3=", "=17", "-1=17", "3=-1", "3:17"] {
            let refusal = wrong.parse::<Move>().unwrap_err();
            assert!(refusal.contains("write 0=17"), "{refusal}");
        }
    }
}
