//! How long a broker is to wait for more before it answers.
//!
//! Where senders write little and often, a broker that answers at once answers for every few records. What each answer costs, here
//! and there, is then most of the cost. So it is asked to wait a moment for more. It answers as soon as there is [`WORTHWHILE`],
//! so that nothing is slower where much comes.
//!
//! The moment may be longer where nobody sees yet what becomes of the records: until shortly before somebody does. Whoever is shown
//! results ten times a second is shown the same so. The broker answers for all that comes in between, up to
//! [`WORTHWHILE_UNSEEN`]: nobody would see it earlier.
//!
//! Where nothing comes within that moment it was asked in vain, and what comes next is asked for without it. It is tried again
//! behind every answer, then behind every second, and so on: whoever is sent a record now and then is asked hardly more often.
//!
//! Where nothing comes at all it is asked more and more rarely: it waits twice as long behind each empty answer, and answers at once
//! when something comes.

use std::time::Duration;

/// The moment where somebody may see it at once. Whoever reads is told so much later.
const MOMENT: Duration = Duration::from_millis(5);

/// The moment is never longer than this.
const MOMENT_MAX: Duration = Duration::from_millis(100);

/// A long moment ends so much before somebody sees: what comes behind it is asked for once more by then.
const IN_TIME: Duration = Duration::from_millis(8);

/// Bytes that are worth an answer at once.
const WORTHWHILE: i32 = 64 << 10;

/// The same where nobody sees yet what becomes of them: what 30,000 small records a second are in [`MOMENT_MAX`], and one turn reads
/// in some milliseconds.
const WORTHWHILE_UNSEEN: i32 = 256 << 10;

/// It is tried again behind so many answers at the latest.
const PATIENCE_MAX: u32 = 64;

/// Of one broker.
#[derive(Debug)]
pub(super) struct Pace {
    /// It was asked to wait for more.
    waits: bool,
    /// It is asked to behind so many answers in a row that brought something.
    patience: u32,
    /// Since it was asked in vain.
    answers: u32,
    /// Empty ones in a row, those to a short wait apart.
    silence: u32,
}

/// How long a broker may wait, and for how many bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) wait: Duration,
    /// At most, where nothing has come for a while.
    pub(super) in_silence: Duration,
    pub(super) min_bytes: i32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { waits: false, patience: 1, answers: 0, silence: 0 }
    }
}

impl Pace {
    /// An answer has come, with records or without.
    pub(super) fn answered(&mut self, has_records: bool) {
        self.silence = match has_records {
            true => 0,
            false => self.silence + u32::from(!self.waits),
        };
        match (self.waits, has_records) {
            (true, true) => self.patience = (self.patience / 2).max(1),
            (true, false) => {
                self.patience = (self.patience * 2).min(PATIENCE_MAX);
                (self.waits, self.answers) = (false, 0);
            }
            (false, true) => {
                self.answers += 1;
                self.waits = self.answers >= self.patience;
            }
            (false, false) => {}
        }
    }

