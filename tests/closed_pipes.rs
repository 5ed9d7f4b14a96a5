//! Whoever reads what the commands say may end first (`| head`, a log shipper that dies): work goes on, and nothing panics.

use std::process::Stdio;

use xtask::daemon::wait_until;

use crate::harness::PATIENCE;
use crate::harness::host::sluicegate;
use crate::harness::pipeline::copying;
use crate::harness::place::Place;

/// Runs a command of which nobody reads a word. Its exit code.
fn unheard(place: &Place, arguments: &[&str]) -> Option<i32> {
    let mut command = sluicegate(place);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    let status = wait_until(PATIENCE, || child.try_wait().unwrap());
    if status.is_none() {
        child.kill().unwrap();
    }
    status.unwrap_or_else(|| panic!("{arguments:?} does not end")).code()
}

#[test]
fn commands_do_their_work_though_nobody_reads_what_they_say() {
    let place = Place::local();
    let here = place.folder.path();
    std::fs::create_dir(here.join("in")).unwrap();
    std::fs::write(here.join("pipes.toml"), copying("pipes")).unwrap();
    // A record that is none makes warnings.
    std::fs::write(here.join("in/a.json"), "{\"id\":1,\"ts\":1795258800}\nnonsense\n").unwrap();
    assert_eq!(unheard(&place, &["run", "pipes.toml"]), Some(0));
    assert!(here.join("out").is_dir(), "the rows are there");
    assert_eq!(unheard(&place, &["schema"]), Some(0), "who wants no more has had enough");
    assert_eq!(unheard(&place, &["verify", "pipes.toml"]), Some(0));
    assert_eq!(unheard(&place, &["check", "nowhere.toml"]), Some(2), "a refusal stays one");
    assert_eq!(unheard(&place, &["run", "--fail-on-dead-letters", "nowhere.toml"]), Some(2));
}
