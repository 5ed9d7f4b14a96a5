//! The command tree is sound, its help is complete, and refusals have their exit code.

mod server;

use std::path::PathBuf;

use clap::{CommandFactory, Parser};

use super::{Cli, is_refusal};
use sluicegate_pipeline::file::ConfigError;

fn commands(command: &clap::Command) -> Vec<&clap::Command> {
    let inner = command.get_subcommands().flat_map(commands);
    std::iter::once(command).chain(inner).collect()
}

#[test]
fn the_command_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_and_argument_says_what_it_is() {
    let root = Cli::command();
    for command in commands(&root) {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for argument in command.get_arguments() {
            let help = argument.get_help().map(ToString::to_string);
            assert!(help.is_some_and(|help| help.len() > 8), "{} {argument}", command.get_name());
        }
    }
}

#[test]
fn the_commands_of_the_demo_are_understood() {
    for line in [
        "run sales.toml",
        "check sales.toml --json",
        "serve a.toml b.toml --listen 127.0.0.1:8080 --token-file t --metrics-listen 127.0.0.1:9100",
        "reset sales.toml --yes",
        "produce sales --brokers 127.0.0.1:9092 --rate 500",
        "produce sales --count 1000 --out sales.ndjson --out-of-order 5s/20% --late 0.1%/1m --bad 1%",
        "broker --topic sales:3 --address-file address",
        "schema --markdown",
        "plugin new my-filter --kind filter",
        "plugin push valid-sale valid-sale.wasm --url http://127.0.0.1:8080",
        "table data/revenue --rows 12",
        "health --live",
        "dead-letters sales --kind decode --stage valid --limit 5 --before open-43-117 --json",
        "windows sales --key store-1 --limit 3",
    ] {
        let parsed = Cli::try_parse_from(std::iter::once("sluicegate").chain(line.split(' ')));
        assert!(parsed.is_ok(), "{line}: {parsed:?}");
    }
    for line in ["", "serve", "produce sales --count 0", "produce sales --bad 2", "run a b"] {
        let parsed =
            Cli::try_parse_from(std::iter::once("sluicegate").chain(line.split_whitespace()));
        assert_eq!(parsed.unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn what_the_user_wrote_is_refused_and_what_happened_is_a_failure() {
    let refused = ConfigError::Refused { path: PathBuf::from("a.toml"), problems: Vec::new() };
    assert!(is_refusal(&anyhow::Error::from(refused).context("check")));
    assert!(!is_refusal(&anyhow::anyhow!("store is full")));
}
