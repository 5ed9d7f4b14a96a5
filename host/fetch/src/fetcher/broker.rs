//! The thread of one broker: asks, hands on what came, asks again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::state::Shared;
use crate::fault::Fault;
use crate::link::{Link, LinkError};
use crate::wire::fetch::{self, Amount, Answer, Wanted};
use crate::wire::{FETCH, TopicId};

/// A broker that wants more rest than this is asked again all the same.
const THROTTLE_MAX: Duration = Duration::from_secs(30);

/// Fetches what this broker leads until the fetcher is dropped.
pub(super) fn start(shared: &Arc<Shared>, topic: TopicId, broker: i32) -> io::Result<()> {
    let shared = Arc::clone(shared);
    let name = format!("kafka-fetch-{broker}");
    std::thread::Builder::new().name(name).spawn(move || run(&shared, topic, broker)).map(drop)
}

fn run(shared: &Shared, topic: TopicId, broker: i32) {
    let mut link = None;
    let mut turn = 0;
    while let Some((wanted, max_bytes)) = shared.next_request(broker, turn) {
        turn = turn.wrapping_add(1);
        match ask(shared, &mut link, topic, broker, &wanted, max_bytes) {
            Ok(answer) => {
                let throttle = u64::try_from(answer.throttle_ms).unwrap_or(0);
                shared.bring(broker, &wanted, answer);
                let rest = Duration::from_millis(throttle).min(THROTTLE_MAX);
                if !rest.is_zero() && shared.wait_while(Some(rest), |_| true).is_none() {
                    return;
                }
            }
            Err(error) => {
                link = None;
                let failures = shared.note_failure(broker, &error);
                tracing::debug!(target: "kafka", broker, failures, %error, "no records from a broker");
                let pause = pause_after(failures, shared.options.pause, shared.options.pause_max);
                if shared.wait_while(Some(pause), |_| true).is_none() {
                    return;
                }
            }
        }
    }
}

/// Twice as long after each failure.
pub(super) fn pause_after(failures: u32, first: Duration, most: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    first.saturating_mul(1 << doublings).min(most)
}

fn ask(
    shared: &Shared,
    link: &mut Option<Link>,
    topic: TopicId,
    broker: i32,
    wanted: &[Wanted],
    max_bytes: i32,
) -> Result<Answer, LinkError> {
    let link = match link {
        Some(link) => link,
        None => link.insert(connect(shared, broker)?),
    };
    let options = &shared.options;
    let amount = Amount {
        wait_ms: i32::try_from(options.wait.as_millis()).unwrap_or(i32::MAX),
        min_bytes: options.min_bytes,
        max_bytes,
        partition_max_bytes: options.partition_max_bytes,
    };
    let whole = link.ask(FETCH, |writer| fetch::write(writer, topic, amount, wanted.iter()))?;
    let answer = fetch::read(&whole, link.body(FETCH, &whole)?)?;
    match answer.error {
        0 => Ok(answer),
        code => Err(LinkError::Nonsense(Fault::Impossible {
            what: "the error of a whole answer",
            value: code.into(),
        })),
    }
}

fn connect(shared: &Shared, broker: i32) -> Result<Link, LinkError> {
    let contact = shared.lock().brokers.get(&broker).map(|contact| contact.broker.clone());
    let Some(contact) = contact else { return Err(LinkError::Closed) };
    let options = &shared.options;
    let link = Link::open(&contact.host, contact.port, &options.client_id, shared.patience())?;
    shared.keep_breaker(broker, link.breaker()?);
    Ok(link)
}
