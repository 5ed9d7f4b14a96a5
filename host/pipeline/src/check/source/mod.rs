//! `[source]`: exactly the section of its type.

mod kafka;
mod files;

use super::Context;
use super::connector::{Foreign, foreign};
use crate::SourceConfig;
use crate::document::Key;
use crate::problem::Problems;
use crate::raw::{RawFilesSource, RawKafkaSource, RawSource};
pub(super) use kafka::{check_brokers, check_properties, check_topic};

pub(super) fn check(
    raw: RawSource,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> Option<SourceConfig> {
    let key = Key::top("source");
    let forms = &context.schema["properties"]["source"];
    for Foreign { name, types, this } in foreign(forms, &key, context.document) {
        let other = types.first().copied().unwrap_or_default();
        let fix = format!(
            "the source is of type \"{this}\": remove `[source.{name}]`, or set `source.type = \"{other}\"`"
        );
        problems.refuse(&key.child(&name), fix);
    }
    match raw {
        RawSource::Kafka(RawKafkaSource { kafka: Some(kafka) }) => {
            kafka::check(kafka, &key.child("kafka"), context, problems).map(SourceConfig::Kafka)
        }
        RawSource::Files(RawFilesSource { files: Some(files) }) => {
            files::check(files, &key.child("files"), context, problems).map(SourceConfig::Files)
        }
        RawSource::Kafka(RawKafkaSource { kafka: None }) => {
            let fix = "missing; write a section `[source.kafka]` with `brokers` and `topic`";
            problems.refuse(&key.child("kafka"), fix);
            None
        }
        RawSource::Files(RawFilesSource { files: None }) => {
            let fix = "missing; write a section `[source.files]` with `path`";
            problems.refuse(&key.child("files"), fix);
            None
        }
    }
}
