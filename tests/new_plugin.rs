//! `sluicegate plugin new`: what a newcomer does first must work at once, without a checkout of ours, as README says.

use std::fs;
use std::path::Path;
use std::process::Command;

use xtask::plugins::{TARGET, wasm_cargo};
use xtask::workspace::Workspace;

use crate::harness::host::{Host, binary};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, seed, services};

/// Makes, tests and builds a crate as its README says, with the versions of its lock file. All kinds share a folder for
/// what they build, so that only the first pays for the dependencies.
fn made_tested_and_built(name: &str, kind: &str, module: &str) {
    let workspace = Workspace::here();
    let folder = tempfile::tempdir().unwrap();
    let mut new = Command::new(binary());
    runs(new.args(["plugin", "new", name, "--kind", kind]), folder.path());
    let made = folder.path().join(name);

    let target = workspace.target().join("new-plugin");
    let mut test = Command::new("cargo");
    runs(test.args(["test", "--locked"]).env("CARGO_TARGET_DIR", &target), &made);
    let (mut build, _) = wasm_cargo(&workspace).unwrap();
    let build = build.args(["build", "--locked", "--release", "--target", TARGET]);
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

/// Who copies a block of the SDK's page into a new crate has a plugin, and tests that pass.
#[test]
fn every_plugin_of_the_sdk_page_can_be_copied_into_a_new_crate() {
    let workspace = Workspace::here();
    let page = fs::read_to_string(workspace.root().join("guest-sdk/README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut new = Command::new(binary());
    runs(new.args(["plugin", "new", "copied", "--kind", "aggregate"]), folder.path());
    let made = folder.path().join("copied");
    let blocks = page.split("```rust\n").skip(1).map(|text| text.split_once("```").unwrap().0);
    let plugins: Vec<_> = blocks.filter(|block| block.contains("export!(")).collect();
    assert!(plugins.len() >= 7, "only {} plugins found", plugins.len());
    for plugin in plugins {
        fs::write(made.join("src/lib.rs"), plugin).unwrap();
        let mut test = Command::new("cargo");
        let target = workspace.target().join("new-plugin");
        runs(test.args(["test", "--locked"]).env("CARGO_TARGET_DIR", &target), &made);
    }
}

/// The first block of that language in README's section about one's own plugin.
fn readme_block(language: &str) -> String {
    let readme = fs::read_to_string(Workspace::here().root().join("README.md")).unwrap();
    let (_, section) = readme.split_once("\n## Your own plugin").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let (_, block) = section.split_once(&format!("```{language}\n")).unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// `deploy/pipelines/sales.toml`, with the topic and the modules of the test.
fn example_pipeline(place: &Place, topic: &Topic) -> std::path::PathBuf {
    let path = Workspace::here().root().join("deploy/pipelines/sales.toml");
    let mut text = fs::read_to_string(path).unwrap();
    let module = |name: &str| format!("plugin = \"{}\"", services::plugin(name).display());
    for (example, own) in [
        ("brokers = \"127.0.0.1:9092\"", format!("brokers = \"{}\"", topic.brokers)),
        ("topic = \"sales\"", format!("topic = \"{}\"", topic.name)),
        ("plugin = \"valid-sale\"", module("valid-sale")),
        ("plugin = \"revenue\"", module("revenue")),
        ("interval = \"10s\"", "interval = \"200ms\"".to_owned()),
        // The example lies two folders deep in the repository.
        ("\"../../data/", "\"data/".to_owned()),
    ] {
        assert!(text.contains(example), "the example has no `{example}`");
        text = text.replace(example, &own);
    }
    let path = place.folder.path().join("sales.toml");
    fs::write(&path, text).unwrap();
    path
}

/// The commands of README one by one, with its Rust block as the plugin, against a host that runs an example pipeline.
#[test]
fn the_ten_minutes_of_the_readme() {
    let topic = Topic::create(services::kafka(), "readme", 2);
    Sales::new(seed(91), 2).send(&topic, 400);
    let place = Place::local();
    let host = Host::serve(&place, &example_pipeline(&place, &topic));
    eventually("the sales are committed", || {
        (chain::head(&place)?.fates().read == 800).then_some(())
    });

    let workspace = Workspace::here();
    let target = workspace.target().join("new-plugin");
    let folder = tempfile::tempdir().unwrap();
    let script = readme_block("sh");
    let mut lines = script.lines();
    as_typed(lines.next().unwrap(), folder.path(), &target, &host);
    let made = folder.path().join("big-sale");
    fs::write(made.join("src/lib.rs"), readme_block("rust")).unwrap();
    lines.for_each(|line| as_typed(line, &made, &target, &host));

    let stages = host.get("/v1/pipelines/sales")["stages"].clone();
    let valid = stages.as_array().unwrap().iter().find(|stage| stage["stage"] == "valid").unwrap();
    assert_eq!(valid["module"], "big-sale", "{stages}");
    host.stop();
}

/// Runs a line as a person types it, with `sluicegate` on the path. What cargo builds lies in `target`.
#[track_caller]
fn as_typed(line: &str, folder: &Path, target: &Path, host: &Host) {
    let builds_wasm = line.starts_with("cargo build");
    let mut shell = Command::new("sh");
    shell.env("SLUICEGATE_URL", &host.url);
    let mut line = line.replace(" target/", &format!(" {}/", target.display()));
    if builds_wasm {
        // Where the compiler for wasm is not rustup's, it is another cargo, told so by its environment.
        let (wasm, _) = wasm_cargo(&Workspace::here()).unwrap();
        line = line.replacen("cargo", &wasm.get_program().to_string_lossy(), 1);
        for (name, value) in wasm.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
    } else {
        let mut path = binary().parent().unwrap().as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        shell.env("PATH", path);
    }
    runs(shell.env("CARGO_TARGET_DIR", target).args(["-euc", &line]), folder);
}
