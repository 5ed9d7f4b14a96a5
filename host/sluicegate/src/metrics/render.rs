//! The lanes' numbers as Prometheus series.

use std::fmt::Error;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};

use super::page::{Page, View, and, count, seconds, spread};
use super::{Lane, Lanes, catalog, kernel};
use sluicegate_engine::counters::{OTHER, PARTITIONS_MAX};
use sluicegate_engine::lead::{Role, TookOver};
use sluicegate_engine::memory::{Holds, MemoryView};
use sluicegate_engine::status::Phase;
use sluicegate_model::time::Watermark;

/// Every phase and its label.
const PHASES: [(Phase, &str); 9] = [
    (Phase::Opening, "opening"),
    (Phase::Running, "running"),
    (Phase::Isolating, "isolating"),
    (Phase::Paused, "paused"),
    (Phase::Standby, "standby"),
    (Phase::BackingOff, "backing_off"),
    (Phase::Finished, "finished"),
    (Phase::Stopped, "stopped"),
    (Phase::Halted, "halted"),
];

impl Collector for Lanes {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), Error> {
        let lanes: Vec<_> = {
            let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
            let view = |(pipeline, lane): (&Arc<str>, &Lane)| View {
                pipeline: Arc::clone(pipeline),
                metrics: Arc::clone(&lane.metrics),
                status: lane.status.load_full(),
                lead: lane.lead.clone(),
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
        commits(page, &lanes)?;
        of_the_process(page)
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
    page.family(&catalog::FETCH, |family| {
        lanes.iter().try_for_each(|lane| {
            let by = lane.status.fetched.iter().map(|fetched| fetched.by);
            let mut labels = by.map(|by| [("pipeline", &*lane.pipeline), ("by", by)]);
            labels.try_for_each(|labels| family.encode_info(&labels))
        })
    })?;
    page.family(&catalog::LAG, |family| lanes.iter().try_for_each(|lane| lag(family, lane)))?;
    page.gauges_at_work(&catalog::PAUSED, lanes, |lane| {
        Some(lane.status.partitions.iter().filter(|view| view.paused).count() as f64)
    })?;
    page.gauges_at_work(&catalog::WATERMARK, lanes, |lane| {
        watermark_micros(lane).map(micros_to_seconds)
    })?;
    page.gauges_at_work(&catalog::WATERMARK_DELAY, lanes, |lane| {
        watermark_micros(lane).map(|at| micros_to_seconds(wall_micros.saturating_sub(at)))
    })?;
    page.gauges_at_work(&catalog::GROUPS, lanes, |lane| Some(lane.status.groups as f64))?;
    page.gauges_at_work(&catalog::STATE, lanes, |lane| Some(lane.status.state_bytes as f64))?;
    page.gauges_at_work(&catalog::STATE_LIMIT, lanes, |lane| {
        Some(lane.status.memory?.state_max as f64)
    })?;
    page.family(&catalog::MEMORY, |family| lanes.iter().try_for_each(|lane| memory(family, lane)))?;
    page.gauges_at_work(&catalog::MEMORY_LIMIT, lanes, |lane| {
        lane.status.memory?.limit.map(|limit| limit as f64)
    })?;
    page.gauges_at_work(&catalog::EPOCH, lanes, |lane| {
        lane.status.epoch.map(|epoch| epoch.0 as f64)
    })
}

/// What turns made of records, and how long they took.
fn turns(page: &mut Page, lanes: &[View]) -> Result<(), Error> {
    page.counters(&catalog::RECORDS_READ, lanes, |metrics| metrics.records.read.get())?;
    page.family(&catalog::RECORDS, |family| {
        lanes.iter().try_for_each(|lane| {
            lane.metrics.records.fates().into_iter().try_for_each(|(fate, n)| {
                count(family, &[("pipeline", &*lane.pipeline), ("fate", fate)], n)
            })
        })
    })?;
    page.family(&catalog::PARTITION_RECORDS, |family| {
        lanes.iter().try_for_each(|lane| {
            lane.metrics.partitions.visit(|stream, partition, fates| {
                let of =
                    [("pipeline", &*lane.pipeline), ("stream", stream), ("partition", partition)];
                let [pipeline, stream, partition] = of;
                fates.fates().into_iter().try_for_each(|(fate, n)| {
                    count(family, &[pipeline, stream, partition, ("fate", fate)], n)
                })
            })
        })
    })?;
    page.counters(&catalog::READ, lanes, |metrics| metrics.read_bytes.get())?;
    page.counters(&catalog::REREAD, lanes, |metrics| metrics.reread.get())?;
    page.histograms(&catalog::TURN, lanes, |metrics| &metrics.turn)?;
    page.family(&catalog::STEP, |family| {
        lanes.iter().try_for_each(|lane| {
            lane.metrics.steps.all().into_iter().try_for_each(|(step, time)| {
                let labels = [("pipeline", &*lane.pipeline), ("step", step)];
                spread(family, &labels, time.turns())
            })
        })
    })?;
    page.gauges_at_work(&catalog::PUBLISHED, lanes, |lane| {
        lane.metrics.published_micros.timestamp_seconds()
    })?;
    page.counters(&catalog::RESTARTS, lanes, |metrics| metrics.restarts.get())?;
    page.counters(&catalog::POSITION_JUMPS, lanes, |metrics| metrics.position_jumps.get())?;
    page.gauges(&catalog::LEADER, lanes, |lane| {
        Some(f64::from(u8::from(lane.lead.view().role == Role::Leader)))
    })?;
    page.gauges(&catalog::LEAD_TERM, lanes, |lane| {
        lane.lead.view().term.map(|term| term.0 as f64)
    })?;
    page.family(&catalog::TAKE_OVERS, |family| {
        lanes.iter().try_for_each(|lane| {
            count(family, &[("pipeline", &*lane.pipeline)], lane.lead.take_overs())
        })
    })?;
    page.family(&catalog::TAKE_OVER, |family| {
        lanes.iter().try_for_each(|lane| {
            let Some(TookOver { kind, took, .. }) = lane.lead.view().took_over else {
                return Ok(());
            };
            let labels = [("pipeline", &*lane.pipeline), ("kind", kind.word())];
            family.encode_family(&labels)?.encode_gauge(&took.as_secs_f64())
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
    page.stages(&catalog::ACTIVATIONS, lanes, |family, labels, stage| {
        count(family, &labels, stage.activations.get())
    })?;
    page.modules(&catalog::ACTIVATED, lanes, |family, labels, stage, _| {
        match stage.activated_micros.timestamp_seconds() {
            Some(seconds) => family.encode_family(&labels)?.encode_gauge(&seconds),
            None => Ok(()),
        }
    })?;
    page.modules(&catalog::PLUGIN_CALLS, lanes, |family, labels, _, module| {
        count(family, &labels, module.calls.get())
    })?;
    page.modules(&catalog::PLUGIN_ROWS, lanes, |family, labels, _, module| {
        count(family, &labels, module.rows.get())
    })?;
    page.modules(&catalog::PLUGIN_CPU, lanes, |family, labels, _, module| {
        seconds(family, &labels, module.cpu.seconds())
    })?;
    page.modules(&catalog::PLUGIN_FAILURES, lanes, |family, labels, _, module| {
        let kinds = [
            ("trap", &module.traps),
            ("deadline", &module.deadlines),
            ("answer", &module.bad_answers),
            ("breaker", &module.broken),
        ];
        kinds.iter().try_for_each(|(kind, n)| count(family, &and(labels, ("kind", *kind)), n.get()))
    })?;
    page.modules(&catalog::PLUGIN_REJECTS, lanes, |family, labels, _, module| {
        count(family, &labels, module.rejects.get())
    })?;
    page.modules(&catalog::PLUGIN_UNHEARD, lanes, |family, labels, _, module| {
        count(family, &labels, module.unheard.get())
    })?;
    page.modules(&catalog::PLUGIN_MEMORY, lanes, |family, labels, _, module| {
        family.encode_family(&labels)?.encode_gauge(&module.memory_bytes.get())
    })?;
    page.modules(&catalog::PLUGIN_COUNT, lanes, |family, labels, _, module| {
        let counts = module.counts();
        counts.iter().try_for_each(|(name, n)| count(family, &and(labels, ("name", name)), *n))
    })
}

/// What the program takes of the machine.
fn of_the_process(page: &mut Page) -> Result<(), Error> {
    let used = kernel::read();
    let mut gauge = |metric, value: Option<u64>| {
        page.family(metric, |family| value.map_or(Ok(()), |value| family.encode_gauge(&value)))
    };
    gauge(&catalog::PROCESS_MEMORY, used.resident_bytes)?;
    gauge(&catalog::PROCESS_FDS, used.open_fds)?;
    page.family(&catalog::PROCESS_CPU, |family| {
        family.encode_counter::<NoLabelSet, _, u64>(&used.cpu_seconds, None)
    })
}

/// What became durable.
fn commits(page: &mut Page, lanes: &[View]) -> Result<(), Error> {
    page.histograms(&catalog::CHECKPOINT, lanes, |metrics| &metrics.checkpoint)?;
    page.gauges_at_work(&catalog::CHECKPOINT_STATE, lanes, |lane| {
        Some(lane.metrics.checkpoint_bytes.get() as f64)
    })?;
    page.counters(&catalog::BASE_BYTES, lanes, |metrics| metrics.base_bytes.get())?;
    page.counters(&catalog::DELTA_BYTES, lanes, |metrics| metrics.delta_bytes.get())?;
    page.counters(&catalog::MERGES, lanes, |metrics| metrics.merges.get())?;
    page.histograms(&catalog::COMMIT, lanes, |metrics| &metrics.commit)?;
    page.counters(&catalog::COMMIT_FAILURES, lanes, |metrics| {
        metrics.commit_failures.load(Relaxed)
    })?;
    page.counters(&catalog::DELETED_OBJECTS, lanes, |metrics| {
        metrics.deleted.objects.load(Relaxed)
    })?;
    page.counters(&catalog::DELETED_BYTES, lanes, |metrics| metrics.deleted.bytes.load(Relaxed))?;
    page.counters(&catalog::PANICS, lanes, |metrics| metrics.panics.count())?;
    page.counters(&catalog::OUTBOX_SENT, lanes, |metrics| metrics.deliveries.sent.load(Relaxed))?;
    page.gauges_at_work(&catalog::OUTBOX_UNSENT, lanes, |lane| {
        Some(lane.metrics.deliveries.unsent.load(Relaxed) as f64)
    })?;
    page.counters(&catalog::OUTBOX_FAILURES, lanes, |metrics| {
        metrics.deliveries.failures.load(Relaxed)
    })?;
    page.gauges_at_work(&catalog::LAST_COMMIT, lanes, |lane| {
        lane.metrics.last_commit_micros.timestamp_seconds()
    })?;
    page.tables(&catalog::FILES, lanes, |table| table.files.get())?;
    page.tables(&catalog::ROWS, lanes, |table| table.rows.get())?;
    page.tables(&catalog::WRITTEN, lanes, |table| table.bytes.get())?;
    page.logs(&catalog::LOG_BEHIND, lanes, |log| Some(log.epochs_behind))?;
    page.logs(&catalog::LOG_VERSION, lanes, |log| log.version)?;
    page.logs(&catalog::COMPACTED, lanes, |log| Some(log.compacted.files))
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
        let labels = [("pipeline", &*lane.pipeline), ("stream", OTHER), ("partition", OTHER)];
        family.encode_family(&labels)?.encode_gauge(&others.sum::<i64>())?;
    }
    Ok(())
}

fn memory(family: &mut MetricEncoder, lane: &View) -> Result<(), Error> {
    let Some(MemoryView { lane: holds, input, compaction, .. }) = lane.status.memory else {
        return Ok(());
    };
    let Holds { state, copy, plugins, staged, in_flight } = holds;
    let kinds = [
        ("state", state),
        ("copy", copy),
        ("plugins", plugins),
        ("input", input),
        ("staged", staged),
        ("in_flight", in_flight),
        ("compaction", compaction),
    ];
    kinds.into_iter().try_for_each(|(kind, bytes)| {
        let labels = [("pipeline", &*lane.pipeline), ("kind", kind)];
        family.encode_family(&labels)?.encode_gauge(&(bytes as f64))
    })
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
