//! Where paths begin: beside the pipeline file, wherever the command runs. And what is said of it before and at a start.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::harness::host::{ended, sluicegate};
use crate::harness::pipeline::copying;
use crate::harness::place::Place;

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Runs a command in the place's folder, with the pipeline file in a folder below it.
fn command(place: &Place, arguments: &[&str]) -> Output {
    ended(sluicegate(place).args(arguments).arg("jobs/paths.toml"))
}

fn answer(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn relative_paths_begin_at_the_pipeline_file_and_a_start_says_so() {
    let place = Place::local();
    let jobs = place.folder.path().join("jobs");
    write(&jobs.join("paths.toml"), &copying("paths"));
    write(&jobs.join("in/a.json"), "{\"id\":1,\"ts\":1795258800}\n");
    let check = || command(&place, &["check", "--json"]);
    assert_eq!(answer(&check())["start"]["begins"], "anew");
    assert!(!jobs.join("chain").exists(), "`check` writes nothing");

    let run = command(&place, &["run"]);
    assert!(run.status.success(), "{run:?}");
    let log = String::from_utf8(run.stderr).unwrap() + &String::from_utf8(run.stdout).unwrap();
    let chain = jobs.join("chain").display().to_string();
    assert!(log.contains("begins from scratch") && log.contains(&chain), "{log}");
    for made in ["chain", "out"] {
        assert!(jobs.join(made).is_dir() && !place.folder.path().join(made).exists(), "{made}");
    }
    let start = &answer(&check())["start"];
    assert_eq!((&start["begins"], &start["ended"]), (&"continued".into(), &true.into()));

    // What a start would refuse, `check` refuses as well.
    write(&jobs.join("paths.toml"), &copying("paths").replace("timestamp(s)", "timestamp(ms)"));
    let changed = check();
    assert_eq!(changed.status.code(), Some(2), "{changed:?}");
    assert!(answer(&changed)["problems"][0]["message"].to_string().contains("event_time was"));
}

#[test]
fn a_chain_where_paths_began_before_is_not_begun_anew_elsewhere() {
    let place = Place::local();
    let here = place.folder.path();
    write(&here.join("paths.toml"), &copying("paths"));
    write(&here.join("in/a.json"), "{\"id\":1,\"ts\":1795258800}\n");
    let first = ended(sluicegate(&place).args(["run", "paths.toml"]));
    assert!(first.status.success(), "{first:?}");
    write(&here.join("jobs/paths.toml"), &copying("paths"));
    write(&here.join("jobs/in/a.json"), "{\"id\":1,\"ts\":1795258800}\n");
    for arguments in [&["run"][..], &["check"], &["reset", "--yes"]] {
        let refused = command(&place, arguments);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let text = String::from_utf8(refused.stderr).unwrap();
        assert!(text.contains("move that folder there"), "{text}");
    }
    assert!(!here.join("jobs/out").exists(), "nothing was begun");
}
