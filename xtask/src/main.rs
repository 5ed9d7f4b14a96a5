//! `cargo xtask …`: picks the task; the tasks themselves are in the library.

use std::process::ExitCode;

use anyhow::{Result, bail};
use xtask::workspace::Workspace;
use xtask::{
    bench, compose, console, demo, plugins, record, rustdoc, services, simulate, soak, suite,
};

const USAGE: &str = "\
usage: cargo xtask TASK

  demo [--for 30s] [--rate N] [--brokers HOST:PORT | --kafka] [--release]
                    watch sales flow from Kafka through two plugins into Parquet, with a hot swap on the way
  test [FILTER]     everything that must hold: format, lints, plugins, unit tests, docs, end-to-end tests
                    against a real Kafka, a real S3 server and a real browser; FILTER picks end-to-end tests by name
  browser [FILTER]  of these the tests of the console alone, in Chromium
  screenshots [--into DIR]
                    pictures of every page of the console in light, dark and on a phone, from a live stream
  bench [--quick] [--json FILE] [main] [windows] [nexmark]
                    what the main job, kinds of windows and the NEXMark queries cost, as ratios to references timed
                    in the same run; --quick: three minutes
  bench console     what an open page of the console costs the host at 20,000 events a second
  compose [--for 60s] [--kill] [--no-build] [--keep]
                    bring docker-compose.yml up beside whatever runs, check that its table is what a recomputation
                    from the topic gives, take it down; --kill: kill host, Kafka and store on the way
  soak [--minutes N] [--seed S]
                    three hosts under faults drawn from the seed, then a ledger; fails if a row is missing or doubled
  record [LOG]      put what the demo prints into README; LOG is what one has printed, else it is run for half a minute
  simulate [--seeds N] [--from S]
                    play stories of whole lanes on one thread, with hosts that die and a store that fails; the tests
                    play the first 1,000; prints the first that goes wrong as a table
  plugins           build plugins/* (and tests/*-plugin) into target/plugins/*.wasm
  services          fetch Apache Kafka, the S3 server and the browser's drivers into target/services, install
                    Prometheus and Chromium";

fn main() -> ExitCode {
    if let Some(folder) = std::env::var_os(rustdoc::STANDS_IN) {
        let arguments: Vec<_> = std::env::args_os().skip(1).collect();
        return rustdoc::stand_in(&arguments, &folder).unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        });
    }
    match run(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: Vec<String>) -> Result<()> {
    if arguments.is_empty() || arguments.iter().any(|argument| argument == "--help") {
        eprintln!("{USAGE}");
        return Ok(());
    }
    let task = arguments.remove(0);
    let workspace = Workspace::here();
    match (task.as_str(), arguments.as_slice()) {
        ("demo", options) => demo::run(&workspace, &demo::Options::parse(options)?),
        ("test", []) => suite::run_all(&workspace, None),
        ("test", [filter]) => suite::run_all(&workspace, Some(filter)),
        ("browser", []) => console::build_and_test(&workspace, None),
        ("browser", [filter]) => console::build_and_test(&workspace, Some(filter)),
        ("screenshots", []) => console::screenshots(&workspace, None),
        ("screenshots", [into, folder]) if into == "--into" => {
            console::screenshots(&workspace, Some(folder))
        }
        ("bench", [part]) if part == "console" => console::cost(&workspace),
        ("bench", options) => bench::run_all(&workspace, &bench::Options::parse(options)?),
        ("compose", options) => compose::run(&workspace, &compose::Options::parse(options)?),
        ("soak", options) => soak::run_for(&workspace, &soak::Options::parse(options)?),
        ("record", []) => record::run(&workspace, None),
        ("record", [log]) => record::run(&workspace, Some(log)),
        ("simulate", options) => simulate::play(&workspace, options),
        ("plugins", []) => plugins::build(&workspace).map(|_| ()),
        ("services", []) => services::fetch(&workspace),
        _ => bail!("`{task}` with `{}` is not a task\n{USAGE}", arguments.join(" ")),
    }
}
