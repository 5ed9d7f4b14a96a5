//! The console of a bounded run: the first thing that people try is a small file and a screen.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::harness::host::{ended, sluicegate};
use crate::harness::place::Place;
use crate::harness::services;

/// A hundred events of three keys, in ten windows: more rows than the console shows at once.
#[test]
fn every_result_of_a_bounded_run_is_on_the_screen() {
    let place = Place::local();
    let folder = place.folder.path();
    std::fs::create_dir(folder.join("in")).unwrap();
    let mut events = String::new();
    for number in 0..100 {
        let (key, second) = (number % 3, 1_795_258_800 + number);
        let _infallible = writeln!(events, "{{\"k\":\"a{key}\",\"ts\":{second}}}");
    }
    std::fs::write(folder.join("in/events.ndjson"), events).unwrap();
    let pipeline = format!(
        "name = \"case\"\n[source]\ntype = \"files\"\n[source.files]\npath = \"in\"\n\
         [schema]\nk = \"string\"\nts = \"timestamp(s)\"\n[event_time]\ncolumn = \"ts\"\n\
         [[stages]]\nid = \"count\"\nkind = \"aggregate\"\nplugin = \"{}\"\n\
         [window]\ntype = \"tumbling\"\nsize = \"10s\"\nkey = [\"k\"]\n\
         [[sinks]]\nid = \"screen\"\ntype = \"console\"\n[checkpoint]\npath = \"chain\"\n",
        services::plugin("nexmark-count").display()
    );
    std::fs::write(folder.join("case.toml"), pipeline).unwrap();

    let output = ended(sluicegate(&place).args(["run", "case.toml"]));
    let screen = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{screen}");
    // A window may have been shown before, with what was known then: the last row of each counts.
    let mut counts = BTreeMap::new();
    for line in screen.lines().filter(|line| line.starts_with('a')) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        counts.insert((cells[0], cells[2]), cells[1].parse::<u64>().unwrap());
    }
    let mut sums = BTreeMap::new();
    for ((key, _), count) in &counts {
        *sums.entry(*key).or_insert(0) += count;
    }
    assert_eq!(counts.len(), 30, "{screen}");
    assert_eq!(sums, BTreeMap::from([("a0", 34), ("a1", 33), ("a2", 33)]), "{screen}");
}
