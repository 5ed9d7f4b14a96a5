//! Whether the offsets that are shown to the group reach it. Nobody loses a record if they do not, but who watches the
//! group's lag believes that reading stands.

use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;

/// While the brokers answer, the next commit comes through sooner, or a coordinator is elected.
const PATIENCE: Duration = Duration::from_secs(30);

/// librdkafka's word for a failure, if it has one.
pub(super) type Code = Option<RDKafkaErrorCode>;

/// How it went lately.
#[derive(Debug, Default)]
pub(super) struct Showing {
    /// The last commit failed.
    failed: Option<Code>,
    /// Monotonic time at which the brokers first answered after it.
    answered_since: Option<Duration>,
    /// A person was told.
    is_told: bool,
}

/// What a person is told of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    Fails(Code),
    IsWell,
}

impl Showing {
    /// Takes note of how one commit went: the code with which it failed.
    ///
    /// One that an outage takes along is no news: the lane says once that the broker is away, and the next commit shows all.
    pub(super) fn note(&mut self, failed: Option<Code>) -> Option<News> {
        self.failed = failed;
        let Some(code) = failed else {
            self.answered_since = None;
            return std::mem::take(&mut self.is_told).then_some(News::IsWell);
        };
        self.tell(code, !code.is_some_and(passes_by_itself))
    }

    /// The brokers have answered. A commit that has failed may have been the last one for long.
    pub(super) fn answered(&mut self, now: Duration) -> Option<News> {
        let code = self.failed?;
        let since = *self.answered_since.get_or_insert(now);
        self.tell(code, now.saturating_sub(since) >= PATIENCE)
    }

    #[cfg(test)]
    pub(super) fn is_told(&self) -> bool {
        self.is_told
    }

    fn tell(&mut self, code: Code, is_news: bool) -> Option<News> {
        let is_news = is_news && !self.is_told;
        self.is_told |= is_news;
        is_news.then_some(News::Fails(code))
    }
}

/// The broker or the group's coordinator is away, or starts.
fn passes_by_itself(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as It;
    matches!(
        code,
        It::BrokerTransportFailure
            | It::AllBrokersDown
            | It::OperationTimedOut
            | It::MessageTimedOut
            | It::TimedOutQueue
            | It::RequestTimedOut
            | It::NetworkException
            | It::BrokerNotAvailable
            | It::WaitingForCoordinator
            | It::CoordinatorLoadInProgress
            | It::CoordinatorNotAvailable
            | It::NotCoordinator
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWAY: Code = Some(RDKafkaErrorCode::BrokerTransportFailure);
    const DENIED: Code = Some(RDKafkaErrorCode::GroupAuthorizationFailed);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_an_outage_takes_along_is_no_news() {
        let mut showing = Showing::default();
        assert_eq!(showing.note(Some(AWAY)), None);
        assert_eq!(showing.answered(100 * SECOND), None, "however long it was");
        assert_eq!(showing.answered(129 * SECOND), None);
        assert_eq!(showing.note(None), None);
        assert_eq!(showing.note(Some(AWAY)), None, "another outage");
        assert_eq!(showing.answered(140 * SECOND), None);
    }

    #[test]
    fn what_lasts_is_told_once_and_so_is_its_end() {
        let mut showing = Showing::default();
        assert_eq!(showing.note(Some(AWAY)), None);
        assert_eq!(showing.answered(10 * SECOND), None);
        assert_eq!(
            showing.answered(40 * SECOND),
            Some(News::Fails(AWAY)),
            "nothing came behind it"
        );
        assert_eq!(showing.answered(80 * SECOND), None);
        assert_eq!(showing.note(Some(AWAY)), None);
        assert_eq!(showing.note(None), Some(News::IsWell));
        assert_eq!(showing.note(None), None);
    }

    #[test]
    fn what_does_not_pass_by_itself_is_told_at_once() {
        let mut showing = Showing::default();
        assert_eq!(showing.note(Some(DENIED)), Some(News::Fails(DENIED)));
        assert_eq!(showing.note(Some(DENIED)), None);
        assert_eq!(showing.note(Some(None)), None);
        assert_eq!(Showing::default().note(Some(None)), Some(News::Fails(None)));
    }
}
