//! The page has every metric of the catalog, bounded series, and the shape that Prometheus expects.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use expect_test::{expect, expect_file};

use super::*;
use sluicegate_chain::fates::Fates;
use sluicegate_chain::record::{DataFile, Epoch, Piece, PinnedModule, StateRef};
use sluicegate_connect::source::Fetched;
use sluicegate_engine::lead::TakeOverKind;
use sluicegate_engine::memory::{Holds, MemoryView};
use sluicegate_engine::status::{CompactionView, PartitionView, Phase, TableLogView};
use sluicegate_model::module::{ModuleDigest, PluginKind};
use sluicegate_model::position::Partition;
use sluicegate_model::time::{EventTime, Watermark};
use sluicegate_sandbox::plugin::description::Description;
use sluicegate_sandbox::plugin::guest::Instance;
use sluicegate_sandbox::plugin::{Code, Plugin, PluginError};

fn status() -> LaneStatus {
    LaneStatus {
        pipeline: "sales".into(),
        phase: Phase::Running,
        problem: None,
        note: None,
        epoch: Some(Epoch(7)),
        watermark: Watermark::at(EventTime(1_000_000_000)),
        partitions: vec![partition(0, 5), partition(1, 6)],
        fetched: Some(Fetched { by: "direct", instead: None }),
        modules: vec![PinnedModule {
            stage: "valid".into(),
            name: "valid-sale".into(),
            digest: ModuleDigest([0xab; 32]),
            generation: 2,
            state_version: 0,
        }],
        fates: Fates::default(),
        groups: 3,
        state_bytes: 120,
        memory: Some(MemoryView {
            lane: Holds { state: 120, copy: 0, plugins: 1 << 20, staged: 4_096, in_flight: 0 },
            compaction: 0,
            input: 7 << 20,
            used: (8 << 20) + 4_216,
            limit: Some(64 << 20),
            state_max: 1 << 30,
        }),
        turns: 9,
        activations: Arc::default(),
        dead_letters: Vec::new(),
        table_logs: vec![TableLogView {
            table: "revenue".into(),
            version: Some(41),
            epochs_behind: 2,
            problem: None,
            compacted: CompactionView { files: 100, into_files: 2, problem: None },
        }],
        lately: Arc::default(),
        followed: None,
    }
}

fn lead() -> Lead {
    let lead = Lead::alone(Clock::manual(0));
    lead.took_over(TakeOverKind::FailOver, Duration::from_millis(1_500));
    lead
}

fn partition(number: i32, lag: i64) -> PartitionView {
    PartitionView {
        stream: "sales".into(),
        partition: number,
        next_offset: 10,
        end_offset: Some(10 + lag),
        lag: Some(lag),
        watermark: Watermark::None,
        max_event_time: None,
        idle: false,
        holds_watermark: number == 0,
        paused: false,
        jumps: 0,
        fates: Fates::default(),
    }
}

/// A plugin that has counted something.
struct Counting;

impl Code for Counting {
    fn instantiate(&self, _: &[(String, String)]) -> Result<Instance, PluginError> {
        Err(PluginError::Refused("it only counts".to_owned()))
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        BTreeMap::from([("free_items".to_owned(), 4)])
    }
}

