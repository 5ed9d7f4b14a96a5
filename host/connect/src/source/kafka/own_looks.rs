//! Looks at the topic by connections of our own, where records come by such as well. A question by librdkafka wakes three threads
//! for the question and three for the answer, and a look has three of them. These are two, and wake nobody else.
//!
//! What cannot be seen so is left to librdkafka, which has the words for what is wrong.

use std::time::Duration;

use sluicegate_fetch::{TopicLooks, TopicSeen};

/// How long an answer may take.
const WITHIN: Duration = Duration::from_secs(5);

/// After failures in a row it is tried again with one look in so many at least.
const REST_MAX: u32 = 64;

/// Of one client.
pub(super) struct OwnLooks {
    looks: Box<dyn FnMut() -> Result<TopicSeen, String> + Send>,
    failures: u32,
    /// So many looks are left to librdkafka.
    rest: u32,
}

impl OwnLooks {
    /// By these connections.
    pub(super) fn by(options: sluicegate_fetch::Options) -> Self {
        let mut looks = TopicLooks::new(options, WITHIN);
        Self::new(move || looks.look())
    }

    fn new(looks: impl FnMut() -> Result<TopicSeen, String> + Send + 'static) -> Self {
        Self { looks: Box::new(looks), failures: 0, rest: 0 }
    }

    /// What a look has seen; none if it is left to librdkafka.
    pub(super) fn look(&mut self) -> Option<TopicSeen> {
        if self.rest > 0 {
            self.rest -= 1;
            return None;
        }
        match (self.looks)() {
            Ok(seen) if !seen.ends.is_empty() => {
                self.failures = 0;
                Some(seen)
            }
            other => {
                tracing::debug!(target: "kafka", ?other, "the topic is looked at by librdkafka");
                self.rest = (1 << self.failures.min(16)).min(REST_MAX);
                self.failures += 1;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn what_fails_is_left_to_librdkafka_and_tried_again_more_and_more_rarely() {
        let asked = Arc::<AtomicUsize>::default();
        let asks = Arc::clone(&asked);
        let seen = |ends| Ok(TopicSeen { topic: String::new(), cluster: None, ends });
        let mut own = OwnLooks::new(move || match asks.fetch_add(1, Ordering::Relaxed) {
            0..8 => Err("it is away".to_owned()),
            8 => seen(Vec::new()),
            _ => seen(vec![Some(1)]),
        });
        let (mut tried, mut answered) = (Vec::new(), Vec::new());
        for look in 0..270 {
            let before = asked.load(Ordering::Relaxed);
            answered.extend(own.look().map(|_| look));
            if asked.load(Ordering::Relaxed) > before && answered.is_empty() {
                tried.push(look);
            }
        }
        assert_eq!(tried, [0, 2, 5, 10, 19, 36, 69, 134, 199], "none of them has seen a partition");
        assert_eq!(answered, (264..270).collect::<Vec<_>>(), "all is well again");
    }
}
