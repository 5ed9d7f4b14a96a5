//! `cargo xtask demo`: sales flow from a broker through two plugins into a Delta table, in front of the user's eyes, and the
//! filter is swapped on the way. Everything it starts ends with it.

mod options;
mod stage;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

pub(crate) use self::options::duration;
pub use self::options::{BrokerChoice, Options};
use self::stage::Stage;
use crate::command::{self, BUILD_BINARIES, run as run_command};
use crate::daemon::wait_until;
use crate::plugins;
use crate::workspace::Workspace;

/// Two windows of the demo: both filters are seen for a while.
const BEFORE_SWAP: Duration = Duration::from_secs(12);

/// Runs the demo to its end: the time asked for, Ctrl-C, or a program of it that ended by itself.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let interrupted = Interrupted::listen()?;
    let host = build(workspace, options.release)?;
    let folder = working_folder(workspace)?;
    copy_plugins(workspace, &folder)?;

    let mut stage = Stage::set(workspace, options, &host, &folder)?;
    say(&format!(
        "Live results follow, not yet committed. In {} s the filter `valid-sale` is swapped for `premium-sale`.",
        BEFORE_SWAP.as_secs()
    ));
    let begin = now();
    let end = options.run_for.map(|run_for| begin + run_for);
    let swap_at =
        end.map_or(begin + BEFORE_SWAP, |end| (begin + BEFORE_SWAP).min(begin + (end - begin) / 2));

    if watch(&mut stage, &interrupted, Some(swap_at))? {
        stage.swap()?;
        watch(&mut stage, &interrupted, end)?;
    }
    stage.strike()?;
    farewell(&host, &folder)
}

/// Waits until `until`; true if it was reached, false if the user wants to leave.
fn watch(stage: &mut Stage, interrupted: &Interrupted, until: Option<Instant>) -> Result<bool> {
    /// The stage is looked after this often even if there is no end.
    const ROUND: Duration = Duration::from_secs(3600);
    loop {
        let left = until.map_or(ROUND, |until| until.saturating_duration_since(now()));
        let stop = wait_until(left, || {
            if interrupted.yes() {
                return Some(Ok(()));
            }
            stage.look_after().err().map(Err)
        });
        match stop {
            Some(Ok(())) => return Ok(false),
            Some(Err(error)) => return Err(error),
            None if until.is_some() => return Ok(true),
            None => {}
        }
    }
}

fn build(workspace: &Workspace, release: bool) -> Result<PathBuf> {
    say(
        "Step 1 of 3: the example plugins, 20 modules of WebAssembly. The first time some minutes, then seconds.",
    );
    plugins::build(workspace)?;
    say(
        "Step 2 of 3: the host. Its 400 dependencies are compiled once, for the tests as well: the first time about ten \
         minutes on two cores, then seconds.",
    );
    const RELEASE: [&str; 6] =
        ["build", "--release", "--package", "sluicegate", "--bin", "sluicegate"];
    let mut cargo = command::cargo();
    cargo.args(if release { &RELEASE[..] } else { &BUILD_BINARIES }).current_dir(workspace.root());
    run_command(&mut cargo)?;
    let host = workspace.host_binary(if release { "release" } else { "debug" });
    say(&format!(
        "Step 3 of 3: the stream. What runs is {}; `export PATH=\"{}:$PATH\"` makes it a command of yours.",
        host.display(),
        host.parent().unwrap_or(&host).display()
    ));
    Ok(host)
}

/// An empty `target/demo`.
fn working_folder(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target().join("demo");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("empty `{}`", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("create `{}`", folder.display()))?;
    Ok(folder)
}

fn copy_plugins(workspace: &Workspace, folder: &Path) -> Result<()> {
    let copies = folder.join("plugins");
    fs::create_dir_all(&copies).with_context(|| format!("create `{}`", copies.display()))?;
    for name in ["valid-sale", "premium-sale", "revenue"] {
        let file = format!("{name}.wasm");
        fs::copy(workspace.plugins().join(&file), copies.join(&file))
            .with_context(|| format!("copy plugin `{name}`"))?;
    }
    Ok(())
}

fn farewell(host: &Path, folder: &Path) -> Result<()> {
    let revenue = folder.join("data").join("revenue");
    say("What was committed, as readers of the Delta table see it:");
    run_command(Command::new(host).arg("table").arg(&revenue).args(["--rows", "12"]))?;
    let revenue = revenue.display();
    say(&format!(
        "The table is {revenue}\n  \
         DuckDB:  SELECT store, sum(revenue) FROM delta_scan('{revenue}') GROUP BY store ORDER BY 2 DESC;\n  \
         Polars:  pl.scan_delta('{revenue}').collect()\n\
         The pipeline is {}; the chain, dead letters and logs lie beside it.",
        folder.join("demo.toml").display()
    ));
    Ok(())
}

/// A paragraph of the narrator's.
fn say(text: &str) {
    eprintln!("\n— {text}\n");
}

#[expect(clippy::disallowed_methods, reason = "the demo takes as long as the user said")]
fn now() -> Instant {
    Instant::now()
}

/// Whether Ctrl-C was pressed or somebody asked us to end.
struct Interrupted(Arc<AtomicBool>);

impl Interrupted {
    fn listen() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            // A second Ctrl-C ends the demo at once; what it started dies with it.
            signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))
                .context("listen for Ctrl-C")?;
            signal_hook::flag::register(signal, Arc::clone(&flag)).context("listen for Ctrl-C")?;
        }
        Ok(Self(flag))
    }

    fn yes(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
