//! `sluicegate table`: rows of a table on the terminal, what a Delta table is made of, and its files put together or cleared.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use indicatif::HumanBytes;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::parquet_table::first_rows;
use super::table_place::{Kind, OfPipeline, is_pipeline, of_pipeline, tables};
use sluicegate_delta::claim::{CHAIN_KEY, PLACE_KEY};
use sluicegate_delta::compact::{Compacted, Planned, Sizes, Unlimited, compact, plan};
use sluicegate_delta::contents::{Contents, contents, rows_of};
use sluicegate_delta::decide::OWNER_KEY;
use sluicegate_delta::vacuum::{self, Wish};
use sluicegate_model::time::Clock;
use sluicegate_pipeline::{duration, size};
use sluicegate_runtime::Names;
use sluicegate_store::Location;

/// Show the first rows of a table; or look after a Delta table
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct TableArgs {
    /// What to do with a Delta table.
    #[command(subcommand)]
    pub command: Option<TableCommand>,
    /// A Parquet file, a Delta table, or a folder with Parquet files at any depth: a path, `s3://…`, `gs://…` or `az://…`; or a
    /// pipeline file, which ends in `.toml`
    #[arg(required = true, value_name = "FILE|URL")]
    pub place: Option<String>,
    /// Of a pipeline only the table with this id; a sink's, or `late` or `dead_letters`. Default: all
    #[arg(long, value_name = "ID")]
    pub table: Option<String>,
    /// At most this many rows
    #[arg(long, default_value_t = 20)]
    pub rows: usize,
}

/// What to do with a Delta table.
#[derive(Clone, Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "each command is described at its arguments, which is where its help comes from"
)]
pub enum TableCommand {
    Show(ShowArgs),
    Compact(CompactArgs),
    Vacuum(VacuumArgs),
}

/// Which tables.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// A pipeline file, which ends in `.toml`, or the folder of a Delta table: a path, `s3://…`, `gs://…` or `az://…`
    #[arg(value_name = "FILE|URL")]
    pub place: String,
    /// Of a pipeline only the table with this id; a sink's, or `late` or `dead_letters`. Default: all that are Delta tables
    #[arg(long, value_name = "ID")]
    pub table: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Say what a Delta table is made of: version, files, rows, columns, who writes it. Changes nothing
#[derive(Args, Clone, Debug)]
pub struct ShowArgs {
    /// Which tables.
    #[command(flatten)]
    pub place: Place,
}

/// Put small files of a Delta table together into larger ones
///
/// Its rows stay what they are, and readers see the same ones before and after. It may run beside the pipeline, and beside
/// others that write to the table. The small files stay for readers of older versions until `sluicegate table vacuum`.
#[derive(Args, Clone, Debug)]
pub struct CompactArgs {
    /// Which tables.
    #[command(flatten)]
    pub place: Place,
    /// Smaller files are put together until they have about so many bytes. Twice as much memory is needed
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = target)]
    pub target: u64,
    /// Only say what would be put together
    #[arg(long)]
    pub dry_run: bool,
}

/// Delete files in the folder of a Delta table that nobody needs any more
///
/// Without --delete it only says which. It may run beside the pipeline. Files of epochs that are not in the table's log yet
/// stay, files that a record of the chain names, and all whose owner nothing proves.
#[derive(Args, Clone, Debug)]
pub struct VacuumArgs {
    /// The pipeline file: its chain says which files are still needed
    #[arg(value_name = "FILE")]
    pub pipeline: PathBuf,
    /// Only the table with this id; a sink's, or `late` or `dead_letters`. Default: all that are Delta tables
    #[arg(long, value_name = "ID")]
    pub table: Option<String>,
    /// Delete them
    #[arg(long)]
    pub delete: bool,
    /// Only say which, as without --delete
    #[arg(long, conflicts_with = "delete")]
    pub dry_run: bool,
    /// Keep files that were in the table no longer ago than this. Default: what the table's property
    /// `delta.deletedFileRetentionDuration` says, and 7 days without it
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub retain: Option<Duration>,
    /// Allow a --retain that is shorter than that: nobody reads older versions of the table
    #[arg(long)]
    pub force: bool,
    /// Also those that other writers have left and that the log does not name, whether or not it ever did
    #[arg(long)]
    pub foreign: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

const TARGET_MIN: u64 = 1 << 20;
const TARGET_MAX: u64 = 1 << 30;

fn target(text: &str) -> Result<u64, String> {
    let bytes = size::parse(text)?;
    match bytes {
        TARGET_MIN..=TARGET_MAX => Ok(bytes),
        _ => Err(format!("{text} is not from 1 MiB to 1 GiB")),
    }
}

/// Does what the arguments say.
///
/// # Errors
///
/// The place cannot be read, or the table is not ours to write.
pub fn run(args: &TableArgs) -> anyhow::Result<ExitCode> {
    match (&args.command, &args.place) {
        (Some(TableCommand::Show(args)), _) => show(args),
        (Some(TableCommand::Compact(args)), _) => compact_tables(args),
        (Some(TableCommand::Vacuum(args)), _) => vacuum_tables(args),
        (None, Some(place)) => print_rows(place, args.table.as_deref(), args.rows),
        (None, None) => bail!("name a table"),
    }
}

fn print_rows(place: &str, wanted: Option<&str>, rows: usize) -> anyhow::Result<ExitCode> {
    let runtime = runtime()?;
    let tables = tables(place, wanted, Kind::Any)?;
    let mut text = String::new();
    for (id, table) in &tables {
        if tables.len() > 1 {
            text += &format!("{id}\n");
        }
        text += &match runtime.block_on(first_rows(table, rows))? {
            Some(rows) => rows,
            None if tables.len() > 1 => format!("no rows in `{}` yet\n", table.url),
            None => bail!("`{}` holds no file that ends in `.parquet`", table.url),
        };
    }
    print(&text)
}

fn runtime() -> anyhow::Result<Runtime> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.context("start the runtime that asks the store")
}

