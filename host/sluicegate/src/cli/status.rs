//! `sluicegate status` and `sluicegate health`: how a running server's pipelines stand.

use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;

use super::client::{Client, Connection, decode};
use super::plugin::{print_json, seconds};
use crate::api::commits::Commit;
use crate::api::health::Readiness;
use crate::api::limits::Limit;
use crate::api::pipelines::{
    FetchStatus, Leadership, MemoryStatus, PartitionStatus, PipelineLine, PipelineStatus,
    Pipelines, StageStatus, TableLogStatus, TookOver,
};
use crate::terminal::columns::table;
use sluicegate_engine::lead::Role;
use sluicegate_engine::status::Phase;
use sluicegate_model::printable::printable;

/// Container runtimes give a probe a few seconds.
const PROBE_TIME: Duration = Duration::from_secs(3);

/// Show the state of a pipeline, or of all pipelines in short.
#[derive(Clone, Debug, clap::Args)]
pub struct StatusArgs {
    /// The pipeline; all of the server if absent
    pub pipeline: Option<String>,
    /// Which server
    #[command(flatten)]
    pub connection: Connection,
    /// Print the server's answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Ask whether a server is ready: exit code 0 if every pipeline works, 1 if not. For containers.
#[derive(Clone, Debug, clap::Args)]
pub struct HealthArgs {
    /// Only whether it answers at all
    #[arg(long)]
    pub live: bool,
    /// Which server
    #[command(flatten)]
    pub connection: Connection,
    /// Print the server's answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Shows how pipelines stand.
pub fn status(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let StatusArgs { pipeline, connection, json } = args;
    let client = Client::new(connection)?;
    let Some(name) = pipeline else {
        let pipelines: Pipelines = client.get(&["v1", "pipelines"])?;
        if *json {
            return print_json(&pipelines);
        }
        write!(stdout(), "{}", list(&pipelines))?;
        return Ok(ExitCode::SUCCESS);
    };
    let status: PipelineStatus = client.get(&["v1", "pipelines", name])?;
    if *json {
        return print_json(&status);
    }
    write!(stdout(), "{}", describe(&status))?;
    Ok(ExitCode::SUCCESS)
}

/// Asks for health. An unhealthy server is an answer, not an error.
pub fn health(args: &HealthArgs) -> anyhow::Result<ExitCode> {
    let HealthArgs { live, connection, json } = args;
    let client = Client::new(connection)?;
    let path = if *live { ["health", "live"] } else { ["health", "ready"] };
    let response = client.probe(&path, PROBE_TIME)?;
    let status = response.status();
    if *live {
        if !status.is_success() {
            bail!("the server answered {status}");
        }
        writeln!(stdout(), "live")?;
        return Ok(ExitCode::SUCCESS);
    }
    if !status.is_success() && status != reqwest::StatusCode::SERVICE_UNAVAILABLE {
        // Whatever it is, `decode` says it in words.
        return decode::<Readiness>(response).map(|_| ExitCode::FAILURE);
    }
    let readiness: Readiness = serde_json::from_str(&response.text()?)?;
    if *json {
        print_json(&readiness)?;
    } else if readiness.ready {
        writeln!(stdout(), "ready")?;
    } else {
        readiness
            .reasons
            .iter()
            .try_for_each(|reason| writeln!(stdout(), "not ready: {}", printable(reason)))?;
    }
    Ok(if readiness.ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn list(pipelines: &Pipelines) -> String {
    if pipelines.pipelines.is_empty() {
        return "no pipelines\n".to_owned();
    }
    let row = |line: &PipelineLine| {
        [
            line.name.clone(),
            line.phase.to_string(),
            role(&line.leadership),
            or_dash(line.epoch),
            watermark(line),
            or_dash(line.lag),
            rate(line.rates.read),
            rate(line.rates.written_rows),
            line.problem.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = pipelines.pipelines.iter().map(row).collect();
    let head = [
        "PIPELINE",
        "PHASE",
        "ROLE",
        "EPOCH",
        "WATERMARK",
        "LAG",
        "READ/S",
        "WRITTEN/S",
        "PROBLEM",
    ];
    table(head, &rows)
}

pub(crate) fn describe(status: &PipelineStatus) -> String {
    let PipelineStatus { line, stages, partitions, dead_letters, .. } = status;
    let records = line.records;
    let mut text = String::new();
    let mut say = |what: &str, value: String| {
        text += &printable(&format!("{:13} {value}", format!("{what}:")));
        text.push('\n');
    };
    say("pipeline", line.name.clone());
    say("phase", line.phase.to_string());
    if let Some(problem) = &line.problem {
        say("problem", problem.clone());
    }
    if let Some(note) = &line.note {
        say("note", note.clone());
    }
    say("leadership", leadership(&line.leadership));
    if line.phase == Phase::Standby {
        // It knows nothing of the stream: zeroes would be read as a stream that stands.
        let asks =
            |url: &String| format!("the leader tells: sluicegate status {} --url {url}", line.name);
        say("stream", line.leadership.url.as_ref().map_or("the leader tells".to_owned(), asks));
        return text;
    }
    if let Some(FetchStatus { by, because }) = &status.fetch {
        let because = because.as_ref().map_or_else(String::new, |why| format!(", because {why}"));
        say("fetched by", format!("{by}{because}"));
    }
    say("epoch", or_dash(line.epoch));
    say("watermark", watermark(line));
    say("lag", or_dash(line.lag));
    say(
        "records",
        format!(
            "{} read = {} accepted + {} filtered + {} late + {} dead-lettered",
            records.read, records.accepted, records.filtered, records.late, records.dead_lettered
        ),
    );
    if let (Some(read), Some(written)) = (line.rates.read, line.rates.written_rows) {
        say("rates", format!("{read:.1} records read/s, {written:.1} rows written/s"));
    }
    if let (Some(late), Some(dead)) = (line.late_a_minute, line.dead_letters_a_minute) {
        say("last minute", format!("{late} late, {dead} dead-lettered"));
    }
    for kind in dead_letters {
        say("dead letters", kind.to_string());
    }
    for log in &status.table_logs {
        say("table log", table_log(log));
    }
    say("open groups", format!("{} ({} bytes)", status.open_groups, status.state_bytes));
    if let Some(memory) = &status.memory {
        say("memory", memory_line(memory));
    }
    if let Some(commit) = status.commits.first() {
        say("last commit", last_commit(commit));
    }
    for limit in status.limits.iter().filter(|limit| limit.is_near()) {
        say("near limit", near(limit));
    }
    text.push('\n');
    text += &stage_table(stages);
    text.push('\n');
    text += &partition_table(partitions);
    if status.partitions_left_out > 0 {
        text += &format!("and {} partitions more\n", status.partitions_left_out);
    }
    text
}

/// `310.00 MiB of 1.80 GiB; this pipeline: 12.00 MiB state, 280.00 MiB input`.
fn memory_line(memory: &MemoryStatus) -> String {
    let size = |bytes: u64| indicatif::HumanBytes(bytes).to_string();
    let limit = memory.limit.map_or(String::new(), |limit| format!(" of {}", size(limit)));
    let kinds = memory.kinds().into_iter().filter(|(_, bytes)| *bytes > 0);
    let kinds: Vec<_> = kinds.map(|(kind, bytes)| format!("{} {kind}", size(bytes))).collect();
    format!("{}{limit}; this pipeline: {}", size(memory.used), kinds.join(", "))
}

/// `revenue at version 41, 2 epochs behind: put …`
fn table_log(log: &TableLogStatus) -> String {
    let TableLogStatus { table, version, epochs_behind, problem, .. } = log;
    let mut text = match version {
        Some(version) => format!("{table} at version {version}"),
        None => format!("{table}, not made yet"),
    };
    if *epochs_behind > 0 {
        text += &format!(", {epochs_behind} epochs behind");
    }
    if let Some(problem) = problem {
        text += &format!(": {problem}");
    }
    if log.compacted_files > 0 {
        let (files, into) = (log.compacted_files, log.compacted_into);
        text += &format!("; {files} small files became {into}");
    }
    if let Some(problem) = &log.compaction_problem {
        text += &format!("; small files stay: {problem}");
    }
    text
}

/// What the host is to the pipeline; of one that stands by, for whom.
pub(crate) fn role(leadership: &Leadership) -> String {
    match (leadership.role, &leadership.leader) {
        (Role::Leader, _) => "leader".to_owned(),
        (Role::Standby, Some(leader)) => format!("standby of {leader}"),
        (Role::Standby, None) => "standby".to_owned(),
        (Role::Opening, _) => "-".to_owned(),
    }
}

/// `stands by since 2026-11-27T02:00:00Z; host-1/17 leads term 4`
fn leadership(leadership: &Leadership) -> String {
    let Leadership { role, term, leader, since, took_over, .. } = leadership;
    let term = term.map_or_else(String::new, |term| format!(" term {term}"));
    match (role, leader) {
        (Role::Leader, _) => {
            let took_over = took_over.as_ref().map(|TookOver { kind, seconds, at }| {
                format!("; the last {kind} took {seconds:.1} s, until {at}")
            });
            format!("leads{term} since {since}{}", took_over.unwrap_or_default())
        }
        (Role::Standby, Some(leader)) => format!("stands by since {since}; {leader} leads{term}"),
        (Role::Standby, None) => format!("stands by since {since}"),
        (Role::Opening, _) => "not asked for".to_owned(),
    }
}

fn last_commit(commit: &Commit) -> String {
    let Commit { epoch, at, seconds, bytes, files, rows, messages, state_bytes, activates } =
        commit;
    let mut text = format!(
        "epoch {epoch} at {at}, took {seconds:.2} s: {rows} rows in {files} files ({bytes} bytes), state {state_bytes} bytes"
    );
    if *messages > 0 {
        text += &format!(", {messages} messages");
    }
    if !activates.is_empty() {
        text += &format!(", another module in {}", activates.join(", "));
    }
    text
}

fn rate(rate: Option<f64>) -> String {
    or_dash(rate.map(|rate| format!("{rate:.1}")))
}

/// `state: 900 of 1000 bytes. With more …`
fn near(limit: &Limit) -> String {
    let Limit { name, used, limit, unit, explains } = limit;
    format!("{name}: {used} of {limit} {unit}. {explains}")
}

fn stage_table(stages: &[StageStatus]) -> String {
    let row = |stage: &StageStatus| {
        let release = &stage.release;
        [
            release.stage.clone(),
            release.module.clone(),
            or_dash(stage.version),
            release.digest.short(),
            release.generation.to_string(),
            stage.rows.to_string(),
            stage.dropped.to_string(),
            or_dash(stage.rates.micros_per_row.map(|micros| format!("{micros:.2} µs"))),
        ]
    };
    let rows: Vec<_> = stages.iter().map(row).collect();
    let head = ["STAGE", "MODULE", "VERSION", "DIGEST", "GENERATION", "ROWS", "DROPPED", "PER ROW"];
    table(head, &rows)
}

fn partition_table(partitions: &[PartitionStatus]) -> String {
    let row = |view: &PartitionStatus| {
        let mut notes = Vec::new();
        if view.paused {
            notes.push("paused".to_owned());
        }
        if view.jumps > 0 {
            notes.push(format!("moved {} times", view.jumps));
        }
        if view.idle {
            notes.push("idle".to_owned());
        }
        // One alone holds nothing back.
        if view.holds_watermark && partitions.len() > 1 {
            notes.push("holds the watermark".to_owned());
        }
        [
            format!("{}/{}", view.stream, view.partition),
            view.next_offset.to_string(),
            or_dash(view.end_offset),
            or_dash(view.lag),
            or_dash(view.watermark.as_deref()),
            notes.join(", "),
        ]
    };
    let rows: Vec<_> = partitions.iter().map(row).collect();
    table(["PARTITION", "NEXT", "END", "LAG", "WATERMARK", ""], &rows)
}

fn watermark(line: &PipelineLine) -> String {
    match (&line.watermark, line.watermark_delay_seconds) {
        (Some(watermark), Some(delay)) => format!("{watermark} ({} behind)", seconds(delay)),
        _ if line.input_ended => "end of input".to_owned(),
        _ => "-".to_owned(),
    }
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
