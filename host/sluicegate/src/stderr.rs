//! Sentences for people on standard error.

use std::fmt::Display;
use std::io::Write;

/// Says something. Whoever listened may have gone (`2>&1 | head`): that is no reason to panic, as `eprintln!` does.
pub(crate) fn say(sentence: impl Display) {
    let _gone = writeln!(std::io::stderr().lock(), "{sentence}");
}
