//! What a pipeline file says, section by section, so that two instances see in which of them theirs differ. It lies in a store
//! for others to read: no value can be told from it.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest as _, Sha256};

use super::{STAGE, hex, stage};
use crate::Pipeline;

/// Of a hash, in hexadecimal digits: whether two are equal is all that is asked.
const DIGITS: usize = 16;

/// The sections of a pipeline file by their names there, each with what tells it from another.
pub fn sections(pipeline: &Pipeline) -> BTreeMap<String, String> {
    let Pipeline { source, schema, event_time, checkpoint, .. } = pipeline;
    let mut sections: BTreeMap<String, String> = BTreeMap::new();
    let mut add = |name: &str, what: &dyn fmt::Debug| sections.insert(name.to_owned(), hash(what));
    add("source", source);
    add("schema", schema);
    add("event_time", event_time);
    if let Some(window) = &pipeline.window {
        add("window", &(window.kind, window.allowed_lateness, &window.key));
    }
    if let Some(keyed) = &pipeline.keyed {
        add("process", &(&keyed.key, keyed.ttl));
    }
    for sink in &pipeline.sinks {
        add(&format!("sink {}", sink.id), sink);
    }
    add("late", &pipeline.late);
    add("dead_letters", &pipeline.dead_letters);
    add("checkpoint", &(checkpoint.interval, checkpoint.retain, &checkpoint.written));
    add("leadership", &pipeline.leadership);
    add("failures", &pipeline.failures);
    add("limits", &pipeline.limits);
    let stages = pipeline.all_stages().map(|it| (format!("{STAGE}{}", it.id), stage::part(it)));
    sections.extend(stages);
    sections
}

/// The sections in which the file of `pipeline` is not that of which `theirs` are the [`sections`].
pub fn differing(theirs: &BTreeMap<String, String>, pipeline: &Pipeline) -> Vec<String> {
    let own = sections(pipeline);
    let stages: BTreeMap<String, _> =
        pipeline.all_stages().map(|stage| (format!("{STAGE}{}", stage.id), stage)).collect();
    let differs = |name: &&String| match (stages.get(*name), theirs.get(*name)) {
        (Some(own), Some(theirs)) => !stage::is_of(theirs, own),
        (_, theirs) => own.get(*name) != theirs,
    };
    let mut names: Vec<&String> = own.keys().chain(theirs.keys()).collect();
    names.sort();
    names.dedup();
    names.into_iter().filter(differs).cloned().collect()
}

/// Of what is shown of it, where values of properties are left out: they may be secrets.
fn hash(what: &dyn fmt::Debug) -> String {
    let mut text = hex(&Sha256::digest(format!("{what:?}")));
    text.truncate(DIGITS);
    text
}