    /// How long the broker may wait, and for how many bytes. Nobody sees for `unseen` what comes. Whoever has chosen another number
    /// of bytes than one has chosen how long to wait as well.
    pub(super) fn of(&self, bounds: Bounds, unseen: Duration) -> (Duration, i32) {
        let Bounds { wait, in_silence, min_bytes } = bounds;
        if min_bytes > 1 {
            (wait, min_bytes)
        } else if self.waits && wait > MOMENT {
            let moment = unseen.saturating_sub(IN_TIME).clamp(MOMENT, MOMENT_MAX);
            let worthwhile = if moment > MOMENT { WORTHWHILE_UNSEEN } else { WORTHWHILE };
            (moment.min(wait), worthwhile)
        } else {
            (wait.saturating_mul(1 << self.silence.min(8)).min(in_silence.max(wait)), min_bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_millis(500);

    fn bounds(wait: Duration, min_bytes: i32) -> Bounds {
        Bounds { wait, in_silence: wait, min_bytes }
    }

    /// How many of so many answers come a moment late, and how many are empty, if records come every so many moments.
    fn asked(answers: u32, moments: u32) -> (u32, u32) {
        let (mut pace, mut late, mut empty, mut passed) = (Pace::default(), 0, 0, 0);
        for _ in 0..answers {
            let waits = pace.of(bounds(LONG, 1), Duration::ZERO) == (MOMENT, WORTHWHILE);
            let has_records = !waits || passed + 1 >= moments;
            passed = if has_records { 0 } else { passed + 1 };
            late += u32::from(waits);
            empty += u32::from(!has_records);
            pace.answered(has_records);
        }
        (late, empty)
    }

    #[test]
    fn a_broker_waits_where_little_comes_often_and_hardly_where_it_comes_seldom() {
        assert_eq!(asked(1_000, 1), (999, 0));
        let (late, empty) = asked(1_000, 10);
        assert!(late == empty && empty < 30, "{empty} answers in vain");
    }

    #[test]
    fn where_nothing_comes_nobody_is_asked_more_often() {
        let mut pace = Pace::default();
        pace.answered(true);
        pace.answered(false);
        for _ in 0..100 {
            assert_eq!(pace.of(bounds(LONG, 1), Duration::ZERO), (LONG, 1));
            pace.answered(false);
        }
    }

    #[test]
    fn a_broker_waits_longer_and_longer_where_nothing_comes() {
        let mut pace = Pace::default();
        let patient = Bounds { in_silence: 4 * LONG, ..bounds(LONG, 1) };
        let mut asked = |has_records| {
            let (wait, least) = pace.of(patient, Duration::ZERO);
            pace.answered(has_records);
            (wait.as_millis(), least)
        };
        assert_eq!(
            [(); 5].map(|()| asked(false)),
            [500, 1_000, 2_000, 2_000, 2_000].map(|ms| (ms, 1))
        );
        assert_eq!(asked(true), (2_000, 1), "it comes at once");
        assert_eq!([(); 3].map(|()| asked(false)), [(5, WORTHWHILE), (500, 1), (1_000, 1)]);
        let mut chosen = Pace::default();
        (0..9).for_each(|_| chosen.answered(false));
        assert_eq!(chosen.of(Bounds { min_bytes: 2, ..patient }, LONG), (LONG, 2));
        assert_eq!(chosen.of(bounds(LONG, 1), LONG), (LONG, 1));
    }

    #[test]
    fn a_broker_waits_until_shortly_before_somebody_sees() {
        let mut pace = Pace::default();
        assert_eq!(pace.of(bounds(LONG, 1), LONG), (LONG, 1), "it was not heard yet");
        pace.answered(true);
        let moment = |unseen: u64| {
            let (wait, least) = pace.of(bounds(LONG, 1), Duration::from_millis(unseen));
            (wait.as_millis(), least >> 10)
        };
        assert_eq!([0, 3, 10].map(moment), [(5, 64); 3]);
        assert_eq!(
            [20, 50, 108, 1_000].map(moment),
            [(12, 256), (42, 256), (100, 256), (100, 256)],
            "what comes meanwhile comes at once, unless it is much"
        );
        let short = Duration::from_millis(30);
        assert_eq!(pace.of(bounds(short, 1), LONG), (short, WORTHWHILE_UNSEEN));
    }

    #[test]
    fn what_was_chosen_is_obeyed() {
        let mut pace = Pace::default();
        pace.answered(true);
        assert_eq!(pace.of(bounds(LONG, 1), Duration::ZERO), (MOMENT, WORTHWHILE));
        assert_eq!(pace.of(bounds(LONG, 4_096), LONG), (LONG, 4_096));
        assert_eq!(pace.of(bounds(MOMENT / 2, 1), LONG), (MOMENT / 2, 1));
    }
}
