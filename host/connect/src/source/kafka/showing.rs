//! Whether the offsets that are shown to the group reach it. Nobody loses a record if they do not, but who watches the
//! group's lag believes that reading stands.

use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;

/// A broker that is restarted, or a coordinator that moves, is back sooner.
const PATIENCE: Duration = Duration::from_secs(30);

/// How it went lately.
#[derive(Debug, Default)]
pub(super) struct Showing {
    /// Monotonic time of the first failure since the last success.
    fails_since: Option<Duration>,
    /// A person was told.
    is_told: bool,
}

/// What a person is told of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    Fails,
    IsWell,
}

impl Showing {
    /// Takes note of how one commit went: the code with which it failed, if librdkafka gives one.
    ///
    /// One that an outage takes along is no news: the lane says once that the broker is away, and the next commit shows all.
    pub(super) fn note(
        &mut self,
        failed: Option<Option<RDKafkaErrorCode>>,
        now: Duration,
    ) -> Option<News> {
        let Some(code) = failed else {
            self.fails_since = None;
            return std::mem::take(&mut self.is_told).then_some(News::IsWell);
        };
        let since = *self.fails_since.get_or_insert(now);
        let is_lasting = now.saturating_sub(since) >= PATIENCE;
        if self.is_told || !is_lasting && code.is_some_and(passes_by_itself) {
            return None;
        }
        self.is_told = true;
        Some(News::Fails)
    }
}

/// The broker or the group's coordinator is away, or starts.
fn passes_by_itself(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::MessageTimedOut
            | Code::RequestTimedOut
            | Code::NetworkException
            | Code::BrokerNotAvailable
            | Code::WaitingForCoordinator
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWAY: Option<Option<RDKafkaErrorCode>> =
        Some(Some(RDKafkaErrorCode::BrokerTransportFailure));
    const DENIED: Option<Option<RDKafkaErrorCode>> =
        Some(Some(RDKafkaErrorCode::GroupAuthorizationFailed));
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_an_outage_takes_along_is_no_news() {
        let mut showing = Showing::default();
        assert_eq!(showing.note(AWAY, 10 * SECOND), None);
        assert_eq!(showing.note(AWAY, 39 * SECOND), None);
        assert_eq!(showing.note(None, 40 * SECOND), None);
        assert_eq!(showing.note(AWAY, 45 * SECOND), None, "another outage");
    }

    #[test]
    fn what_lasts_is_told_once_and_so_is_its_end() {
        let mut showing = Showing::default();
        assert_eq!(showing.note(AWAY, 10 * SECOND), None);
        assert_eq!(showing.note(AWAY, 40 * SECOND), Some(News::Fails));
        assert_eq!(showing.note(AWAY, 80 * SECOND), None);
        assert_eq!(showing.note(None, 81 * SECOND), Some(News::IsWell));
        assert_eq!(showing.note(None, 82 * SECOND), None);
    }

    #[test]
    fn what_does_not_pass_by_itself_is_told_at_once() {
        let mut showing = Showing::default();
        assert_eq!(showing.note(DENIED, 10 * SECOND), Some(News::Fails));
        assert_eq!(showing.note(DENIED, 11 * SECOND), None);
        assert_eq!(showing.note(Some(None), 12 * SECOND), None);
        assert_eq!(Showing::default().note(Some(None), SECOND), Some(News::Fails));
    }
}
