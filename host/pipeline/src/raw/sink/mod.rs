//! `[[sinks]]` as they were written: a table for each connector, told apart by its `type`.

mod parquet;
mod delta;
mod console;
mod kafka;

use schemars::{JsonSchema, Schema};
use serde::Deserialize;

use super::describe_type;
pub(crate) use console::RawConsoleSink;
pub(crate) use delta::{RawDeltaSink, RawPartitions};
pub(crate) use kafka::{RawEmit, RawKafkaSink};
pub(crate) use parquet::RawParquetSink;

/// One output.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
#[schemars(transform = say_types)]
pub(crate) enum RawSink {
    Parquet(RawParquetSink),
    Delta(RawDeltaSink),
    Console(RawConsoleSink),
    Kafka(RawKafkaSink),
}

/// What the key `type` of a sink means.
fn say_types(schema: &mut Schema) {
    describe_type(schema, "What kind of sink it is; the other keys go with it.");
}

impl RawSink {
    pub(crate) fn id(&self) -> &str {
        let SinkId(id) = match self {
            Self::Parquet(sink) => &sink.id,
            Self::Delta(sink) => &sink.id,
            Self::Console(sink) => &sink.id,
            Self::Kafka(sink) => &sink.id,
        };
        id
    }
}

/// The sink's identity: it names the table in the chain. 1 to 63 of `a-z`, `0-9`, `-` and `_`, unique among the
/// sinks; not `late` or `dead_letters`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(example = &"revenue", extend("pattern" = "^[a-z0-9][a-z0-9_-]{0,62}$"))]
pub(crate) struct SinkId(pub(crate) String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawCorrections {
    Append,
}
