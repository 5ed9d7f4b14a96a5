//! Chains that are not to be: a second one for a Delta table, and one that goes while its pipeline runs. Each is refused in
//! words that agree with what the next start does.

use std::path::{Path, PathBuf};
use std::process::Output;

use rustix::process::Signal;

use crate::exactly_once::wait_for_the_end;
use crate::harness::delta::read;
use crate::harness::host::{Host, ended, sluicegate};
use crate::harness::oracle::Rules;
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::table::assert_same_rows;
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, seed, services};

fn sales(topic: &Topic) -> Pipeline {
    Pipeline { tables: "delta", ..Pipeline::sales(kafka(topic)) }
}

/// The same pipeline file, with its chain in another place.
fn elsewhere(place: &Place, file: &Path) -> PathBuf {
    let text = std::fs::read_to_string(file).unwrap();
    let other = place.folder.path().join("elsewhere.toml");
    let (here, there) = (format!("{}/chain\"", place.url), format!("{}/elsewhere\"", place.url));
    assert!(text.contains(&here), "{text}");
    std::fs::write(&other, text.replace(&here, &there)).unwrap();
    other
}

fn command(place: &Place, arguments: &[&str], file: &Path) -> Output {
    ended(sluicegate(place).args(arguments).arg(file))
}

#[track_caller]
fn assert_refused(output: &Output, sentence: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains(sentence), "{output:?}");
}

fn phase(host: &Host) -> String {
    host.get("/v1/pipelines/sales")["phase"].as_str().unwrap().to_owned()
}

fn problem(host: &Host) -> String {
    host.get("/v1/pipelines/sales")["problem"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_second_chain_for_a_table_is_refused_while_the_table_has_no_file() {
    let place = Place::s3(services::s3());
    let topic = Topic::create(services::kafka(), "rivals", 2);
    let file = sales(&topic).write(&place);
    let other = elsewhere(&place, &file);
    let host = Host::serve(&place, &file);
    eventually("it works", || (phase(&host) == "running").then_some(()));
    for arguments in [&["check"][..], &["run"]] {
        let refused = command(&place, arguments, &other);
        assert_refused(&refused, "is written by another chain of `sales/revenue`");
        assert_refused(&refused, "is written by another chain of `sales/late`");
    }
    assert!(!place.list("elsewhere").iter().any(|path| path.contains("/lanes/")), "no record");
    let mut sent = Sales::new(seed(71), 2);
    sent.send(&topic, 300);
    sent.close(&topic);
    let records = topic.read_back();
    wait_for_the_end(&place, &topic, &records);
    host.stop();
    let answer = Rules::sales().judge(&records);
    let columns = ["store", "revenue", "sales", "window_start", "window_end"];
    let rows = read(&place, "deltalake", "revenue", &columns);
    assert_same_rows("results", &rows, &answer.results);
    let verified = command(&place, &["verify"], &file);
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(verified.status.success() && said.contains("foreign 0"), "{said}");
    // What cannot be read is named, and so is all else.
    let slots = place.list("chain/sales/lanes/0/chain");
    let [_, damaged, .., newest] = &*slots else { panic!("{slots:?}") };
    [damaged, newest].into_iter().for_each(|slot| place.write(slot, "{".into()));
    let verified = command(&place, &["verify"], &file);
    let said = String::from_utf8_lossy(&verified.stdout);
    let records =
        said.lines().filter(|line| line.starts_with("damaged    record of epoch")).count();
    assert!(verified.status.code() == Some(1) && records >= 2, "{verified:?}");
    assert!(said.contains("undecided  log of revenue: it was not compared"), "{said}");
}

/// Nobody could see that the leader lives.
#[test]
fn a_chain_that_is_reset_while_its_leader_sleeps_is_begun_anew_by_the_one_that_stands_by() {
    let place = Place::s3(services::s3());
    let topic = Topic::create(services::kafka(), "rivals-reset", 1);
    let more = "[leadership]\nttl = \"90s\"\nmargin = \"1s\"\n".to_owned();
    let file = Pipeline { more, ..sales(&topic) }.write(&place);
    let leader = Host::serve_logging(&place, &file, "leader.log");
    let mut sent = Sales::new(seed(72), 1);
    sent.send(&topic, 300);
    eventually("it has committed", || (chain::head(&place)?.epoch() > 0).then_some(()));
    let standby = Host::serve_logging(&place, &file, "standby.log");
    eventually("it stands by", || (phase(&standby) == "standby").then_some(()));
    leader.daemon.signal_all(Signal::STOP).unwrap();
    let reset = command(&place, &["reset", "--yes"], &file);
    let said = String::from_utf8_lossy(&reset.stdout);
    assert!(reset.status.success(), "{reset:?}");
    let truth = "the next start begins from scratch, and so does a host that stands by";
    assert!(said.contains(truth), "{said}");
    leader.daemon.signal_all(Signal::CONT).unwrap();
    sent.send(&topic, 300);
    eventually("it halts", || (phase(&leader) == "halted").then_some(()));
    let said = problem(&leader);
    assert!(said.contains("was reset while the pipeline ran") && said.contains(truth), "{said}");
    eventually("it begins from scratch", || (phase(&standby) == "running").then_some(()));
    assert!(standby.log().contains("begins from scratch: there was no chain"));
    standby.stop();
}

#[test]
fn a_chain_that_is_deleted_by_hand_is_not_begun_anew_and_the_halted_leader_says_so() {
    let place = Place::local();
    let topic = Topic::create(services::kafka(), "rivals-deleted", 1);
    let file = sales(&topic).write(&place);
    let host = Host::serve(&place, &file);
    let mut sent = Sales::new(seed(73), 1);
    let has_rows = || place.list("revenue").iter().any(|path| path.ends_with(".parquet"));
    eventually("there are rows", || {
        sent.send(&topic, 100);
        has_rows().then_some(())
    });
    std::fs::remove_dir_all(place.folder.path().join("data/chain/sales/lanes")).unwrap();
    eventually("it halts", || {
        sent.send(&topic, 100);
        (phase(&host) == "halted").then_some(())
    });
    let said = problem(&host);
    assert!(said.contains("was deleted while the pipeline ran"), "{said}");
    assert!(
        said.contains("or forget it with `sluicegate reset`, and the next start begins"),
        "{said}"
    );
    drop(host);
    assert_refused(&command(&place, &["run"], &file), "`sluicegate reset FILE`");
    let reset = command(&place, &["reset", "--yes"], &file);
    let said = String::from_utf8_lossy(&reset.stdout);
    assert!(reset.status.success() && said.contains("to release: the table revenue"), "{said}");
    let host = Host::serve(&place, &file);
    eventually("it works", || (phase(&host) == "running").then_some(()));
    assert!(host.log().contains("begins from scratch"), "{}", host.log());
    host.stop();
}
