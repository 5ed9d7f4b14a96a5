//! A time in which nobody led: why, for how long, and what the next leader did meanwhile, so that a long one can be explained.

use std::fmt;
use std::time::Duration;

/// Why nobody leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The leader was killed.
    Killed,
    /// It was told to end.
    Stopped,
    /// It was put to sleep.
    Slept,
}

/// A time without a leader of which the end is not seen yet.
pub struct Open {
    pub why: Why,
    /// When it began.
    pub since: Duration,
    /// Who led: which host, in which of its lives.
    pub victim: (usize, u32),
    /// Whether store or broker were hurt so far.
    pub hurt: bool,
}

/// A time without a leader.
pub struct Gap {
    pub why: Why,
    /// When it began.
    pub since: Duration,
    pub took: Duration,
    /// Whether store or broker were hurt meanwhile.
    pub hurt: bool,
    /// Who leads behind it.
    pub by: usize,
    /// How long that host had run when it began; none if it was started later.
    pub up: Option<Duration>,
    /// What it says of its opening, step by step.
    pub told: Option<String>,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.why {
            Why::Killed => "kill -9",
            Why::Slept => "SIGSTOP",
            Why::Stopped => "SIGTERM",
        };
        let (at, took) = (self.since.as_secs_f64(), self.took.as_secs_f64());
        write!(f, "{at:7.1} s  {what}, nobody led for {took:.2} s")?;
        if self.hurt {
            f.write_str(", store or broker hurt")?;
        }
        write!(f, "; then host {}, ", self.by)?;
        match self.up {
            Some(up) => write!(f, "which had run for {:.1} s", up.as_secs_f64())?,
            None => f.write_str("which was started meanwhile")?,
        }
        write!(f, ": {}", self.told.as_deref().unwrap_or("it says nothing of its opening"))
    }
}

/// The end of the last line in which a host says that it works in the place of another: `kind=fail-over took=1.2s opening=…`.
pub fn took_over(log: &str) -> Option<String> {
    const SAID: &str = "took over pipeline=\"sales\" ";
    let (_, said) = log.lines().rev().find_map(|line| line.split_once(SAID))?;
    Some(said.trim().to_owned())
}
