//! How often somebody may try a token. A token cannot be guessed; this keeps the log and the processor from those who try.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Failures of one caller before it has to wait: more than a person makes who takes the wrong line of a file.
pub(super) const FAILURES_MAX: u32 = 10;
/// Counted from the first of them.
pub(super) const FAILURES_TIME: Duration = Duration::from_secs(60);
/// Callers that are told apart. Those beyond are counted as one.
pub(super) const CALLERS_MAX: usize = 1_024;

/// Who tries: an address, of IPv6 the network that one household or one machine has. None: whoever finds no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::http) struct Caller(Option<IpAddr>);

/// It has failed too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct TooMany {
    /// When it may try again.
    pub(in crate::http) wait: Duration,
}

/// Failures by caller.
#[derive(Debug, Default)]
pub(super) struct Attempts(BTreeMap<Caller, Failures>);

#[derive(Clone, Copy, Debug)]
struct Failures {
    since: Duration,
    count: u32,
}

impl Caller {
    /// Behind `peer`.
    pub(in crate::http) fn of(peer: Option<SocketAddr>) -> Self {
        Self(peer.map(|peer| match peer.ip().to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into()
            }
        }))
    }
}

impl Attempts {
    /// Asks whether it was the right one, and counts if not.
    pub(super) fn attempt(
        &mut self,
        caller: Caller,
        now: Duration,
        is_right: impl FnOnce() -> bool,
    ) -> Result<bool, TooMany> {
        self.0.retain(|_, failures| now < failures.since + FAILURES_TIME);
        let has_place = self.0.contains_key(&caller) || self.0.len() < CALLERS_MAX;
        let caller = if has_place { caller } else { Caller(None) };
        if let Some(failures) = self.0.get(&caller)
            && failures.count >= FAILURES_MAX
        {
            return Err(TooMany { wait: failures.since + FAILURES_TIME - now });
        }
        if is_right() {
            self.0.remove(&caller);
            return Ok(true);
        }
        self.0.entry(caller).or_insert(Failures { since: now, count: 0 }).count += 1;
        Ok(false)
    }
}
