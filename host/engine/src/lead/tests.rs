//! What an instance believes of its leadership while its keeper ends.

use std::time::Duration;

use sluicegate_model::time::EventTime;

use super::*;

#[test]
fn an_answer_that_comes_when_the_term_is_released_changes_nothing() {
    let mut system = tokio::runtime::Builder::new_multi_thread();
    let system = system.worker_threads(1).enable_time().build().unwrap();
    let clock = Clock::manual(0);
    let lead = Lead::new(clock.clone());
    let claim = Claim {
        term: LeadTerm::FIRST,
        instance: "host".to_owned(),
        nonce: "n".to_owned(),
        ttl_ms: 1,
        url: None,
        process: None,
        file: None,
        at: EventTime(0),
    };
    let stop = CancellationToken::new();
    let keeper = Keeper::of_task(stop.clone(), system.spawn(async {}));
    lead.won(&claim, keeper);
    lead.while_kept(&stop, |lead| lead.extend(Duration::from_secs(10)));
    assert_eq!(lead.standing(), Standing::Leads);

    lead.release(&Runtime::from(system.handle().clone()));
    lead.while_kept(&stop, |lead| lead.extend(Duration::from_secs(10)));
    assert_eq!(lead.standing(), Standing::Doubts);
    lead.while_kept(&stop, |lead| lead.lose("another leads".to_owned()));
    assert_eq!(lead.standing(), Standing::Doubts);
}
