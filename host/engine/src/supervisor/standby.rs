//! Standing by: another instance has taken the lane over, which is no error of either.
//!
//! The rule, until there is leadership:
//!
//! * Who opens a lane takes it, also from an owner that lives. So a new version takes over from an old one, and a process
//!   that was killed is not waited for.
//! * Who was overtaken looks for signs of life of the owner: new epochs, and beats where there is no news
//!   ([`sluicegate_chain::beat`]). It opens the lane again when the owner says that it has ended, or when nothing has moved for
//!   its patience, measured by its own clock over looks that the store has answered.
//! * Patience is three times what an owner needs to show itself, and doubles each time it is overtaken, to 32 times; an
//!   owner for ten minutes begins anew. So two instances of which each takes the other for dead, because both are slow, do
//!   not take turns: the one that was overtaken more often waits longer than the other is silent.
//! * Instances differ by up to half in their patience, so that two which stand by do not go at the same moment. If they
//!   do, the chain lets one pass.

use std::time::Duration;

use super::{Supervisor, publish};
use crate::lane::{self, Awaited, Outside};
use crate::status::Phase;
use sluicegate_chain::beat::{Signs, look};

/// Times that an owner may miss to show itself.
const MISSES: u32 = 3;

/// Patience is doubled so often at most.
const DOUBLINGS_MAX: u32 = 5;

/// An owner for so long has shown that it is not in anybody's way.
const SETTLED: Duration = Duration::from_secs(600);

/// How often this instance was overtaken.
#[derive(Debug, Default)]
pub(super) struct Overtaken {
    times: u32,
}

impl Overtaken {
    /// Once more, after it has owned the lane for so long.
    pub(super) fn again(&mut self, owned: Duration) {
        self.times = if owned >= SETTLED { 1 } else { self.times.saturating_add(1) };
    }

    /// How long the owner may show no sign of life, if it shows one `every` so often. `seed` tells instances apart.
    fn patience(&self, every: Duration, seed: u64) -> Duration {
        let doubled = self.times.saturating_sub(1).min(DOUBLINGS_MAX);
        let part = u32::try_from(seed % 512).expect("below 512");
        every * MISSES * 2_u32.pow(doubled) * (1_024 + part) / 1_024
    }
}

/// What was seen of an owner, and since when it has not changed.
struct Watched {
    signs: Signs,
    since: Duration,
    /// Looks that found the same.
    again: u32,
}

impl Supervisor {
    /// Waits until the lane may be opened again. Whether it is to stop instead. `by` says who has the lane.
    pub(super) fn stand_by(&self, outside: &Outside, by: &str) -> bool {
        let parts = &self.parts;
        let every = parts.config.checkpoint.interval.max(parts.pace.beat);
        let seed = xxhash_rust::xxh3::xxh3_64(parts.instance.as_bytes());
        let patience = self.overtaken.patience(every, seed);
        let rule = format!(
            "{by}; stands by, and takes over when that one has ended, or shows no sign of life for {} s",
            patience.as_secs_f32().ceil()
        );
        tracing::warn!(pipeline = %self.parts.config.name, "{rule}");
        let mut watched: Option<Watched> = None;
        loop {
            let (runtime, storage) = (&self.parts.runtime, &self.parts.storage);
            let looked = lane::heard(outside, runtime, look(storage), Awaited::Standby);
            let now = self.parts.clock.monotonic();
            let problem = match looked {
                None => return true,
                Some(Ok(signs)) if signs.is_released() => return false,
                Some(Ok(signs)) => {
                    let seen = Watched::look(watched.take(), signs, now);
                    if seen.again >= MISSES && now.saturating_sub(seen.since) >= patience {
                        tracing::warn!(
                            pipeline = %self.parts.config.name, silent = ?now.saturating_sub(seen.since),
                            "the instance that has the lane shows no sign of life: taking over"
                        );
                        return false;
                    }
                    watched = Some(seen);
                    rule.clone()
                }
                // Nobody knows what happens meanwhile: begin anew.
                Some(Err(error)) => {
                    watched = None;
                    format!("{rule}; at the moment nobody knows: {error}")
                }
            };
            publish(outside, Phase::Standby, Some(problem));
            if lane::wait(outside, &self.parts.runtime, self.parts.pace.look, Awaited::Standby) {
                return true;
            }
        }
    }
}

impl Watched {
    fn look(before: Option<Self>, signs: Signs, now: Duration) -> Self {
        match before {
            Some(before) if before.signs == signs => Self { again: before.again + 1, ..before },
            _ => Self { signs, since: now, again: 0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(10);

    #[test]
    fn patience_doubles_each_time_until_it_has_owned_the_lane_for_long() {
        let mut overtaken = Overtaken::default();
        let mut seconds = Vec::new();
        for owned in [0, 5, 5, 5, 5, 5, 5, 5, 600, 5] {
            overtaken.again(Duration::from_secs(owned));
            seconds.push(overtaken.patience(EVERY, 0).as_secs());
        }
        assert_eq!(seconds, [30, 60, 120, 240, 480, 960, 960, 960, 30, 60]);
    }

    #[test]
    fn instances_differ_by_half_of_their_patience_at_most() {
        let overtaken = Overtaken { times: 1 };
        let of = |seed| overtaken.patience(EVERY, seed);
        assert!(
            (0..2_000).map(of).all(|patience| patience >= EVERY * 3 && patience < EVERY * 9 / 2)
        );
        assert_ne!(of(1), of(400));
    }
}
