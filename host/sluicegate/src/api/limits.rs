//! What a pipeline may not exceed, and how much of it is used.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that a pipeline may not exceed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Limit {
    /// What is limited: `state`, or `memory of` a stage.
    pub name: String,
    /// What is used of it now, in `unit`.
    pub used: f64,
    /// What the pipeline file allows, in `unit`.
    pub limit: f64,
    /// The unit of `used` and `limit`.
    pub unit: LimitUnit,
    /// What happens beyond it, in a sentence.
    pub explains: String,
}

/// The unit of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitUnit {
    /// Memory.
    Bytes,
    /// Time.
    Seconds,
}

impl fmt::Display for LimitUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
        })
    }
}

impl Limit {
    /// From this share on somebody should know.
    pub const NEAR: f64 = 0.8;

    /// Whether it is nearly used up, or beyond.
    pub fn is_near(&self) -> bool {
        self.used >= self.limit * Self::NEAR
    }
}
