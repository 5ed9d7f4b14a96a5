//! `[leadership]` as it was written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::DurationText;

/// How instances of one pipeline agree who works. Those that do not stand by, and one of them takes over when the leader
/// has ended or is silent.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawLeadership {
    /// A leader that shows no sign of life for so long, and for `margin` more, is taken for dead. Default `"15s"`: with the
    /// other defaults another instance works within 25 s of the leader's death.
    #[schemars(example = &"15s")]
    pub(crate) ttl: DurationText,
    /// How often the leader shows a sign of life: two small requests to the store. Default: a third of `ttl`, so that one
    /// may be lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"5s", extend("default" = "a third of `ttl`"))]
    pub(crate) beat: Option<DurationText>,
    /// The leader stops working so long before `ttl` has passed without a sign, and the others wait so much longer. The
    /// clocks of two machines may run apart by twice as much within `ttl`. Default `"2s"`.
    #[schemars(example = &"2s")]
    pub(crate) margin: DurationText,
}

impl Default for RawLeadership {
    fn default() -> Self {
        Self { ttl: "15s".into(), beat: None, margin: "2s".into() }
    }
}
