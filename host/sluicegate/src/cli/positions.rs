//! `sluicegate positions`: where a pipeline stands in its topic, and moving it on purpose.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::Context;

use crate::program::lane_storage;
use crate::terminal::columns::table;
use sluicegate_chain::inspect;
use sluicegate_chain::moves::{Moves, move_positions};
use sluicegate_chain::record::{ChainRecord, PartitionState};
use sluicegate_pipeline as config;
use sluicegate_pipeline::environment::Environment;

/// Show where a pipeline stands in its topic, or move it: after a position was lost, or to leave a record out.
///
/// Asks the chain, not the pipeline. To move positions, stop it first: one that runs loses what it has not committed. The chain
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
        describe(&record)
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

fn describe(record: &ChainRecord) -> String {
    let unknown = || {
        "whichever the next run finds: somebody has accepted it, or an older version wrote the chain"
            .to_owned()
    };
    let identity = &record.source.identity;
    let mut text = format!(
        "epoch {}\ncluster {}\ntopic id {}\n\n",
        record.epoch,
        identity.cluster.clone().unwrap_or_else(unknown),
        identity.topic.clone().unwrap_or_else(unknown),
    );
    let row = |state: &PartitionState| {
        let position = &state.position;
        [
            state.partition.to_string(),
            position.next_offset.to_string(),
            position.end_offset.map_or_else(|| "-".to_owned(), |end| end.to_string()),
            state.fates.read.to_string(),
        ]
    };
    let rows: Vec<_> = record.source.partitions.iter().map(row).collect();
    text += &table(["PARTITION", "NEXT", "END", "READ"], &rows);
    for jump in &record.source.jumps {
        text += &format!("{} {} -> {}: {}\n", jump.partition, jump.from, jump.to, jump.reason);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_a_partition_and_an_offset() {
        assert_eq!("3=17".parse(), Ok(Move { partition: 3, offset: 17 }));
        for wrong in ["3", "3=", "=17", "-1=17", "3=-1", "3:17"] {
            let refusal = wrong.parse::<Move>().unwrap_err();
            assert!(refusal.contains("write 0=17"), "{refusal}");
        }
    }
}
