//! Where a first run begins: asked of the source, and pinned before the first record is read
//! (docs/design/decisions.md#d5).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sluicegate_chain::fates::Fates;
use sluicegate_chain::record::{ChainRecord, PartitionState, RecordKind, SourceKind, SourceState};
use sluicegate_chain::{CommitOutcome, Committer, FrozenEpoch};
use sluicegate_connect::source::{Source, SourceError};
use sluicegate_model::identity::SourceIdentity;
use sluicegate_model::position::Positions;
use sluicegate_model::time::Watermark;
use sluicegate_pipeline::fingerprint::fingerprints;
use sluicegate_pipeline::{Pipeline, SourceConfig};
use sluicegate_runtime::Runtime;

use super::OpenError;
use super::wait::wait;
use crate::lane::desk::Shown;
use crate::lane::refusal::Awaited;
use crate::lane::{Outside, PlacedModule};

/// Waits until the source can say where a first run begins.
pub(super) fn resolve_start(
    source: &mut dyn Source,
    runtime: &Runtime,
    outside: &Outside,
) -> Result<Positions, OpenError> {
    answered(source, runtime, outside, |source| source.genesis())
}

/// Waits until what the source reads from answers.
pub(super) fn reach(
    source: &mut dyn Source,
    runtime: &Runtime,
    outside: &Outside,
) -> Result<(), OpenError> {
    answered(source, runtime, outside, |source| Ok(source.reach()?.then_some(())))
}

/// Asks the source until it has an answer. Shows why it has none, and hears when it is to stop.
fn answered<T>(
    source: &mut dyn Source,
    runtime: &Runtime,
    outside: &Outside,
    ask: impl Fn(&mut dyn Source) -> Result<Option<T>, SourceError>,
) -> Result<T, OpenError> {
    let mut shown = Shown::new(outside);
    loop {
        if let Some(answer) = ask(source)? {
            shown.passed();
            return Ok(answer);
        }
        // As long as nothing was tried there are no words, and nothing has passed.
        if let Some(problem) = source.problem() {
            shown.problem(problem);
        }
        // The source itself has waited.
        if wait(outside, runtime, Duration::ZERO, Awaited::Source) {
            return Err(OpenError::Stopped);
        }
    }
}

/// Commits the record that pins where a first run begins, and in which input, before any record is read.
pub(in crate::lane) fn genesis(
    config: &Pipeline,
    modules: &[PlacedModule],
    positions: Positions,
    identity: SourceIdentity,
    committer: &mut Committer,
    outside: &Outside,
) -> Result<Arc<ChainRecord>, OpenError> {
    let kind = match config.source {
        SourceConfig::Kafka(_) => SourceKind::Kafka,
        SourceConfig::Files(_) => SourceKind::Files,
    };
    let partitions = positions.into_iter().map(|(partition, position)| PartitionState {
        partition,
        position,
        max_event_time: None,
        doubted: None,
        fates: Fates::default(),
    });
    committer.submit(FrozenEpoch {
        kind: RecordKind::Genesis,
        source: SourceState {
            kind,
            ended: false,
            identity,
            partitions: partitions.collect(),
            jumps: Vec::new(),
            finished: None,
        },
        watermark: Watermark::None,
        state: None,
        files: Vec::new(),
        outbox: None,
        modules: modules.iter().map(|placed| placed.pinned.clone()).collect(),
        config: fingerprints(config, &BTreeMap::new()),
    });
    loop {
        outside.pulse.beat();
        if outside.stop.is_asked() {
            return Err(OpenError::Stopped);
        }
        match committer.wait(Duration::from_millis(100)) {
            Some(CommitOutcome::Committed(record)) => return Ok(record),
            Some(CommitOutcome::Lost(record)) => return Err(OpenError::Fenced(record.epoch.0)),
            Some(CommitOutcome::Failed(error)) => return Err(error.into()),
            None => {}
        }
    }
}
