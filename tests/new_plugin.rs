//! `sluicegate plugin new`: what a newcomer does first must work at once, without a checkout of ours.

use std::fs;
use std::path::Path;
use std::process::Command;

use xtask::plugins::{TARGET, wasm_cargo};
use xtask::workspace::Workspace;

use crate::harness::host::binary;

/// Makes, tests and builds a crate as its README says. All kinds share a folder for what they build, so that only the
/// first pays for the dependencies.
fn made_tested_and_built(name: &str, kind: &str, module: &str) {
    let workspace = Workspace::here();
    let folder = tempfile::tempdir().unwrap();
    let mut new = Command::new(binary());
    runs(new.args(["plugin", "new", name, "--kind", kind]), folder.path());
    let made = folder.path().join(name);
    // Versions that are here already: the test must not depend on what was released this morning.
    fs::copy(workspace.root().join("Cargo.lock"), made.join("Cargo.lock")).unwrap();

    let target = workspace.target().join("new-plugin");
    let mut test = Command::new("cargo");
    runs(test.arg("test").env("CARGO_TARGET_DIR", &target), &made);
    let (mut build, _) = wasm_cargo(&workspace).unwrap();
    let build = build.args(["build", "--release", "--target", TARGET]);
    runs(build.env("CARGO_TARGET_DIR", &target), &made);
    let module = target.join(TARGET).join("release").join(module);
    assert!(fs::read(&module).unwrap().starts_with(b"\0asm"), "{}", module.display());
}

#[track_caller]
fn runs(command: &mut Command, folder: &Path) {
    let output = command.current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?} failed:\n{said}");
}

#[test]
fn a_new_crate_of_every_kind_tests_and_builds_at_once() {
    made_tested_and_built("big-sales", "filter", "big_sales.wasm");
    made_tested_and_built("baskets", "map", "baskets.wasm");
    // Cargo takes no package whose name begins with a digit.
    made_tested_and_built("5-minute-takings", "aggregate", "plugin_5_minute_takings.wasm");
    made_tested_and_built("silence", "process", "silence.wasm");
}
