//! `[window]` as it was written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::duration::DurationText;

/// Windows over event time, and the key by which each is divided. `docs/windows.md` has a picture of every type.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWindow {
    /// Which windows.
    ///
    /// * `tumbling`: windows of one size, one behind the other.
    /// * `sliding`: windows of one size that begin at equal distances and overlap.
    /// * `session`: for each key as long as its rows are never further apart than `gap`.
    /// * `global`: one for each key and for ever. Nothing is late, and results have no bounds.
    #[schemars(example = &"tumbling")]
    pub(crate) r#type: RawWindowType,
    /// Tumbling and sliding, needed there: how long a window is. More than zero.
    #[serde(default)]
    #[schemars(example = &"30s")]
    pub(crate) size: Option<DurationText>,
    /// Sliding only, needed there: how far apart windows begin. More than zero; the size need not be a multiple of it.
    #[serde(default)]
    #[schemars(example = &"10s")]
    pub(crate) slide: Option<DurationText>,
    /// Sliding only: `true` allows a slide that is longer than the size. Rows between two windows belong to none of them
    /// and are counted as filtered. Default `false`: such a slide is refused as a slip.
    #[serde(default)]
    #[schemars(example = true, extend("default" = false))]
    pub(crate) gaps: Option<bool>,
    /// Tumbling and sliding: shifts the windows. They begin at 1970-01-01T00:00:00Z plus this plus a multiple of the size
    /// (sliding: of the slide), and this is less than that. Default `"0s"`. (1970 began on a Thursday: weeks from Monday
    /// need `"4d"`.)
    #[serde(default)]
    #[schemars(example = &"4d", extend("default" = "0s"))]
    pub(crate) offset: Option<DurationText>,
    /// Session only, needed there: silence of a key that ends its session. A session ends this long after its last row,
    /// and two whose distance is exactly this are one. More than zero.
    #[serde(default)]
    #[schemars(example = &"30m")]
    pub(crate) gap: Option<DurationText>,
    /// Session only: no session is longer than this. It is closed there, and the next row of its key begins another
    /// one. Not less than `gap`. Default `"1d"`: longer than people and most machines are busy without a break, and a
    /// key that never falls silent still has results.
    #[serde(default)]
    #[schemars(example = &"4h", extend("default" = "1d"))]
    pub(crate) max_length: Option<DurationText>,
    /// Global only, needed there: when the watermark crosses a multiple of this, the groups that changed are emitted, each
    /// time with a higher `revision`; and once more at the end of input. More than zero.
    #[serde(default)]
    #[schemars(example = &"30s")]
    pub(crate) trigger: Option<DurationText>,
    /// Not global: how long a window that has fired is kept. A row that comes for it in that time is not late: the window fires again
    /// and its results have a higher `revision`. Sinks of tables need `corrections = "append"` then. Default `"0s"`: a
    /// window fires once.
    #[serde(default)]
    #[schemars(example = &"10m", extend("default" = "0s"))]
    pub(crate) allowed_lateness: Option<DurationText>,
    /// The columns that divide a window into groups, each with its own result: columns of `[schema]`, or of the
    /// last map's answer. `[]`: one group a window.
    #[schemars(example = json!(["store"]))]
    pub(crate) key: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawWindowType {
    Tumbling,
    Sliding,
    Session,
    Global,
}