fn plugin(name: &str, digest: u8) -> Plugin {
    let description = Description {
        kind: PluginKind::Filter,
        sdk: "native".to_owned(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        keeps_other_columns: true,
        state_version: 0,
        state_fingerprint: 0,
        migrates_from: Vec::new(),
    };
    Plugin {
        name: name.into(),
        digest: ModuleDigest([digest; 32]),
        description: Arc::new(description),
        output_schema: Arc::new(arrow::datatypes::Schema::empty()),
        config: Arc::new([]),
        code: Arc::new(Counting),
    }
}

fn worked_lane() -> LaneMetrics {
    let metrics = LaneMetrics::new(["valid".into()], ["revenue".into()]);
    let fates = Fates { read: 10, accepted: 6, filtered: 2, late: 1, dead_lettered: 1 };
    metrics.records.add(&fates);
    metrics.partitions.add(&Partition { stream: "sales".into(), number: 1 }, &fates);
    metrics.read_bytes.add(900);
    metrics.reread.add(3);
    metrics.turn.observe(Duration::from_millis(3));
    metrics.turn.observe(Duration::from_secs(9));
    metrics.steps.decode.add_nanos(1_000_000);
    metrics.steps.end_turn();
    metrics.steps.decode.add_nanos(3_000_000);
    metrics.steps.end_turn();
    metrics.published_micros.set(1_003_900_000);
    metrics.restarts.add(1);
    metrics.position_jumps.add(2);
    metrics.checkpoint.observe(Duration::from_millis(5));
    metrics.commit.observe(Duration::from_millis(80));
    metrics.commit_failures.fetch_add(1, Relaxed);
    metrics.dead_letters.add("decode", 1);
    metrics.stage("valid").unwrap().runs(&plugin("valid-sale", 0xab));
    metrics.stage("valid").unwrap().activated(1_001_000_000);
    let stage = metrics.running("valid").unwrap();
    stage.calls.add(1);
    stage.rows.add(10);
    stage.cpu.add(Duration::from_micros(40));
    stage.traps.add(1);
    stage.memory_bytes.set(65_536);
    stage.rejects.add(2);
    stage.unheard.add(3);
    let file = DataFile {
        null_partitions: Vec::new(),
        table: "revenue".to_owned(),
        path: "a.parquet".to_owned(),
        bytes: 2_048,
        sha256: String::new(),
        rows: 12,
        event_time_range: None,
        partition_values: BTreeMap::new(),
        statistics: BTreeMap::new(),
    };
    let piece = |epoch, bytes, delta| {
        let key = format!("state/{epoch:020}-1-abcdef.bin");
        Piece { key, bytes, sha256: String::new(), delta }
    };
    let mut state = StateRef { groups: 3, pieces: vec![piece(7, 70, false)] };
    metrics.committed(Epoch(7), &[], Some(&state), 1_400_000_000);
    state.pieces.push(piece(8, 20, true));
    metrics.committed(Epoch(8), &[file], Some(&state), 1_500_000_000);
    metrics
}

fn page(status: LaneStatus) -> String {
    let metrics = Metrics::new(Clock::manual(1_004_000_000));
    let status = Arc::new(ArcSwap::from_pointee(status));
    metrics.add("sales".into(), Arc::new(worked_lane()), status, lead());
    metrics.render()
}

#[test]
fn the_documentation_is_what_the_code_says() {
    expect_file!["../../../../docs/metrics.md"].assert_eq(&documentation());
}

#[test]
fn a_lane_that_worked_shows_every_metric_of_the_catalog_and_no_other() {
    let page = page(status());
    let heads = page.lines().filter(|line| line.starts_with("# TYPE ")).count();
    assert_eq!(heads, catalog::ALL.len(), "{page}");
    for metric in catalog::ALL {
        let series = metric.series();
        let has = |line: &str| line.starts_with(&series) && !line.starts_with('#');
        assert!(page.lines().any(has), "no `{series}` in\n{page}");
    }
    assert!(page.ends_with("# EOF\n"));
}

#[test]
fn series_carry_units_labels_and_values() {
    let page = page(status());
    let chosen = [
        "records",
        "watermark",
        "partition_lag",
        "partition_records",
        "plugin_",
        "turn",
        "stage_",
        "activ",
    ];
    let wanted =
        |line: &&str| chosen.iter().any(|name| line.starts_with(&format!("sluicegate_{name}")));
    let lines: Vec<_> = page.lines().filter(wanted).collect();
    expect![[r#"
        sluicegate_partition_lag_records{pipeline="sales",stream="sales",partition="0"} 5
        sluicegate_partition_lag_records{pipeline="sales",stream="sales",partition="1"} 6
        sluicegate_watermark_timestamp_seconds{pipeline="sales"} 1000.0
        sluicegate_watermark_delay_seconds{pipeline="sales"} 4.0
        sluicegate_records_read_total{pipeline="sales"} 10
        sluicegate_records_total{pipeline="sales",fate="accepted"} 6
        sluicegate_records_total{pipeline="sales",fate="filtered"} 2
        sluicegate_records_total{pipeline="sales",fate="late"} 1
        sluicegate_records_total{pipeline="sales",fate="dead_lettered"} 1
        sluicegate_partition_records_total{pipeline="sales",stream="sales",partition="1",fate="accepted"} 6
        sluicegate_partition_records_total{pipeline="sales",stream="sales",partition="1",fate="filtered"} 2
        sluicegate_partition_records_total{pipeline="sales",stream="sales",partition="1",fate="late"} 1
        sluicegate_partition_records_total{pipeline="sales",stream="sales",partition="1",fate="dead_lettered"} 1
        sluicegate_records_reread_total{pipeline="sales"} 3
        sluicegate_turn_duration_seconds_sum{pipeline="sales"} 9.003
        sluicegate_turn_duration_seconds_count{pipeline="sales"} 2
        sluicegate_turn_duration_seconds_bucket{le="0.0005",pipeline="sales"} 0
        sluicegate_turn_duration_seconds_bucket{le="0.001",pipeline="sales"} 0
        sluicegate_turn_duration_seconds_bucket{le="0.002",pipeline="sales"} 0
        sluicegate_turn_duration_seconds_bucket{le="0.005",pipeline="sales"} 1
        sluicegate_turn_duration_seconds_bucket{le="0.01",pipeline="sales"} 1
        sluicegate_turn_duration_seconds_bucket{le="0.02",pipeline="sales"} 1
        sluicegate_turn_duration_seconds_bucket{le="0.05",pipeline="sales"} 1
        sluicegate_turn_duration_seconds_bucket{le="0.1",pipeline="sales"} 1
        sluicegate_turn_duration_seconds_bucket{le="0.25",pipeline="sales"} 1
        sluicegate_turn_duration_seconds_bucket{le="0.5",pipeline="sales"} 1
        sluicegate_turn_duration_seconds_bucket{le="1.0",pipeline="sales"} 1
        sluicegate_turn_duration_seconds_bucket{le="5.0",pipeline="sales"} 1
        sluicegate_turn_duration_seconds_bucket{le="+Inf",pipeline="sales"} 2
        sluicegate_stage_module_info{pipeline="sales",stage="valid",module="valid-sale",digest="abababababab"} 1
        sluicegate_activations_total{pipeline="sales",stage="valid"} 1
        sluicegate_activated_timestamp_seconds{pipeline="sales",stage="valid",module="valid-sale",digest="abababababab"} 1001.0
        sluicegate_plugin_calls_total{pipeline="sales",stage="valid",module="valid-sale",digest="abababababab"} 1
        sluicegate_plugin_rows_total{pipeline="sales",stage="valid",module="valid-sale",digest="abababababab"} 10
        sluicegate_plugin_cpu_seconds_total{pipeline="sales",stage="valid",module="valid-sale",digest="abababababab"} 0.00004
        sluicegate_plugin_failures_total{pipeline="sales",stage="valid",module="valid-sale",digest="abababababab",kind="trap"} 1
        sluicegate_plugin_failures_total{pipeline="sales",stage="valid",module="valid-sale",digest="abababababab",kind="deadline"} 0
        sluicegate_plugin_failures_total{pipeline="sales",stage="valid",module="valid-sale",digest="abababababab",kind="answer"} 0
        sluicegate_plugin_failures_total{pipeline="sales",stage="valid",module="valid-sale",digest="abababababab",kind="breaker"} 0
        sluicegate_plugin_rejects_total{pipeline="sales",stage="valid",module="valid-sale",digest="abababababab"} 2
        sluicegate_plugin_unheard_total{pipeline="sales",stage="valid",module="valid-sale",digest="abababababab"} 3
        sluicegate_plugin_memory_bytes{pipeline="sales",stage="valid",module="valid-sale",digest="abababababab"} 65536
        sluicegate_plugin_count_total{pipeline="sales",stage="valid",module="valid-sale",digest="abababababab",name="free_items"} 4"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn a_watermark_that_is_none_or_end_has_no_series() {
    for watermark in [Watermark::None, Watermark::End] {
        let page = page(LaneStatus { watermark, ..status() });
        assert!(!page.contains("\nsluicegate_watermark_delay_seconds{"), "{page}");
    }
}

#[test]
fn the_time_of_a_step_is_spread_over_turns() {
    let page = page(status());
    let of = r#"pipeline="sales",step="decode""#;
    for series in [
        format!("sum{{{of}}} 0.004"),
        format!("count{{{of}}} 2"),
        format!("bucket{{le=\"0.001\",{of}}} 1"),
        format!("bucket{{le=\"0.005\",{of}}} 2"),
    ] {
        assert!(page.contains(&format!("step_cpu_seconds_{series}\n")), "{series} in\n{page}");
    }
}

#[test]
fn a_module_in_the_place_of_another_begins_at_zero_and_the_series_of_the_other_end() {
    let lane = worked_lane();
    let before = lane.running("valid").unwrap();
    lane.stage("valid").unwrap().runs(&before.plugin);
    assert_eq!(lane.running("valid").unwrap().calls.get(), 1, "the same goes on");
    lane.stage("valid").unwrap().runs(&plugin("premium-sale", 0xcd));
    let metrics = Metrics::new(Clock::manual(0));
    let status = Arc::new(ArcSwap::from_pointee(status()));
    metrics.add("sales".into(), Arc::new(lane), status, lead());
    let page = metrics.render();
    let calls: Vec<_> =
        page.lines().filter(|line| line.starts_with("sluicegate_plugin_calls_")).collect();
    expect![[r#"sluicegate_plugin_calls_total{pipeline="sales",stage="valid",module="premium-sale",digest="cdcdcdcdcdcd"} 0"#]]
        .assert_eq(&calls.join("\n"));
}

#[test]
fn partitions_beyond_the_limit_are_summed() {
    let partitions = (0..515).map(|number| partition(number, 1)).collect();
    let page = page(LaneStatus { partitions, ..status() });
    let lag = |line: &&str| line.starts_with("sluicegate_partition_lag_records{");
    assert_eq!(page.lines().filter(lag).count(), 513);
    assert!(page.contains(r#"stream="other",partition="other"} 3"#), "{page}");
}

/// They would stand beside the leader's: a lag that never shrinks, a commit that grows ever older.
#[test]
fn an_instance_that_stands_by_has_counters_and_no_gauges_of_the_stream() {
    let blank = LaneStatus::nothing_yet("sales");
    let page = page(LaneStatus { phase: Phase::Standby, ..blank });
    for gauge in [
        "partition_lag_records",
        "watermark_delay_seconds",
        "open_groups",
        "state_bytes",
        "epoch",
        "status_timestamp_seconds",
        "checkpoint_state_bytes",
        "outbox_unsent_messages",
        "table_log_behind_epochs",
        "table_compacted_files",
        "last_commit_timestamp_seconds",
    ] {
        assert!(!page.contains(&format!("\nsluicegate_{gauge}{{")), "{gauge} in\n{page}");
    }
    assert!(page.contains("\nsluicegate_records_read_total{pipeline=\"sales\"} 10\n"), "{page}");
    assert!(page.contains("phase=\"standby\"} 1\n"), "{page}");
}

#[test]
fn a_removed_pipeline_has_no_series() {
    let metrics = Metrics::new(Clock::manual(0));
    let status = Arc::new(ArcSwap::from_pointee(status()));
    metrics.add("sales".into(), Arc::new(worked_lane()), status, lead());
    metrics.remove("sales");
    assert!(!metrics.render().contains("pipeline="));
}
