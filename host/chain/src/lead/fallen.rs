//! Leaders that died one after the other, and none of them had committed anything. Pure.
//!
//! What kills a process (no memory, an overflown stack, an abort) kills the next one as well, if it comes of a record or of the
//! state: each host of a pipeline takes over, reads the same, and dies. No process sees more than its own death, so the row of them
//! is read from the terms.

use std::time::Duration;

use super::claim::{Claim, Sign};

/// So many in a row have one cause, most likely: two may be a machine that failed and a host that was killed while it opened.
const ROW_MIN: usize = 3;
/// A leader that has shown more signs, ten minutes of them by default, did not die of what it was given first. A store that took no
/// commit meanwhile kills nobody.
const SIGNS_MAX: u64 = 120;
/// How long the next one waits then, beyond the silence; doubled with each that dies.
const WAIT_MIN: Duration = Duration::from_secs(10);
/// The longest wait: whoever has mended the cause is not to wait for long.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Whether a term that is over ended so, by its last sign: soon, without a release, and without a commit where there was something to
/// read. None: its leader died before the first sign, which comes at once behind a commit and is durable. Of other versions nobody knows.
pub fn has_fallen(claim: &Claim, sign: Option<&Sign>) -> bool {
    match sign {
        None => claim.file.as_ref().is_some_and(|file| file.version == env!("CARGO_PKG_VERSION")),
        Some(Sign { released, has_committed, idle, count, .. }) => {
            !released && !idle && *has_committed == Some(false) && *count <= SIGNS_MAX
        }
    }
}

/// Of claims whose terms ended so, one for each process: one that got no sign through claims again.
pub fn by_process(mut claims: Vec<Claim>) -> Vec<Claim> {
    claims.dedup_by(|left, right| {
        (&left.instance, &left.process) == (&right.instance, &right.process)
    });
    claims
}

/// How long the next one is to wait when so many have fallen in a row; none if that is no matter.
pub fn back_off(row: usize) -> Option<Duration> {
    let doubled = u32::try_from(row.checked_sub(ROW_MIN)?).unwrap_or(u32::MAX);
    Some(WAIT_MIN.saturating_mul(2_u32.saturating_pow(doubled)).min(WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::claim::{FileMark, LeadTerm};
    use super::*;
    use sluicegate_model::time::EventTime;

    #[test]
    fn the_wait_grows_with_each_that_falls() {
        let waits = |row| back_off(row).map(|wait| wait.as_secs());
        assert_eq!(
            [0, 2, 3, 4, 5, 6, 99].map(waits),
            [None, None, Some(10), Some(20), Some(40), Some(60), Some(60)]
        );
    }

    #[test]
    fn only_a_term_that_ended_soon_without_release_and_commit_and_had_something_to_read_counts() {
        let claim = |version: &str| Claim {
            term: LeadTerm(1),
            instance: "a/1".to_owned(),
            nonce: "n".to_owned(),
            ttl_ms: 15_000,
            url: None,
            process: None,
            file: Some(FileMark { version: version.to_owned(), sections: BTreeMap::new() }),
            at: EventTime(0),
        };
        let ours = claim(env!("CARGO_PKG_VERSION"));
        let sign =
            |released, has_committed| Sign { released, has_committed, ..Sign::of_life(&ours, 1) };
        assert!(has_fallen(&ours, None) && has_fallen(&ours, Some(&sign(false, Some(false)))));
        assert!(!has_fallen(&claim("0.0.1"), None), "its first sign may have come after a commit");
        let old = Sign { count: SIGNS_MAX + 1, ..sign(false, Some(false)) };
        let idle = Sign { idle: true, ..sign(false, Some(false)) };
        let well = [sign(true, Some(false)), sign(false, Some(true)), sign(false, None), old, idle];
        for well in well {
            assert!(!has_fallen(&ours, Some(&well)), "{well:?}");
        }
    }
}