impl Place {
    fn tables(&self) -> anyhow::Result<Vec<(String, Location)>> {
        tables(&self.place, self.table.as_deref(), Kind::Delta)
    }
}

fn print(text: &str) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

fn show(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let runtime = runtime()?;
    let mut text = String::new();
    let mut all = Vec::new();
    for (id, table) in args.place.tables()? {
        let found = runtime.block_on(contents(&table))?;
        if found.state.version.is_none() {
            bail!("there is no Delta table in {}", table.url);
        }
        let shown = described(&id, &found);
        text += &in_words(&shown, &table.url);
        all.push(shown);
    }
    print(&if args.place.json { format!("{}\n", json!(all)) } else { text })
}

/// What there is, by name.
fn described(id: &str, found: &Contents) -> Value {
    let bytes = |size: i64| u64::try_from(size).unwrap_or(0);
    let metadata = found.state.metadata.as_ref();
    let columns = metadata.map(|it| sluicegate_delta::schema::parse(&it.schema_string));
    let columns = columns.and_then(Result::ok).unwrap_or_default();
    let columns = columns.into_iter().map(
        |column| json!({ "name": column.name, "type": column.kind, "nullable": column.nullable }),
    );
    let small = Sizes { target: 32 << 20, after_files: None };
    let is_small = |size: i64| bytes(size) < small.target;
    let rows: Option<u64> = found.files.values().map(rows_of).sum();
    json!({
        "table": id,
        "version": found.state.version,
        "checkpoint": found.state.checkpoint,
        "belongs_to": metadata.and_then(|it| it.configuration.get(OWNER_KEY)),
        "files": found.files.len(),
        "small_files": found.files.values().filter(|file| is_small(file.size)).count(),
        "bytes": found.files.values().map(|file| bytes(file.size)).sum::<u64>(),
        "rows": rows,
        "removed_files": found.removed.len(),
        "removed_bytes":
            found.removed.values().filter_map(|file| file.size).map(bytes).sum::<u64>(),
        "partition_by": metadata.map(|it| &it.partition_columns),
        "columns": columns.collect::<Vec<_>>(),
        "writers": found.state.txns,
        "properties": metadata.map(|it| &it.configuration),
    })
}

fn in_words(shown: &Value, url: &str) -> String {
    let word = |key: &str| match &shown[key] {
        Value::String(text) => text.clone(),
        Value::Null => "unknown".to_owned(),
        other => other.to_string(),
    };
    let size = |key: &str| HumanBytes(shown[key].as_u64().unwrap_or(0)).to_string();
    let mut text = format!(
        "{}\n  place:      {url}\n  belongs to: {}\n  version:    {}, {}\n  files:      {} of {}, {} of them \
         smaller than 32 MiB\n  rows:       {}\n  removed:    {} files of {} wait for a vacuum\n",
        word("table"),
        word("belongs_to"),
        word("version"),
        match &shown["checkpoint"] {
            Value::Null => "no checkpoint yet".to_owned(),
            version => format!("checkpoint {version}"),
        },
        word("files"),
        size("bytes"),
        word("small_files"),
        word("rows"),
        word("removed_files"),
        size("removed_bytes"),
    );
    let property = |key: &str| shown["properties"][key].as_str();
    if let (Some(chain), Some(place)) = (property(CHAIN_KEY), property(PLACE_KEY)) {
        text += &format!("  chain:      {chain}, which was in {place} when it took the table\n");
    }
    for (writer, epoch) in shown["writers"].as_object().into_iter().flatten() {
        text += &format!("  writer:     {writer} has come to {epoch}\n");
    }
    let names = shown["partition_by"].as_array().into_iter().flatten();
    let names: Vec<&str> = names.filter_map(Value::as_str).collect();
    if !names.is_empty() {
        text += &format!("  partitions: by {}\n", names.join(", "));
    }
    for column in shown["columns"].as_array().into_iter().flatten() {
        let kind =
            column["type"].as_str().map_or_else(|| column["type"].to_string(), str::to_owned);
        let null = if column["nullable"] == true { ", null" } else { "" };
        text += &format!("  column:     {} {kind}{null}\n", column["name"].as_str().unwrap_or(""));
    }
    text
}

