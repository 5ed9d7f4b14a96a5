//! The console as people meet it: its tests in a real browser, pictures of its pages, and what it costs. All three are
//! written in Python (`tests/browser`) and look at a real host that reads from a real Kafka.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command::{self, BUILD_BINARIES, run};
use crate::services::{self, Kafka, chromium, schemathesis};
use crate::workspace::Workspace;

/// So many tests run at the same time, each with a browser and hosts of its own.
const SIDE_BY_SIDE: &str = "2";

/// What pytest's exit code says if no test was chosen.
const NO_TEST_CHOSEN: i32 = 5;

/// Runs the tests; `filter` picks them by a part of their names. The host and the plugins must have been built, and the
/// services fetched.
pub fn test(workspace: &Workspace, filter: Option<&str>) -> Result<()> {
    let mut tests = python(workspace)?;
    // They wait for windows and for timeouts more than they work. Tests of one file share what they look at.
    tests.args(["-m", "pytest", "--numprocesses", SIDE_BY_SIDE, "--dist", "loadfile"]);
    if let Some(filter) = filter {
        // Whoever looks for a test of another kind does not wait for a broker.
        if !chooses(&mut python(workspace)?, filter)? {
            eprintln!("no test of the console has `{filter}` in its name");
            return Ok(());
        }
        tests.args(["-k", filter]);
    }
    let folder = working_folder(workspace, "browser")?;
    let kafka = Kafka::start(workspace, &folder.join("kafka"))?;
    tests.env("SLUICEGATE_KAFKA", kafka.address());
    run(&mut tests)
}

/// The same by itself: builds what the tests need, and fetches it.
pub fn build_and_test(workspace: &Workspace, filter: Option<&str>) -> Result<()> {
    build(workspace)?;
    test(workspace, filter)
}

/// Makes pictures of every page in light, dark and on a phone, while a stream runs, and puts them into `into`.
pub fn screenshots(workspace: &Workspace, into: Option<&str>) -> Result<()> {
    build(workspace)?;
    let folder = working_folder(workspace, "screenshots")?;
    let into = match into {
        Some(into) => std::path::absolute(into).context("find the folder of `--into`")?,
        None => folder.join("pictures"),
    };
    let kafka = Kafka::start(workspace, &folder.join("kafka"))?;
    let mut pictures = python(workspace)?;
    pictures.arg("screenshots.py").arg(&into).env("SLUICEGATE_KAFKA", kafka.address());
    run(&mut pictures)?;
    eprintln!("the pictures are in `{}`", into.display());
    Ok(())
}

/// Measures what an open page costs the host, with the host as it is released. The figures come on standard output.
pub fn cost(workspace: &Workspace) -> Result<()> {
    crate::plugins::build(workspace)?;
    let mut cargo = command::cargo();
    cargo.args(["build", "--release", "--package", "sluicegate", "--bin", "sluicegate"]);
    run(cargo.current_dir(workspace.root()))?;
    fetch(workspace)?;
    let kafka = Kafka::start(workspace, &working_folder(workspace, "cost")?.join("kafka"))?;
    let mut cost = python(workspace)?;
    cost.env("SLUICEGATE_BIN", workspace.host_binary("release"));
    run(cost.arg("cost.py").env("SLUICEGATE_KAFKA", kafka.address()))
}

fn build(workspace: &Workspace) -> Result<()> {
    crate::plugins::build(workspace)?;
    let mut cargo = command::cargo();
    run(cargo.args(BUILD_BINARIES).current_dir(workspace.root()))?;
    fetch(workspace)
}

fn fetch(workspace: &Workspace) -> Result<()> {
    services::kafka::fetch(workspace)?;
    chromium::fetch(workspace)?;
    schemathesis::fetch(workspace)
}

/// A Python in the folder of the tests, told where everything is that they start.
fn python(workspace: &Workspace) -> Result<Command> {
    let folder = workspace.target().join("browser");
    fs::create_dir_all(&folder).with_context(|| format!("create `{}`", folder.display()))?;
    let mut python = Command::new(chromium::python(workspace));
    python
        .current_dir(workspace.root().join("tests").join("browser"))
        .env("SLUICEGATE_BIN", workspace.host_binary("debug"))
        .env("SLUICEGATE_PLUGINS", workspace.plugins())
        .env("SLUICEGATE_FOLDER", &folder)
        .env("SLUICEGATE_SCHEMATHESIS", schemathesis::command(workspace))
        // The tree of sources stays as it is.
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(python)
}

fn chooses(pytest: &mut Command, filter: &str) -> Result<bool> {
    pytest.args(["-m", "pytest", "--collect-only", "-q", "-k", filter]).stdin(Stdio::null());
    let output = pytest.output().context("start pytest")?;
    match output.status.code() {
        Some(0) => Ok(true),
        Some(NO_TEST_CHOSEN) => Ok(false),
        _ => bail!(
            "pytest cannot look for `{filter}`:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

/// An empty folder for a broker's log.
fn working_folder(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let folder = workspace.target().join(name);
    emptied(&folder).with_context(|| format!("empty `{}`", folder.display()))?;
    Ok(folder)
}

fn emptied(folder: &Path) -> std::io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)
}
