//! A broker that is asked, and how it goes with it.

use crate::link::{Breaker, LinkError};
use crate::wire::metadata::Broker;

/// A broker that was tried once may have been restarted: that is no trouble.
const FAILURES_MIN: u32 = 2;

/// A broker that restarts may deny somebody whom it does not know yet, and a wire may garble an answer. With the pauses between
/// attempts it takes seconds until it counts.
const ODD_FAILURES_MAX: u32 = 6;

/// A broker, and how it goes with it. One that has left the cluster stays: its thread has nothing to ask it for.
pub(super) struct Contact {
    pub(super) broker: Broker,
    /// In a row.
    failures: u32,
    trouble: String,
    odds: Odds,
    breaker: Option<Breaker>,
}

impl Contact {
    pub(super) fn new(broker: Broker) -> Self {
        let (trouble, odds) = (String::new(), Odds::default());
        Self { broker, failures: 0, trouble, odds, breaker: None }
    }

    /// It has given an answer that can be read.
    pub(super) fn answered(&mut self) {
        self.failures = 0;
        self.odds = Odds::default();
    }

    /// It gives no answer. How often in a row, and the sentence about it if we do not get on with it.
    pub(super) fn failed(&mut self, error: &LinkError) -> (u32, Option<String>) {
        self.failures = self.failures.saturating_add(1);
        self.trouble = error.of_broker(&self.broker.host, self.broker.port);
        let is_at_odds = self.odds.grow(error);
        (self.failures, is_at_odds.then(|| self.trouble.clone()))
    }

    /// Why nothing comes of it, if it was tried in vain more than once.
    pub(super) fn trouble(&self) -> Option<&String> {
        (self.failures >= FAILURES_MIN).then_some(&self.trouble)
    }

    /// How to break the connection to it.
    pub(super) fn keep(&mut self, breaker: Breaker) {
        self.breaker = Some(breaker);
    }

    /// Breaks the connection to it.
    pub(super) fn cut(&self) {
        self.breaker.iter().for_each(Breaker::cut);
    }
}

/// How often in a row somebody was there and we did not get on with it.
#[derive(Debug, Default)]
pub(super) struct Odds(u32);

impl Odds {
    /// Takes note of a failure. True if another client may fare better.
    pub(super) fn grow(&mut self, error: &LinkError) -> bool {
        self.0 = match error {
            LinkError::Lacks { .. } => ODD_FAILURES_MAX,
            LinkError::Tls(_) | LinkError::Denied(_) | LinkError::Nonsense(_) => {
                self.0.saturating_add(1)
            }
            // It is away, or would be too much for any client.
            _ => self.0,
        };
        self.0 >= ODD_FAILURES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;

    fn contact() -> Contact {
        Contact::new(Broker { id: 1, host: "kafka".to_owned(), port: 9092 })
    }

    #[test]
    fn nonsense_counts_when_it_lasts() {
        let mut contact = contact();
        let nonsense = || LinkError::Nonsense(Fault::EndlessInteger);
        let fail = |contact: &mut Contact| contact.failed(&nonsense()).1;
        for _ in 1..ODD_FAILURES_MAX {
            assert_eq!(fail(&mut contact), None);
        }
        contact.answered();
        for _ in 1..ODD_FAILURES_MAX {
            assert_eq!(fail(&mut contact), None);
        }
        assert_eq!(contact.failed(&LinkError::Closed).1, None, "it may be away in between");
        let sentence = fail(&mut contact).unwrap();
        assert!(sentence.starts_with("broker `kafka:9092`"), "{sentence}");
    }

    #[test]
    fn a_broker_that_is_away_is_nobody_to_be_at_odds_with() {
        let mut contact = contact();
        for _ in 0..100 {
            assert_eq!(contact.failed(&LinkError::Closed).1, None);
        }
        assert!(contact.trouble().is_some());
    }
}
