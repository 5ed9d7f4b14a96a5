//! A sink of type `console` as it was written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::SinkId;
use crate::duration::DurationText;

/// Changed groups as an aligned table on standard output, before they are committed.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct RawConsoleSink {
    pub(crate) id: SinkId,
    /// How often. Default `"5s"`, about as fast as a person reads a screen.
    #[serde(default)]
    #[schemars(example = &"5s", extend("default" = "5s"))]
    pub(crate) every: Option<DurationText>,
    /// At most this many rows each time; others wait for the next tables, at most 500, and are shown when the input ends.
    /// Default 20, which fits a terminal.
    #[serde(default)]
    #[schemars(example = 20, extend("default" = 20))]
    pub(crate) rows: Option<u64>,
}
