//! The lanes' numbers as Prometheus series.

use std::fmt::Error;
use std::sync::{Arc, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::catalog::{self, Kind, Metric};
use super::{Histogram, Lane, LaneMetrics, Lanes, StageMetrics, TableMetrics};
use crate::status::{LaneStatus, Phase};
use crate::time::Watermark;

/// Partitions of a pipeline that have a series of their own; a folder of files may have many thousands.
const PARTITIONS_MAX: usize = 512;

/// Every phase and its label.
const PHASES: [(Phase, &str); 7] = [
    (Phase::Opening, "opening"),
    (Phase::Running, "running"),
    (Phase::Paused, "paused"),
    (Phase::BackingOff, "backing_off"),
    (Phase::Finished, "finished"),
    (Phase::Stopped, "stopped"),
    (Phase::Halted, "halted"),
];

/// One lane at one scrape: all its series tell of the same status.
struct View {
    pipeline: Arc<str>,
    metrics: Arc<LaneMetrics>,
    status: Arc<LaneStatus>,
}

impl Collector for Lanes {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), Error> {
        let lanes: Vec<_> = {
            let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
            let view = |(pipeline, lane): (&Arc<str>, &Lane)| View {
                pipeline: Arc::clone(pipeline),
                metrics: Arc::clone(&lane.metrics),
                status: lane.status.load_full(),
            };
            lanes.iter().map(view).collect()
        };
        let page = &mut Page { encoder: &mut encoder };
        page.family(&catalog::BUILD, |build| {
            build.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
        })?;
        moment(page, &lanes, self.clock.wall_micros())?;
        turns(page, &lanes)?;
        plugins(page, &lanes)?;
        commits(page, &lanes)
    }
}

/// Where the lanes stand.
fn moment(page: &mut Page, lanes: &[View], wall_micros: i64) -> Result<(), Error> {
    page.family(&catalog::PHASE, |family| {
        lanes.iter().try_for_each(|lane| {
            PHASES.iter().try_for_each(|(phase, label)| {
                let labels = [("pipeline", &*lane.pipeline), ("phase", *label)];
                let is = u32::from(*phase == lane.status.phase);
                family.encode_family(&labels)?.encode_gauge(&is)
            })
        })
    })?;
    page.gauges(&catalog::PROBLEM, lanes, |lane| {
        Some(if lane.status.problem.is_some() { 1.0 } else { 0.0 })
    })?;
    page.family(&catalog::LAG, |family| lanes.iter().try_for_each(|lane| lag(family, lane)))?;
    page.gauges(&catalog::PAUSED, lanes, |lane| {
        Some(lane.status.partitions.iter().filter(|view| view.paused).count() as f64)
    })?;
    page.gauges(&catalog::WATERMARK, lanes, |lane| watermark_micros(lane).map(micros_to_seconds))?;
    page.gauges(&catalog::WATERMARK_DELAY, lanes, |lane| {
        watermark_micros(lane).map(|at| micros_to_seconds(wall_micros.saturating_sub(at)))
    })?;
    page.gauges(&catalog::GROUPS, lanes, |lane| Some(lane.status.groups as f64))?;
    page.gauges(&catalog::STATE, lanes, |lane| Some(lane.status.state_bytes as f64))?;
    page.gauges(&catalog::EPOCH, lanes, |lane| lane.status.epoch.map(|epoch| epoch.0 as f64))
}

/// What turns made of records, and how long they took.
fn turns(page: &mut Page, lanes: &[View]) -> Result<(), Error> {
    page.counters(&catalog::RECORDS_READ, lanes, |metrics| metrics.records.read.get())?;
    page.family(&catalog::RECORDS, |family| {
        lanes.iter().try_for_each(|lane| {
            let records = &lane.metrics.records;
            let fates = [
                ("accepted", &records.accepted),
                ("filtered", &records.filtered),
                ("late", &records.late),
                ("dead_lettered", &records.dead_lettered),
            ];
            fates.iter().try_for_each(|(fate, counter)| {
                let labels = [("pipeline", &*lane.pipeline), ("fate", *fate)];
                count(family, &labels, counter.get())
            })
        })
    })?;
    page.counters(&catalog::READ, lanes, |metrics| metrics.read_bytes.get())?;
    page.histograms(&catalog::TURN, lanes, |metrics| &metrics.turn)?;
    page.family(&catalog::STEP, |family| {
        lanes.iter().try_for_each(|lane| {
            let steps = &lane.metrics.steps;
            let steps = [
                ("source", &steps.source),
                ("decode", &steps.decode),
                ("plugins", &steps.plugins),
                ("window", &steps.window),
                ("sink", &steps.sink),
            ];
            steps.iter().try_for_each(|(step, time)| {
                let labels = [("pipeline", &*lane.pipeline), ("step", *step)];
                seconds(family, &labels, time.seconds())
            })
        })
    })?;
    page.family(&catalog::DEAD_LETTERS, |family| {
        lanes.iter().try_for_each(|lane| {
            lane.metrics.dead_letters.all().iter().try_for_each(|(kind, n)| {
                count(family, &[("pipeline", &*lane.pipeline), ("kind", kind)], *n)
            })
        })
    })
}

