//! Whether whoever has won the leadership still has it: an opening may last longer than a term.
//!
//! The chain is safe with any number of owners. But whoever was overtaken while it restored a state would stop the one that
//! works, and of two such openings each would stop the other.

use super::wait::wait;
use super::{LaneParts, OpenError};
use crate::lane::Outside;
use crate::lane::desk::Shown;
use crate::lane::refusal::Awaited;
use crate::lead::Standing;
use crate::pulse::PULSE_EVERY;

/// Returns while this instance leads. As long as nobody knows, it waits and says so.
///
/// # Errors
///
/// [`OpenError::SteppedDown`], [`OpenError::Stopped`].
pub(super) fn still_leads(parts: &LaneParts, outside: &Outside) -> Result<(), OpenError> {
    let mut shown = Shown::new(outside);
    loop {
        match outside.lead.standing() {
            Standing::Leads => {
                shown.passed();
                return Ok(());
            }
            Standing::Lost(why) => return Err(OpenError::SteppedDown(why)),
            Standing::Doubts => outside.lead.problem().into_iter().for_each(|it| shown.problem(it)),
        }
        if wait(outside, &parts.runtime, PULSE_EVERY, Awaited::Opening) {
            return Err(OpenError::Stopped);
        }
    }
}
