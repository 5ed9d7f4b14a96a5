//! Who wants to lead, and its claims.

use std::sync::Arc;
use std::time::Duration;

use super::process::Processes;
use sluicegate_chain::lead::claim::{Claim, FileMark, LeadTerm};
use sluicegate_model::time::{Clock, EventTime};
use sluicegate_runtime::Names;

/// Who wants to lead.
#[derive(Clone, Debug)]
pub(crate) struct Applicant {
    pub(crate) pipeline: Arc<str>,
    pub(crate) instance: String,
    pub(crate) url: Option<String>,
    pub(crate) file: Option<FileMark>,
    pub(crate) ttl: Duration,
    pub(crate) clock: Clock,
    pub(crate) names: Names,
    pub(crate) processes: Processes,
}

impl Applicant {
    /// A claim of its own, unlike every other.
    pub(crate) fn claim(&self, term: LeadTerm) -> Claim {
        Claim {
            term,
            instance: self.instance.clone(),
            nonce: self.names.next(),
            ttl_ms: u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX),
            url: self.url.clone(),
            process: self.processes.own(),
            file: self.file.clone(),
            at: EventTime(self.clock.wall_micros()),
        }
    }
}
