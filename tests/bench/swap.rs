//! Pauses around swaps of the filter while the lane has more to read than it can.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sluicegate::handle::{ActivateError, PipelineHandle};
use sluicegate::program::Program;
use sluicegate_pipeline::environment::Environment;
use sluicegate_pipeline::file;
use tokio::runtime::Runtime;
use xtask::daemon::wait_until;

use crate::events::{self, From};
use crate::job::{self, module};

/// The files are linked so often into the folder that is read: a pass over them takes some seconds.
const COPIES: usize = 8;
/// Turns that belong to a swap beyond its record: the first of them makes the new instances.
const TURNS_AFTER: u64 = 3;
/// Passes that bring no swap before something is wrong.
const EMPTY_PASSES_MAX: usize = 5;
/// A turn takes some milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The filter and its successor.
const FILTERS: [&str; 2] = ["premium-sale", "valid-sale"];

/// Swaps the filter so often, in as many passes as it takes. For each swap the longest pause between two turns from
/// before it was asked for until the new module works, milliseconds.
pub(crate) fn run(folder: &Path, swaps: usize) -> Result<Vec<f64>> {
    let input = folder.join("swap-input");
    link(&folder.join("sales"), &input)?;
    let runtime = Program::runtime()?;
    let (mut pauses, mut empty) = (Vec::with_capacity(swaps), 0);
    while pauses.len() < swaps {
        let found = pass(folder, &input, &runtime, swaps - pauses.len())?;
        empty = if found.is_empty() { empty + 1 } else { 0 };
        if empty == EMPTY_PASSES_MAX {
            bail!("the job is over before a filter can be swapped: give it more sales");
        }
        pauses.extend(found);
    }
    fs::remove_dir_all(&input).context("remove the links")?;
    Ok(pauses)
}

/// Many files of the same bytes: hard links.
fn link(sales: &Path, input: &Path) -> Result<()> {
    if input.exists() {
        fs::remove_dir_all(input).context("remove old links")?;
    }
    fs::create_dir_all(input).context("make a folder of links")?;
    for file in events::files(sales)? {
        let name = file.file_name().context("files have names")?.to_string_lossy().into_owned();
        for copy in 0..COPIES {
            fs::hard_link(&file, input.join(format!("{copy}-{name}"))).context("link sales")?;
        }
    }
    Ok(())
}

/// One run over the files, with swaps until it ends.
fn pass(folder: &Path, input: &Path, runtime: &Runtime, most: usize) -> Result<Vec<f64>> {
    let path = events::pipeline(&folder.join("swap"), From::Files(input))?;
    let environment = Environment::of_program();
    let pipeline = file::load(&path, environment.variables())?;
    let program = job::program(&pipeline, &environment, runtime.handle())?;
    for name in FILTERS {
        runtime.block_on(program.modules.put(name, module(name)?.into()))?;
    }
    let started = program.start(pipeline)?;
    let handle = &started.handle;
    let mut pauses = Vec::new();
    if turns_pass(handle, TURNS_AFTER) {
        for filter in FILTERS.iter().cycle().take(most) {
            handle.metrics().longest_pause.take();
            match runtime.block_on(handle.activate("valid", filter, None)) {
                Ok(_) if turns_pass(handle, TURNS_AFTER) => {
                    pauses.push(handle.metrics().longest_pause.take().as_secs_f64() * 1e3);
                }
                // The input ended meanwhile: this swap had no turn to delay.
                Ok(_) | Err(ActivateError::NotRunning { .. } | ActivateError::Lost { .. }) => break,
                Err(error) => return Err(error).context("swap the filter"),
            }
        }
    }
    // Enough: nobody needs the rest.
    program.stop.ask();
    let _ended = started.thread.join();
    Ok(pauses)
}

/// Waits for so many turns. False if the lane has ended before.
fn turns_pass(handle: &PipelineHandle, count: u64) -> bool {
    use sluicegate_engine::status::Phase;
    let turns = || handle.metrics().turn.count();
    let before = turns();
    let passed = wait_until(PATIENCE, || {
        let ended = matches!(handle.status().phase, Phase::Finished | Phase::Halted);
        (ended || turns() >= before + count).then_some(turns() >= before + count)
    });
    passed == Some(true)
}
