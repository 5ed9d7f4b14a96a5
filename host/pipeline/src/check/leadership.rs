//! `[leadership]`: a beat fits into the time that a leader has, more than once.

use std::time::Duration;

use super::limits::within;
use crate::LeadershipConfig;
use crate::document::Key;
use crate::duration;
use crate::problem::Problems;
use crate::raw::RawLeadership;

/// A request to a store may take a second.
const TTL_MIN: Duration = Duration::from_millis(500);
const TTL_MAX: Duration = Duration::from_secs(3_600);
const BEAT_MIN: Duration = Duration::from_millis(50);
const MARGIN_MIN: Duration = Duration::from_millis(50);

pub(super) fn check(raw: &RawLeadership, problems: &mut Problems<'_>) -> Option<LeadershipConfig> {
    let key = |name: &str| Key::top("leadership").child(name);
    let ttl = within(&raw.ttl, TTL_MIN, TTL_MAX, &key("ttl"), problems);
    let margin = within(&raw.margin, MARGIN_MIN, TTL_MAX, &key("margin"), problems);
    let beat = match &raw.beat {
        Some(beat) => within(beat, BEAT_MIN, TTL_MAX, &key("beat"), problems),
        None => ttl.map(|ttl| ttl / 3),
    };
    let (ttl, beat, margin) = (ttl?, beat?, margin?);
    let valid = ttl.saturating_sub(margin);
    if beat * 2 > valid {
        let message = format!(
            "a leader works for `ttl` less `margin`, which is {}, and beats every {}: twice `beat` must fit into that, or one \
             lost beat stops it; give a longer `ttl`",
            duration::show(valid),
            duration::show(beat)
        );
        problems.refuse(&key("ttl"), message);
        return None;
    }
    Some(LeadershipConfig { ttl, beat, margin })
}
