//! What a worker prepares chunks with.

use crate::counters::LaneMetrics;
use crate::lane::plan::Plan;
use crate::lane::pool::Pool;
use crate::lane::stage::{Step, report_stage};
use sluicegate_formats::json::decode::Decoder;

/// Of one worker.
pub(in crate::lane) struct Preparer {
    pub(in crate::lane) decoder: Decoder,
    /// One per filter and map, in order.
    pub(in crate::lane) stages: Vec<Step>,
    /// Records that its decoder read twice since the last report.
    pub(in crate::lane) reread: u64,
    /// CPU time since the last report, ns.
    pub(in crate::lane) decode_nanos: u64,
    pub(in crate::lane) plugin_nanos: u64,
}

impl Preparer {
    /// One for every worker of a pool.
    pub(super) fn of_all(plan: &Plan, pool: &Pool) -> Vec<Self> {
        let preparer = |_| Self {
            decoder: plan.decoder(),
            stages: plan
                .stages
                .iter()
                .map(|stage| Step::new(stage, &plan.limits, pool.brake()))
                .collect(),
            reread: 0,
            decode_nanos: 0,
            plugin_nanos: 0,
        };
        (0..pool.len()).map(preparer).collect()
    }
}

/// Adds what they did since the last report.
pub(super) fn report(preparers: &mut [Preparer], plan: &Plan, metrics: &LaneMetrics) {
    for preparer in &mut *preparers {
        metrics.reread.add(std::mem::take(&mut preparer.reread));
        metrics.steps.decode.add_nanos(std::mem::take(&mut preparer.decode_nanos));
        metrics.steps.plugins.add_nanos(std::mem::take(&mut preparer.plugin_nanos));
    }
    for (number, stage) in plan.stages.iter().enumerate() {
        let done = preparers.iter_mut().map(|preparer| preparer.stages[number].done());
        report_stage(stage, done, metrics);
    }
}
