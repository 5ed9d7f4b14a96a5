//! One of `[[sinks]]`: exactly the settings of its type.

mod table;
mod console;
mod kafka;

use super::Context;
use super::connector::{Foreign, foreign};
use crate::SinkConfig;
use crate::document::Key;
use crate::problem::Problems;
use crate::raw::RawSink;

/// Ids of tables that are not sinks.
const RESERVED_IDS: [&str; 2] = ["late", "dead_letters"];

pub(super) fn check(
    raw: RawSink,
    key: &Key,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> Option<SinkConfig> {
    let forms = &context.schema["properties"]["sinks"]["items"];
    for Foreign { name, types, this } in foreign(forms, key, context.document) {
        let types: Vec<String> = types.iter().map(|r#type| format!("\"{type}\"")).collect();
        let types = types.join(" or ");
        let fix =
            format!("belongs to sinks of type {types}, and this one is \"{this}\": remove it");
        problems.refuse(&key.child(&name), fix);
    }
    let id_key = key.child("id");
    let id = problems.take(&id_key, super::id(raw.id()));
    if let Some(id) = id.as_deref().filter(|id| RESERVED_IDS.contains(id)) {
        let fix = format!("\"{id}\" names the table of the section `[{id}]`: choose another id");
        problems.refuse(&id_key, fix);
    }
    let (kind, corrections) = match raw {
        RawSink::Parquet(raw) => table::check(raw, key, context, problems),
        RawSink::Delta(raw) => table::check_delta(raw, key, context, problems),
        RawSink::Console(raw) => (console::check(raw, key, problems), false),
        RawSink::Kafka(raw) => kafka::check(raw, key, context, problems),
    };
    Some(SinkConfig { id: id?, kind: kind?, corrections })
}
