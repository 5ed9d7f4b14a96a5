//! The figures of `cargo xtask bench`: what jobs cost, against references timed in the same run.
//!
//! Machines differ by a factor of two and are rarely quiet. So everything is CPU time (user and system) of a process
//! of its own, runs of a job and of its reference take turns, and what counts is the median of their ratios. What
//! each figure means stands in `docs/performance.md`.
//!
//! | file | what |
//! |---|---|
//! | `plan.rs` | which parts there are, and how much each does |
//! | `main_job.rs` | the main job: which runs there are, in which order, and which figures they make |
//! | `rounds.rs` | its rounds: the job and its references one behind the other |
//! | `sizes.rs` | the main job with larger records, and with other numbers of keys |
//! | `windows.rs` | kinds of windows and a process plugin over the same sales, against tumbling windows |
//! | `nexmark.rs` | the queries of NEXMark |
//! | `turns.rs` | jobs that take turns |
//! | `events.rs` | the sales: as files, as a topic, and the pipeline that reads them |
//! | `child.rs` | a run in a process of its own |
//! | `job.rs` | the whole job, with the plugins as modules or as native code (`native.rs`, `plugins.rs`) |
//! | `references/` | arrow-json and DuckDB over the same files; draining the same topic |
//! | `boundary.rs` | calls of plugins, as modules and as native code |
//! | `swap.rs` | pauses around swaps under load |
//! | `live.rs` | latency and CPU at 20,000 events a second |
//! | `idle.rs` | what hosts cost while nothing comes |
//! | `scaling.rs` | what a second worker gains |
//! | `keys.rs` | what a million keys of a process plugin hold |
//! | `state.rs` | what the groups of a large window cost to hold, store, take up and fire |
//! | `report.rs` | figures, aims, table, JSON |

mod report;
mod events;
mod child;
mod plugins;
mod native;
mod job;
mod references;
mod boundary;
mod swap;
mod live;
mod idle;
mod scaling;
mod keys;
mod state;
mod turns;
mod rounds;
mod main_job;
mod sizes;
mod windows;
mod nexmark;
mod plan;

use std::process::ExitCode;

use anyhow::{Context, Result};
use xtask::bench::Options;

/// As in the `sluicegate` binary: librdkafka's cost depends on it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // `cargo bench` adds `--bench` for harnesses that ask for it.
    let arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    match run(&arguments.collect::<Vec<_>>()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    if let Some(("child", role)) = arguments.split_first().map(|(first, rest)| (&**first, rest)) {
        return child::play(role);
    }
    let options = Options::parse(arguments)?;
    let figures = plan::measure(&options)?;
    println!("{}", figures.table());
    if let Some(path) = options.json {
        std::fs::write(&path, figures.json()).with_context(|| format!("write `{path}`"))?;
    }
    Ok(ExitCode::SUCCESS)
}
