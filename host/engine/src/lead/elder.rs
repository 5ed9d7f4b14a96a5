//! Owners of earlier versions, which know no terms: they fence and beat (`sluicegate_chain::beat`).
//!
//! One that lives is waited for like a leader. What shows its life is a new epoch or a new beat.

use std::time::Duration;

use sluicegate_chain::beat::{BEAT_EVERY, Signs};

/// Times that such an owner may miss to show itself.
const MISSES: u32 = 3;

/// What was seen of an owner of an earlier version.
#[derive(Debug, Default)]
pub(crate) struct Elder {
    watched: Option<(Signs, Duration)>,
}

impl Elder {
    /// Who is to be waited for, if anybody is. `interval` is that of checkpoints, `now` of the clock that counts suspend.
    pub(crate) fn lives(
        &mut self,
        signs: Signs,
        interval: Duration,
        now: Duration,
    ) -> Option<String> {
        let beat = signs.beat.as_ref().filter(|beat| !beat.released && !beat.is_led)?;
        let instance = beat.writer.instance.clone();
        let since = match &self.watched {
            Some((watched, since)) if *watched == signs => *since,
            _ => now,
        };
        self.watched = Some((signs, since));
        let patience = interval.max(BEAT_EVERY) * MISSES;
        (now.saturating_sub(since) < patience).then_some(instance)
    }

    /// The store did not answer.
    pub(crate) fn saw_nothing(&mut self) {
        self.watched = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_chain::beat::Beat;
    use sluicegate_chain::record::{Epoch, Writer};

    const SECOND: Duration = Duration::from_secs(1);

    fn signs(epoch: u64, count: u64, released: bool, is_led: bool) -> Signs {
        let writer = Writer { instance: "old/1".to_owned(), nonce: "n".to_owned() };
        Signs { head: Some(Epoch(epoch)), beat: Some(Beat { writer, count, released, is_led }) }
    }

    #[test]
    fn an_owner_of_an_earlier_version_is_waited_for_until_it_is_silent() {
        let mut elder = Elder::default();
        let mut lives = |signs, at: u32| elder.lives(signs, SECOND * 10, SECOND * at);
        assert_eq!(lives(signs(1, 1, false, false), 0).as_deref(), Some("old/1"));
        assert!(lives(signs(1, 1, false, false), 29).is_some());
        assert!(lives(signs(1, 2, false, false), 30).is_some(), "a beat");
        assert!(lives(signs(2, 2, false, false), 59).is_some(), "an epoch");
        assert!(lives(signs(2, 2, false, false), 89).is_none());
    }

    #[test]
    fn one_that_has_ended_or_leads_by_a_term_is_not() {
        let mut elder = Elder::default();
        assert!(elder.lives(signs(1, 1, true, false), SECOND, SECOND).is_none());
        assert!(elder.lives(signs(1, 1, false, true), SECOND, SECOND).is_none());
        assert!(elder.lives(Signs::default(), SECOND, SECOND).is_none());
    }
}
