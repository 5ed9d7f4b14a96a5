//! A guest with one function per sin, committed on purpose: the tests of the sandbox load it.
//!
//! One module for all three worlds. Which of them it claims to be is written in `kind.rs`, where a test overwrites
//! it in the module's bytes; which sin it commits is named by the key `sin` of its configuration. Without a sin it is an
//! honest plugin, and a *guilty* row is one whose `i` is negative: most sins wait for one.

#![cfg(target_family = "wasm")]

mod honest;
mod kind;
mod sins;

#[expect(unsafe_code, reason = "generated from the contract")]
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package sluicegate:evil;

            world evil {
                import sluicegate:plugin/host@0.1.3;
                export sluicegate:plugin/lifecycle@0.1.3;
                export sluicegate:plugin/filter-rows@0.1.3;
                export sluicegate:plugin/filter-coded-rows@0.1.3;
                export sluicegate:plugin/map-rows@0.1.3;
                export sluicegate:plugin/aggregate-rows@0.1.3;
            }
        ",
        path: "../../guest-sdk/wit",
        world: "sluicegate:evil/evil",
        generate_all,
    });
    use super::Evil;

    export!(Evil);
}

use std::sync::OnceLock;

use bindings::exports::sluicegate::plugin::{
    aggregate_rows, filter_coded_rows, filter_rows, lifecycle, map_rows,
};
use bindings::sluicegate::plugin::columns::{Batch, Varlen};
use bindings::sluicegate::plugin::description::PluginDescription;
use bindings::sluicegate::plugin::host;

/// The name of the sin to commit; empty for none.
static SIN: OnceLock<String> = OnceLock::new();

struct Evil;

fn sin() -> &'static str {
    SIN.get().map_or("", String::as_str)
}

impl lifecycle::Guest for Evil {
    fn describe() -> PluginDescription {
        kind::description()
    }

    fn init(config: Vec<(String, String)>) -> Result<(), String> {
        // The last words of a panic, without its place: lines move when a sin is added.
        std::panic::set_hook(Box::new(|panic| {
            let words = panic.payload_as_str().unwrap_or("?");
            host::log(host::Level::Error, &format!("panicked: {words}"));
        }));
        let sin = config.into_iter().find(|(key, _)| key == "sin").map(|(_, sin)| sin);
        let sin = sin.filter(|_| !kind::is_good());
        let sin = SIN.get_or_init(|| sin.unwrap_or_default());
        sins::at_init(sin)
    }
}

impl filter_rows::Guest for Evil {
    fn filter(rows: Batch) -> filter_rows::FilterAnswer {
        sins::at_rows(sin(), &rows);
        sins::in_filter(sin(), honest::filter(&rows))
    }
}

impl filter_coded_rows::Guest for Evil {
    fn wanted() -> Vec<u32> {
        kind::wanted()
    }

    fn filter_coded(
        rows: Batch,
        coded: Vec<filter_coded_rows::CodedTexts>,
    ) -> filter_coded_rows::CodedAnswer {
        sins::at_rows(sin(), &rows);
        if sin() == "check-texts" {
            honest::check_texts(&rows, &coded);
        }
        let answer = sins::in_filter(sin(), honest::filter(&rows));
        filter_coded_rows::CodedAnswer { keep: answer.keep, rejects: answer.rejects }
    }
}

impl map_rows::Guest for Evil {
    fn map(rows: Batch) -> map_rows::MapAnswer {
        sins::at_rows(sin(), &rows);
        let guilty = honest::integers(&rows).iter().any(|i| *i < 0);
        sins::in_map(sin(), guilty, honest::map(&rows))
    }
}

impl aggregate_rows::Guest for Evil {
    fn update(rows: Batch, groups: Vec<u32>, states: Varlen) -> aggregate_rows::UpdateAnswer {
        sins::at_rows(sin(), &rows);
        sins::in_update(sin(), honest::update(&rows, &groups, &states))
    }

    fn merge(left: Varlen, right: Varlen) -> Varlen {
        sins::at_states(sin(), &left);
        honest::merge(&left, &right)
    }

    fn evaluate(
        windows: Vec<aggregate_rows::Window>,
        states: Varlen,
    ) -> aggregate_rows::EvaluateAnswer {
        sins::at_states(sin(), &states);
        sins::in_evaluate(sin(), honest::evaluate(&windows, &states))
    }

    fn migrate(from_version: u32, states: Varlen) -> Result<Varlen, String> {
        if from_version == 1 { Ok(states) } else { Err(format!("version {from_version}?")) }
    }
}
