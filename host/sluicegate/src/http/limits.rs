//! What a pipeline may not exceed, and how near it is.

use crate::api::limits::{Limit, LimitUnit};
use crate::handle::PipelineHandle;
use sluicegate_engine::counters::StageMetrics;
use sluicegate_engine::status::LaneStatus;

/// The limits of a pipeline that its status can compare with what is used.
pub(super) fn limits(pipeline: &PipelineHandle, status: &LaneStatus) -> Vec<Limit> {
    let config = &pipeline.config;
    let state = config.stateful_stage().map(|_| Limit {
        name: "state".to_owned(),
        used: status.state_bytes as f64,
        limit: status.memory.map_or(config.limits.state_bytes, |memory| memory.state_max) as f64,
        unit: LimitUnit::Bytes,
        explains: "Keys and accumulators of open groups. With more than `limits.state_bytes`, or than `--memory` has room for, \
                   the pipeline halts."
            .to_owned(),
    });
    let last = pipeline.metrics().commits.all().back().map(|commit| commit.took.as_secs_f64());
    let commit = Limit {
        name: "commit".to_owned(),
        used: last.unwrap_or(0.0),
        limit: config.checkpoint.interval.as_secs_f64(),
        unit: LimitUnit::Seconds,
        explains: "How long the last commit took. One that takes longer than `checkpoint.interval` makes the intake wait for \
                   it."
            .to_owned(),
    };
    let workers = match config.limits.workers {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        workers => workers,
    };
    let memory = |stage: &StageMetrics| {
        Limit {
        name: format!("memory of {}", stage.id),
        used: stage.running().map_or(0, |module| module.memory_bytes.get()) as f64,
        limit: config.limits.plugin_memory as f64 * workers as f64,
        unit: LimitUnit::Bytes,
        explains: "Linear memory of the plugin's instances together, one a worker. A call that would take its instance beyond \
                   `limits.plugin_memory` traps."
            .to_owned(),
    }
    };
    let memory_of_all = status.memory.and_then(|memory| {
        Some(Limit {
            name: "memory of the process".to_owned(),
            used: memory.used as f64,
            limit: memory.limit? as f64,
            unit: LimitUnit::Bytes,
            explains: "What all pipelines of this process hold, as `memory` has it by kind (`--memory`). Results that fill their \
                       part make the intake wait; states that do not fit halt the pipeline with the most."
                .to_owned(),
        })
    });
    state
        .into_iter()
        .chain([commit])
        .chain(pipeline.metrics().stages().iter().map(memory))
        .chain(memory_of_all)
        .collect()
}