/// Says what [`compact_tables`] would do.
fn plan_compaction(args: &CompactArgs, sizes: Sizes) -> anyhow::Result<ExitCode> {
    let runtime = runtime()?;
    let mut text = String::new();
    let mut all = BTreeMap::new();
    for (id, table) in args.place.tables()? {
        let planned = runtime.block_on(plan(&table, sizes))?;
        let Planned { commits, files, bytes_before, .. } = planned;
        text += &match commits {
            0 => format!("{id}: nothing to put together\n"),
            _ => format!(
                "{id}: {files} files of {} would become {commits}\n",
                HumanBytes(bytes_before)
            ),
        };
        all.insert(id, planned);
    }
    text += "nothing was changed: leave out --dry-run\n";
    print(&if args.place.json { format!("{}\n", json!(all)) } else { text })
}

fn compact_tables(args: &CompactArgs) -> anyhow::Result<ExitCode> {
    let sizes = Sizes { target: args.target, after_files: None };
    if args.dry_run {
        return plan_compaction(args, sizes);
    }
    let (runtime, clock, names) = (runtime()?, Clock::system(), Names::random());
    let mut text = String::new();
    let mut all = BTreeMap::new();
    for (id, table) in args.place.tables()? {
        let done = compact(&table, sizes, usize::MAX, (&clock, &names), &Unlimited);
        let done = runtime.block_on(done)?;
        let Compacted { commits, files, bytes_before, bytes_after, rows, overtaken, .. } = done;
        text += &match commits {
            0 => format!("{id}: nothing to put together\n"),
            _ => format!(
                "{id}: {files} files of {} became {commits} of {}, with the same {rows} rows\n",
                HumanBytes(bytes_before),
                HumanBytes(bytes_after)
            ),
        };
        if overtaken > 0 {
            text += &format!(
                "{id}: others came first {overtaken} times: what they took was left to them\n"
            );
        }
        all.insert(id, done);
    }
    print(&if args.place.json { format!("{}\n", json!(all)) } else { text })
}

fn vacuum_tables(args: &VacuumArgs) -> anyhow::Result<ExitCode> {
    let (runtime, clock) = (runtime()?, Clock::system());
    if !is_pipeline(&args.pipeline) {
        bail!(
            "`{}` is no pipeline file, which ends in `.toml`: name that of the pipeline which writes the table, because its chain \
             says which files are still needed; --table chooses one of its tables",
            args.pipeline.display()
        );
    }
    let of_pipeline = of_pipeline(&args.pipeline, args.table.as_deref(), Kind::Delta)?;
    let OfPipeline { storage, ids } = of_pipeline;
    let wish = Wish { retain: args.retain, may_be_short: args.force, foreign: args.foreign };
    let mut text = String::new();
    let mut all = BTreeMap::new();
    for id in ids {
        let found = vacuum::find(&storage, &id, wish, clock.wall_micros() / 1_000);
        let found = runtime.block_on(found)?;
        let (count, bytes) = (found.unneeded.len(), found.unneeded.values().sum::<u64>());
        let done = if args.delete { "deleted" } else { "nobody needs" };
        text += &format!("{id}: {done} {count} files of {}\n", HumanBytes(bytes));
        for (kept, count) in &found.kept {
            text += &format!("  {count} files {}\n", kept.in_words());
        }
        if args.delete {
            runtime.block_on(vacuum::delete(&storage.tables[id.as_str()], &found))?;
        } else {
            found.unneeded.keys().for_each(|path| text += &format!("  {path}\n"));
        }
        all.insert(id, found);
    }
    if !args.delete {
        text += "nothing was deleted: say --delete\n";
    }
    let deleted = args.delete;
    print(&if args.json {
        format!("{}\n", json!({ "deleted": deleted, "tables": all }))
    } else {
        text
    })
}
