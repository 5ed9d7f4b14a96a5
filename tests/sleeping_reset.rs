//! A `reset` that sleeps behind one of its requests, while somebody else resets the pipeline and begins another chain. Of that
//! chain nothing goes, and nothing of its tables (C23).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use rustix::process::Signal;
use xtask::daemon::{Daemon, Output};

use crate::harness::amounts::{Amounts, Copying};
use crate::harness::host::sluicegate;
use crate::harness::middleman::{Fate, Middleman, Request};
use crate::harness::place::Place;
use crate::harness::{PATIENCE, eventually, services, wait_until};

/// Where a reset sleeps: behind the last of these requests, one after the other. Whatever it asks next, it asks when it wakes.
type Moment = (&'static str, &'static [fn(&Request) -> bool]);

const MOMENTS: [Moment; 4] = [
    ("while it looks whether the pipeline runs", &[asks_who_leads]),
    ("before it looks whose the table is", &[asks_who_leads, asks_for_the_table]),
    ("before it looks which chain is there", &[leaves_its_mark]),
    ("when the first record is gone", &[leaves_its_mark, Request::deletes]),
];

fn asks_who_leads(request: &Request) -> bool {
    request.is_for("terms")
}

fn asks_for_the_table(request: &Request) -> bool {
    request.is_for("out")
}

fn leaves_its_mark(request: &Request) -> bool {
    request.puts("/lanes/0/reset/")
}

/// A reset that sleeps.
struct Sleeper {
    process: Daemon,
    /// Its requests pass it.
    _middleman: Middleman,
}

impl Sleeper {
    fn new(folder: &Amounts, options: &[&str], moment: Moment) -> Self {
        let middleman = Middleman::before(services::s3());
        let (passed, stopped) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
        let (reached, stops) = (Arc::new(AtomicBool::new(false)), Arc::clone(&stopped));
        let reaches = Arc::clone(&reached);
        middleman.rule(move |request| {
            let number = passed.load(Ordering::SeqCst);
            if moment.1.get(number).is_some_and(|is_it| is_it(request)) {
                passed.fetch_add(1, Ordering::SeqCst);
                if number + 1 == moment.1.len() {
                    reaches.store(true, Ordering::SeqCst);
                    // Its answer finds it asleep.
                    wait_until(PATIENCE, || stops.load(Ordering::SeqCst).then_some(()));
                }
            }
            Fate::Passed
        });
        let mut command = sluicegate(&folder.0);
        command.arg("reset").args(options).arg("pipeline.toml");
        command.env("AWS_ENDPOINT_URL", &middleman.endpoint);
        let log = folder.0.folder.path().join("reset.log");
        let process = Daemon::start("reset", &command, Output::Log(&log)).unwrap();
        eventually(moment.0, || reached.load(Ordering::SeqCst).then_some(()));
        process.signal(Signal::STOP).unwrap();
        stopped.store(true, Ordering::SeqCst);
        Self { process, _middleman: middleman }
    }

    /// Does what it still has to do.
    fn wakes(mut self) {
        self.process.signal(Signal::CONT).unwrap();
        let status = self.process.wait(PATIENCE).unwrap();
        let said = self.process.log();
        assert!(status.success() && said.contains("forgotten"), "{status}: {said}");
    }
}

/// All that lies in the store. A sign of life does not count: its owner puts it again.
fn objects(place: &Place) -> BTreeMap<String, Bytes> {
    let paths = place.list("").into_iter().filter(|path| !path.ends_with("/beat.json"));
    paths.map(|path| (path.clone(), place.read(&path))).collect()
}

fn nothing_goes_of_a_chain_that_was_begun_meanwhile(options: &[&str]) {
    for moment in MOMENTS {
        let folder = Amounts::at(Place::s3(services::s3()));
        let place = &folder.0;
        let (out, chain) = (format!("{}/out", place.url), format!("{}/chain", place.url));
        let copying =
            Copying { name: "first", kind: "int64", format: "delta", out: &out, chain: &chain };
        let reset: Vec<&str> = ["reset"].iter().chain(options).copied().collect();
        folder.done(&["run"], copying);
        let sleeper = Sleeper::new(&folder, options, moment);
        folder.done(&reset, copying);
        let before = objects(place);
        folder.done(&["run"], copying);
        let mut begun = objects(place);
        begun.retain(|path, bytes| before.get(path) != Some(bytes));
        for part in ["/chain/00000000000000000000.json", "/_delta_log/0", ".parquet"] {
            assert!(begun.keys().any(|path| path.contains(part)), "{part}: {begun:?}");
        }
        sleeper.wakes();
        let after = objects(place);
        let gone: Vec<_> =
            begun.iter().filter(|(path, bytes)| after.get(*path) != Some(bytes)).collect();
        assert!(gone.is_empty(), "{options:?}, {}: {gone:?}", moment.0);
        folder.done(&["verify"], copying);
        let said = folder.done(&["run"], copying);
        let is_said = |line: &str| {
            line.contains("WARN")
                && line.contains("the chain says that the input was read to its end")
                && line.contains("`sluicegate reset` begins the pipeline again")
        };
        assert!(said.lines().any(is_said), "{said}");
    }
}

#[test]
fn a_reset_that_sleeps_leaves_alone_what_was_begun_meanwhile() {
    nothing_goes_of_a_chain_that_was_begun_meanwhile(&["--yes"]);
}

#[test]
fn a_reset_of_all_data_that_sleeps_leaves_alone_what_was_begun_meanwhile() {
    nothing_goes_of_a_chain_that_was_begun_meanwhile(&["--all-data", "--yes"]);
}