/// What the plugins did.
fn plugins(page: &mut Page, lanes: &[View]) -> Result<(), Error> {
    page.family(&catalog::STAGE_MODULE, |family| {
        lanes.iter().try_for_each(|lane| {
            lane.status.modules.iter().try_for_each(|module| {
                let digest = module.digest.short();
                family.encode_info(&[
                    ("pipeline", &*lane.pipeline),
                    ("stage", &module.stage),
                    ("module", &module.name),
                    ("digest", &digest),
                ])
            })
        })
    })?;
    page.stages(&catalog::PLUGIN_CALLS, lanes, |f, labels, stage| {
        count(f, &labels, stage.calls.get())
    })?;
    page.stages(&catalog::PLUGIN_ROWS, lanes, |f, labels, stage| {
        count(f, &labels, stage.rows.get())
    })?;
    page.stages(&catalog::PLUGIN_CPU, lanes, |f, labels, stage| {
        seconds(f, &labels, stage.cpu.seconds())
    })?;
    page.stages(&catalog::PLUGIN_FAILURES, lanes, |family, [pipeline, id], stage| {
        let kinds = [
            ("trap", &stage.traps),
            ("deadline", &stage.deadlines),
            ("answer", &stage.bad_answers),
        ];
        kinds
            .iter()
            .try_for_each(|(kind, n)| count(family, &[pipeline, id, ("kind", *kind)], n.get()))
    })?;
    page.stages(&catalog::PLUGIN_REJECTS, lanes, |f, labels, stage| {
        count(f, &labels, stage.rejects.get())
    })?;
    page.stages(&catalog::PLUGIN_MEMORY, lanes, |f, labels, stage| {
        f.encode_family(&labels)?.encode_gauge(&stage.memory_bytes.get())
    })?;
    page.stages(&catalog::PLUGIN_COUNT, lanes, |family, [pipeline, id], stage| {
        let counts = stage.counts.all();
        counts.iter().try_for_each(|(name, n)| count(family, &[pipeline, id, ("name", name)], *n))
    })
}

/// What became durable.
fn commits(page: &mut Page, lanes: &[View]) -> Result<(), Error> {
    page.histograms(&catalog::CHECKPOINT, lanes, |metrics| &metrics.checkpoint)?;
    page.histograms(&catalog::COMMIT, lanes, |metrics| &metrics.commit)?;
    page.counters(&catalog::COMMIT_FAILURES, lanes, |metrics| metrics.commit_failures.get())?;
    page.gauges(&catalog::LAST_COMMIT, lanes, |lane| {
        let micros = lane.metrics.last_commit_micros.get();
        (micros > 0).then(|| micros as f64 / 1e6)
    })?;
    page.tables(&catalog::FILES, lanes, |table| table.files.get())?;
    page.tables(&catalog::ROWS, lanes, |table| table.rows.get())?;
    page.tables(&catalog::WRITTEN, lanes, |table| table.bytes.get())
}

fn lag(family: &mut MetricEncoder, lane: &View) -> Result<(), Error> {
    let lags = lane.status.partitions.iter().filter_map(|view| Some((view, view.lag?)));
    for (view, lag) in lags.clone().take(PARTITIONS_MAX) {
        let partition = view.partition.to_string();
        let labels =
            [("pipeline", &*lane.pipeline), ("stream", &view.stream), ("partition", &partition)];
        family.encode_family(&labels)?.encode_gauge(&lag)?;
    }
    let mut others = lags.skip(PARTITIONS_MAX).map(|(_, lag)| lag).peekable();
    if others.peek().is_some() {
        let labels = [("pipeline", &*lane.pipeline), ("stream", "other"), ("partition", "other")];
        family.encode_family(&labels)?.encode_gauge(&others.sum::<i64>())?;
    }
    Ok(())
}

fn watermark_micros(lane: &View) -> Option<i64> {
    match lane.status.watermark {
        Watermark::At(time) => Some(time.micros()),
        Watermark::None | Watermark::End => None,
    }
}

fn micros_to_seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

type Label<'a> = (&'static str, &'a str);

fn count(family: &mut MetricEncoder, labels: &[Label], n: u64) -> Result<(), Error> {
    family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&n, None)
}

fn seconds(family: &mut MetricEncoder, labels: &[Label], seconds: f64) -> Result<(), Error> {
    family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&seconds, None)
}

/// The page while it is written, one metric after the other.
struct Page<'a, 'b> {
    encoder: &'a mut DescriptorEncoder<'b>,
}

impl Page<'_, '_> {
    /// Writes a metric's head, then its series.
    fn family(
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
    fn counters(
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
    fn gauges(
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

    /// One histogram a lane.
    fn histograms(
        &mut self,
        metric: &Metric,
        lanes: &[View],
        histogram: impl Fn(&LaneMetrics) -> &Histogram,
    ) -> Result<(), Error> {
        self.family(metric, |family| {
            lanes.iter().try_for_each(|lane| {
                let histogram = histogram(&lane.metrics);
                let buckets = histogram.buckets();
                let count = buckets.iter().map(|(_, count)| count).sum();
                let labels = [("pipeline", &*lane.pipeline)];
                let mut encoder = family.encode_family(&labels)?;
                let sum = histogram.sum_seconds();
                encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
            })
        })
    }

    /// Series of each stage of each lane.
    fn stages(
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

    /// One counter a table of each lane.
    fn tables(
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
}
