//! The page while it is written: a metric's head, then its series, by what they belong to.

use std::fmt::Error;
use std::sync::Arc;

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::metric::{Kind, Metric};
use sluicegate_engine::counters::{
    Histogram, LaneMetrics, ModuleMetrics, StageMetrics, TableMetrics,
};
use sluicegate_engine::lead::Lead;
use sluicegate_engine::status::{LaneStatus, Phase, TableLogView};

/// One lane at one scrape: all its series tell of the same status.
pub(super) struct View {
    pub(super) pipeline: Arc<str>,
    pub(super) metrics: Arc<LaneMetrics>,
    pub(super) status: Arc<LaneStatus>,
    pub(super) lead: Lead,
}

impl View {
    /// Whether this instance is the one whose gauges tell of the pipeline. They would stand on one that has stood down.
    pub(super) fn is_at_work(&self) -> bool {
        self.status.phase != Phase::Standby
    }
}

pub(super) type Label<'a> = (&'static str, &'a str);

/// One label more.
pub(super) fn and<'a>(
    [pipeline, stage, module, digest]: [Label<'a>; 4],
    more: Label<'a>,
) -> [Label<'a>; 5] {
    [pipeline, stage, module, digest, more]
}

pub(super) fn count(family: &mut MetricEncoder, labels: &[Label], n: u64) -> Result<(), Error> {
    family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&n, None)
}

pub(super) fn seconds(
    family: &mut MetricEncoder,
    labels: &[Label],
    seconds: f64,
) -> Result<(), Error> {
    family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&seconds, None)
}

pub(super) fn spread(
    family: &mut MetricEncoder,
    labels: &[Label],
    histogram: &Histogram,
) -> Result<(), Error> {
    let buckets = histogram.buckets();
    let count = buckets.iter().map(|(_, count)| count).sum();
    let mut encoder = family.encode_family(&labels)?;
    encoder.encode_histogram::<NoLabelSet>(histogram.sum_seconds(), count, &buckets, None)
}

/// The page while it is written, one metric after the other.
pub(super) struct Page<'a, 'b> {
    pub(super) encoder: &'a mut DescriptorEncoder<'b>,
}

impl Page<'_, '_> {
    /// Writes a metric's head, then its series.
    pub(super) fn family(
        &mut self,
        metric: &Metric,
        series: impl FnOnce(&mut MetricEncoder) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let unit = metric.unit.map(|unit| Unit::Other(unit.to_owned()));
        let kind = match metric.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
            Kind::Info => MetricType::Info,
        };
        let mut encoder =
            self.encoder.encode_descriptor(metric.name, metric.help, unit.as_ref(), kind)?;
        series(&mut encoder)
    }

    /// One counter a lane.
    pub(super) fn counters(
        &mut self,
        metric: &Metric,
        lanes: &[View],
        value: impl Fn(&LaneMetrics) -> u64,
    ) -> Result<(), Error> {
        self.family(metric, |family| {
            lanes.iter().try_for_each(|lane| {
                count(family, &[("pipeline", &*lane.pipeline)], value(&lane.metrics))
            })
        })
    }

    /// One gauge a lane, of those that have it.
    pub(super) fn gauges(
        &mut self,
        metric: &Metric,
        lanes: &[View],
        value: impl Fn(&View) -> Option<f64>,
    ) -> Result<(), Error> {
        self.family(metric, |family| {
            lanes.iter().try_for_each(|lane| match value(lane) {
                Some(value) => {
                    family.encode_family(&[("pipeline", &*lane.pipeline)])?.encode_gauge(&value)
                }
                None => Ok(()),
            })
        })
    }

    /// One gauge a lane at work, of those that have it.
    pub(super) fn gauges_at_work(
        &mut self,
        metric: &Metric,
        lanes: &[View],
        value: impl Fn(&View) -> Option<f64>,
    ) -> Result<(), Error> {
        self.gauges(metric, lanes, |lane| lane.is_at_work().then(|| value(lane)).flatten())
    }

    /// One histogram a lane.
    pub(super) fn histograms(
        &mut self,
        metric: &Metric,
        lanes: &[View],
        histogram: impl Fn(&LaneMetrics) -> &Histogram,
    ) -> Result<(), Error> {
        self.family(metric, |family| {
            lanes.iter().try_for_each(|lane| {
                spread(family, &[("pipeline", &*lane.pipeline)], histogram(&lane.metrics))
            })
        })
    }

    /// Series of each stage of each lane.
    pub(super) fn stages(
        &mut self,
        metric: &Metric,
        lanes: &[View],
        series: impl Fn(&mut MetricEncoder, [Label; 2], &StageMetrics) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.family(metric, |family| {
            lanes.iter().try_for_each(|lane| {
                lane.metrics.stages().iter().try_for_each(|stage| {
                    let labels = [("pipeline", &*lane.pipeline), ("stage", &*stage.id)];
                    series(family, labels, stage)
                })
            })
        })
    }

    /// Series of the module that each stage of each lane runs.
    pub(super) fn modules(
        &mut self,
        metric: &Metric,
        lanes: &[View],
        series: impl Fn(
            &mut MetricEncoder,
            [Label; 4],
            &StageMetrics,
            &ModuleMetrics,
        ) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.stages(metric, lanes, |family, [pipeline, id], stage| {
            let Some(module) = stage.running() else { return Ok(()) };
            let digest = module.plugin.digest.short();
            let labels = [pipeline, id, ("module", &*module.plugin.name), ("digest", &*digest)];
            series(family, labels, stage, &module)
        })
    }

    /// One counter a table of each lane.
    pub(super) fn tables(
        &mut self,
        metric: &Metric,
        lanes: &[View],
        value: impl Fn(&TableMetrics) -> u64,
    ) -> Result<(), Error> {
        self.family(metric, |family| {
            lanes.iter().try_for_each(|lane| {
                lane.metrics.tables().iter().try_for_each(|table| {
                    let labels = [("pipeline", &*lane.pipeline), ("table", &*table.id)];
                    count(family, &labels, value(table))
                })
            })
        })
    }

    /// One gauge for the log of each Delta table, of those that have it.
    pub(super) fn logs(
        &mut self,
        metric: &Metric,
        lanes: &[View],
        value: impl Fn(&TableLogView) -> Option<u64>,
    ) -> Result<(), Error> {
        self.family(metric, |family| {
            lanes.iter().try_for_each(|lane| {
                let logs = lane.status.table_logs.iter();
                logs.filter_map(|log| Some((log, value(log)?))).try_for_each(|(log, value)| {
                    let labels = [("pipeline", &*lane.pipeline), ("table", &*log.table)];
                    family.encode_family(&labels)?.encode_gauge(&value)
                })
            })
        })
    }
}
