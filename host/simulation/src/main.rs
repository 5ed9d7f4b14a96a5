//! `cargo xtask simulate --seeds N [--from S]`: plays stories, and prints the first that goes wrong.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use sluicegate_simulation::run;

const USAGE: &str = "usage: simulate [--seeds N] [--from S]";

fn main() -> ExitCode {
    let (mut seeds, mut from) = (1_000_u64, 0_u64);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let Some(number) = arguments.next().and_then(|value| value.parse().ok()) else {
            eprintln!("`{name}` needs a number\n{USAGE}");
            return ExitCode::from(2);
        };
        match name.as_str() {
            "--seeds" => seeds = number,
            "--from" => from = number,
            _ => {
                eprintln!("`{name}` is not an option\n{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    let (mut rows, mut epochs, mut kills, mut terms, mut merges, mut events) = (0, 0, 0, 0, 0, 0);
    let mut refused = 0;
    for seed in from..from.saturating_add(seeds) {
        let story = run(seed, None);
        if let Some(fault) = &story.fault {
            println!(
                "{story}\nseed {seed}: {fault}\nagain: cargo xtask simulate --seeds 1 --from {seed}"
            );
            return ExitCode::FAILURE;
        }
        rows += story.rows;
        epochs += story.epochs;
        kills += story.kills;
        terms += story.terms;
        merges += story.merges;
        refused += story.refused;
        events += story.events.len();
    }
    println!(
        "{seeds} seeds from {from}: {rows} rows in {epochs} epochs, each once; {kills} kills, {terms} terms, {merges} merges, {refused} refused, {events} events"
    );
    ExitCode::SUCCESS
}
