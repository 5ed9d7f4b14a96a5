//! Metrics: the Prometheus page, made when somebody asks of what lanes count ([`sluicegate_engine::counters`]).
//!
//! A scrape reads a lane's [`LaneMetrics`] and its last published status. All names stand in [`catalog`].

mod kernel;
mod metric;
mod catalog;
mod documentation;
mod page;
mod render;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::ArcSwap;
use prometheus_client::registry::Registry;

pub use documentation::documentation;
use sluicegate_engine::counters::LaneMetrics;
use sluicegate_engine::lead::Lead;
use sluicegate_engine::status::LaneStatus;
use sluicegate_model::time::Clock;

/// All lanes of the program, and the page that shows them.
#[derive(Debug)]
pub struct Metrics {
    lanes: Arc<Lanes>,
    registry: Registry,
}

/// What the collector reads at a scrape.
#[derive(Debug)]
struct Lanes {
    clock: Clock,
    /// By the pipeline's name.
    lanes: RwLock<BTreeMap<Arc<str>, Lane>>,
}

#[derive(Clone, Debug)]
struct Lane {
    metrics: Arc<LaneMetrics>,
    status: Arc<ArcSwap<LaneStatus>>,
    lead: Lead,
}

impl Metrics {
    /// The content type of [`Metrics::render`].
    pub const CONTENT_TYPE: &'static str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// No lane yet. The clock tells how far watermarks are behind.
    pub fn new(clock: Clock) -> Self {
        let lanes = Arc::new(Lanes { clock, lanes: RwLock::default() });
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Arc::clone(&lanes)));
        Self { lanes, registry }
    }

    /// Shows a pipeline from now on; one of the same name is replaced.
    pub fn add(
        &self,
        pipeline: Arc<str>,
        metrics: Arc<LaneMetrics>,
        status: Arc<ArcSwap<LaneStatus>>,
        lead: Lead,
    ) {
        let mut lanes = self.lanes.lanes.write().unwrap_or_else(PoisonError::into_inner);
        lanes.insert(pipeline, Lane { metrics, status, lead });
    }

    /// Shows a pipeline no longer: its series end.
    pub fn remove(&self, pipeline: &str) {
        self.lanes.lanes.write().unwrap_or_else(PoisonError::into_inner).remove(pipeline);
    }

    /// The page, in the OpenMetrics text format.
    pub fn render(&self) -> String {
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &self.registry)
            .expect("a string takes everything");
        page
    }
}
