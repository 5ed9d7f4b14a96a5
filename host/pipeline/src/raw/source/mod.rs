//! `[source]` as it was written: its `type` says which section of settings goes with it.

mod kafka;
mod files;

use schemars::{JsonSchema, Schema};
use serde::Deserialize;

use super::describe_type;
pub(crate) use files::{RawFiles, RawFilesSource, RawOrder};
pub(crate) use kafka::{RawEnd, RawFetchWay, RawKafka, RawKafkaSource, RawOnDataLoss, RawStart};

/// Where records come from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
#[schemars(transform = say_types)]
pub(crate) enum RawSource {
    Kafka(RawKafkaSource),
    Files(RawFilesSource),
}

/// What the key `type` of the source means.
fn say_types(schema: &mut Schema) {
    let text = "What kind of source it is. Its settings stand in the section of that name, `[source.kafka]` or\n\
                `[source.files]`.";
    describe_type(schema, text);
}
