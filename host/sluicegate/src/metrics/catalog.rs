//! Every metric: name, unit, kind, labels and help, in one place. The scrape and the documentation are made of it.

use super::metric::{Metric, counter, gauge, info, seconds};

/// Of metrics that belong to a pipeline as a whole.
const PIPELINE: &[&str] = &["pipeline"];
const STAGE: &[&str] = &["pipeline", "stage"];
/// Of what the plugin of a stage does: the name and the first digits of the digest of the module that runs. The series
/// of a module end when another takes its place, so that their number stays that of the stages.
const MODULE: &[&str] = &["pipeline", "stage", "module", "digest"];
const TABLE: &[&str] = &["pipeline", "table"];

pub(super) const BUILD: Metric =
    info("sluicegate_build", &["version"], "The version of the host that runs");
pub(super) const PHASE: Metric = gauge(
    "sluicegate_phase",
    None,
    &["pipeline", "phase"],
    "1 for the phase the pipeline is in, 0 for the others",
);
pub(super) const PROBLEM: Metric = gauge(
    "sluicegate_problem",
    None,
    PIPELINE,
    "1 while something outside keeps the pipeline from moving; the status names it",
);
pub(super) const FETCH: Metric = info(
    "sluicegate_fetch",
    &["pipeline", "by"],
    "Who fetches the records of the topic: direct or librdkafka; absent for files",
);
pub(super) const RECORDS_READ: Metric =
    counter("sluicegate_records_read", None, PIPELINE, "Records taken from the source");
pub(super) const RECORDS: Metric = counter(
    "sluicegate_records",
    None,
    &["pipeline", "fate"],
    "Records by what became of them: accepted, filtered, late or dead_lettered; one fate each",
);
pub(super) const PARTITION_RECORDS: Metric = counter(
    "sluicegate_partition_records",
    None,
    &["pipeline", "stream", "partition", "fate"],
    "The same by partition",
);
pub(super) const READ: Metric =
    counter("sluicegate_read", Some("bytes"), PIPELINE, "Bytes of the values of records read");
pub(super) const LAG: Metric = gauge(
    "sluicegate_partition_lag",
    Some("records"),
    &["pipeline", "stream", "partition"],
    "Kafka: offsets between the next record to read and the end of the partition. Files: bytes",
);
pub(super) const PAUSED: Metric = gauge(
    "sluicegate_partitions_paused",
    None,
    PIPELINE,
    "Partitions that are not read because they are further ahead of the others than event_time.max_ahead",
);
pub(super) const WATERMARK: Metric = gauge(
    "sluicegate_watermark_timestamp",
    Some("seconds"),
    PIPELINE,
    "The watermark, seconds since 1970; absent before the first event and after the last",
);
pub(super) const WATERMARK_DELAY: Metric = gauge(
    "sluicegate_watermark_delay",
    Some("seconds"),
    PIPELINE,
    "How far the watermark is behind the wall clock; absent like the watermark",
);
pub(super) const REREAD: Metric = counter(
    "sluicegate_records_reread",
    None,
    PIPELINE,
    "Records that the decoder read twice, because they are written in a way that its one pass does not take: large numbers, exponents, rare escapes, and what is refused",
);
pub(super) const TURN: Metric = seconds(
    "sluicegate_turn_duration",
    PIPELINE,
    "A turn, from the arrival of its records to the end of its last step",
);
pub(super) const STEP: Metric = seconds(
    "sluicegate_step_cpu",
    &["pipeline", "step"],
    "CPU time of a step of a turn, all workers together: source, decode, plugins, window or sink",
);
pub(super) const PUBLISHED: Metric = gauge(
    "sluicegate_status_timestamp",
    Some("seconds"),
    PIPELINE,
    "When the lane last published its status, seconds since 1970: a moment ago while its loop goes round",
);
pub(super) const POSITION_JUMPS: Metric = counter(
    "sluicegate_position_jumps",
    None,
    PIPELINE,
    "Positions that were lost and moved (`on_data_loss`); the chain has each",
);
pub(super) const RESTARTS: Metric = counter(
    "sluicegate_lane_restarts",
    None,
    PIPELINE,
    "How often the lane failed and was to be opened again",
);
pub(super) const LEADER: Metric = gauge(
    "sluicegate_leader",
    None,
    PIPELINE,
    "1 if this host leads the pipeline, 0 if it stands by or prepares itself",
);
pub(super) const LEAD_TERM: Metric = gauge(
    "sluicegate_lead_term",
    None,
    PIPELINE,
    "The newest term of leadership that this host knows of; absent before the first",
);
pub(super) const TAKE_OVERS: Metric = counter(
    "sluicegate_take_overs",
    None,
    PIPELINE,
    "How often this host has won a term of leadership, its first included",
);
pub(super) const TAKE_OVER: Metric = gauge(
    "sluicegate_take_over",
    Some("seconds"),
    &["pipeline", "kind"],
    "How long nobody worked when this host last took over from another one: `hand_over` of one that ended, `fail_over` of one that \
     died; absent if it never has",
);
pub(super) const STAGE_MODULE: Metric = info(
    "sluicegate_stage_module",
    &["pipeline", "stage", "module", "digest"],
    "The module that the stage runs; the first 12 digits of its digest",
);
pub(super) const ACTIVATIONS: Metric =
    counter("sluicegate_activations", None, STAGE, "How often a module took another's place");
pub(super) const ACTIVATED: Metric = gauge(
    "sluicegate_activated_timestamp",
    Some("seconds"),
    MODULE,
    "When the module took another's place, seconds since 1970; absent if none did since the start",
);
pub(super) const PLUGIN_CALLS: Metric =
    counter("sluicegate_plugin_calls", None, MODULE, "Calls of the plugin");
pub(super) const PLUGIN_ROWS: Metric =
    counter("sluicegate_plugin_rows", None, MODULE, "Rows given to the plugin");
pub(super) const PLUGIN_CPU: Metric = counter(
    "sluicegate_plugin_cpu",
    Some("seconds"),
    MODULE,
    "CPU time of the plugin's calls, all workers together",
);
pub(super) const PLUGIN_FAILURES: Metric = counter(
    "sluicegate_plugin_failures",
    None,
    &["pipeline", "stage", "module", "digest", "kind"],
    "Calls that ended in a trap, at the deadline, or with an answer that breaks the contract; breaker: parts of \
     batches refused without a call, because too many calls had failed",
);
pub(super) const PLUGIN_REJECTS: Metric =
    counter("sluicegate_plugin_rejects", None, MODULE, "Rows that the plugin itself refused");
pub(super) const PLUGIN_UNHEARD: Metric = counter(
    "sluicegate_plugin_unheard",
    None,
    MODULE,
    "Log lines and counts of the plugin that were dropped, because they were too many",
);
pub(super) const PLUGIN_MEMORY: Metric = gauge(
    "sluicegate_plugin_memory",
    Some("bytes"),
    MODULE,
    "Linear memory of the plugin's instances, all workers together",
);
pub(super) const PLUGIN_COUNT: Metric = counter(
    "sluicegate_plugin_count",
    None,
    &["pipeline", "stage", "module", "digest", "name"],
    "What the plugin counted itself, by its own names; at most 32 of them",
);
pub(super) const GROUPS: Metric =
    gauge("sluicegate_open_groups", None, PIPELINE, "Open groups: window × key");
pub(super) const STATE: Metric =
    gauge("sluicegate_state", Some("bytes"), PIPELINE, "Keys and accumulators of the open groups");
pub(super) const STATE_LIMIT: Metric =
    gauge("sluicegate_state_limit", Some("bytes"), PIPELINE, "State beyond it halts the pipeline");
pub(super) const MEMORY: Metric = gauge(
    "sluicegate_memory",
    Some("bytes"),
    &["pipeline", "kind"],
    "What the pipeline holds: state, copy (of the state, on its way to the store), plugins, input (set aside for records read \
     ahead and what a turn makes of them), staged, in_flight or compaction (small files of Delta tables that become one)",
);
pub(super) const MEMORY_LIMIT: Metric = gauge(
    "sluicegate_memory_limit",
    Some("bytes"),
    PIPELINE,
    "What all pipelines of the process may hold together; the same for each, absent if it is not known",
);
pub(super) const EPOCH: Metric =
    gauge("sluicegate_epoch", None, PIPELINE, "The last committed epoch; absent before the first");
pub(super) const CHECKPOINT: Metric = seconds(
    "sluicegate_checkpoint_duration",
    PIPELINE,
    "The part of a checkpoint in which the lane stands still: freezing an epoch",
);
pub(super) const CHECKPOINT_STATE: Metric = gauge(
    "sluicegate_checkpoint_state",
    Some("bytes"),
    PIPELINE,
    "State stored with the last committed epoch, compressed; 0 without open groups",
);
pub(super) const BASE_BYTES: Metric = counter(
    "sluicegate_checkpoint_base",
    Some("bytes"),
    PIPELINE,
    "State stored by checkpoints that wrote all of it, compressed",
);
pub(super) const DELTA_BYTES: Metric = counter(
    "sluicegate_checkpoint_delta",
    Some("bytes"),
    PIPELINE,
    "State stored by checkpoints that wrote what had changed, compressed",
);
pub(super) const MERGES: Metric = counter(
    "sluicegate_checkpoint_merges",
    None,
    PIPELINE,
    "Times that stored pieces of the state were merged into a base, beside the lane",
);
pub(super) const COMMIT: Metric = seconds(
    "sluicegate_commit_duration",
    PIPELINE,
    "From handing an epoch to the committer until its record is durable",
);
pub(super) const COMMIT_FAILURES: Metric = counter(
    "sluicegate_commit_failures",
    None,
    PIPELINE,
    "Attempts to commit that the store did not take; each is tried again",
);
pub(super) const DELETED_OBJECTS: Metric = counter(
    "sluicegate_deleted_objects",
    None,
    PIPELINE,
    "Old records, states, outboxes and modules, and orphaned data files, deleted from the store",
);
pub(super) const DELETED_BYTES: Metric = counter(
    "sluicegate_deleted",
    Some("bytes"),
    PIPELINE,
    "Bytes of old records, states, outboxes and modules deleted from the store",
);
pub(super) const PANICS: Metric = counter(
    "sluicegate_background_panics",
    None,
    PIPELINE,
    "Work beside the lane that panicked (housekeeping, compaction, signs of life); it is begun again",
);
pub(super) const LAST_COMMIT: Metric = gauge(
    "sluicegate_last_commit_timestamp",
    Some("seconds"),
    PIPELINE,
    "When an epoch was last committed, seconds since 1970; absent before",
);
pub(super) const FILES: Metric =
    counter("sluicegate_files_written", None, TABLE, "Parquet files committed");
pub(super) const ROWS: Metric =
    counter("sluicegate_rows_written", None, TABLE, "Rows in the files committed");
pub(super) const WRITTEN: Metric =
    counter("sluicegate_written", Some("bytes"), TABLE, "Size of the files committed");
pub(super) const LOG_BEHIND: Metric = gauge(
    "sluicegate_table_log_behind",
    Some("epochs"),
    TABLE,
    "Committed epochs that the log of a Delta table lacks: its readers wait for them",
);
pub(super) const LOG_VERSION: Metric = gauge(
    "sluicegate_table_log_version",
    None,
    TABLE,
    "The version of a Delta table that its readers see; absent before there is a table",
);
pub(super) const COMPACTED: Metric = gauge(
    "sluicegate_table_compacted",
    Some("files"),
    TABLE,
    "Small files of a Delta table that became larger ones since the pipeline was opened here",
);
pub(super) const OUTBOX_SENT: Metric = counter(
    "sluicegate_outbox_sent",
    Some("messages"),
    PIPELINE,
    "Committed results that Kafka topics acknowledged, those that were sent again after a start included",
);
pub(super) const OUTBOX_UNSENT: Metric = gauge(
    "sluicegate_outbox_unsent",
    Some("messages"),
    PIPELINE,
    "Committed results on their way to Kafka topics; the next commit waits for them",
);
pub(super) const OUTBOX_FAILURES: Metric = counter(
    "sluicegate_outbox_failures",
    None,
    PIPELINE,
    "Attempts to send committed results that failed; each is tried again from its first message",
);
pub(super) const DEAD_LETTERS: Metric = counter(
    "sluicegate_dead_letters",
    None,
    &["pipeline", "kind"],
    "Rows of the dead-letter table by kind, whether or not the pipeline has such a table",
);

pub(super) const PROCESS_CPU: Metric =
    counter("process_cpu", Some("seconds"), &[], "CPU time of the process");
pub(super) const PROCESS_MEMORY: Metric =
    gauge("process_resident_memory", Some("bytes"), &[], "Memory of the process that is in RAM");
pub(super) const PROCESS_FDS: Metric =
    gauge("process_open_fds", None, &[], "Open files and connections of the process");

/// In the order of the documentation.
pub(super) const ALL: [&Metric; 63] = [
    &BUILD,
    &PHASE,
    &PROBLEM,
    &FETCH,
    &RECORDS_READ,
    &RECORDS,
    &PARTITION_RECORDS,
    &READ,
    &LAG,
    &PAUSED,
    &WATERMARK,
    &WATERMARK_DELAY,
    &REREAD,
    &TURN,
    &STEP,
    &PUBLISHED,
    &RESTARTS,
    &POSITION_JUMPS,
    &LEADER,
    &LEAD_TERM,
    &TAKE_OVERS,
    &TAKE_OVER,
    &STAGE_MODULE,
    &ACTIVATIONS,
    &ACTIVATED,
    &PLUGIN_CALLS,
    &PLUGIN_ROWS,
    &PLUGIN_CPU,
    &PLUGIN_FAILURES,
    &PLUGIN_REJECTS,
    &PLUGIN_UNHEARD,
    &PLUGIN_MEMORY,
    &PLUGIN_COUNT,
    &GROUPS,
    &STATE,
    &STATE_LIMIT,
    &MEMORY,
    &MEMORY_LIMIT,
    &EPOCH,
    &CHECKPOINT,
    &CHECKPOINT_STATE,
    &BASE_BYTES,
    &DELTA_BYTES,
    &MERGES,
    &COMMIT,
    &COMMIT_FAILURES,
    &DELETED_OBJECTS,
    &DELETED_BYTES,
    &PANICS,
    &LAST_COMMIT,
    &FILES,
    &ROWS,
    &WRITTEN,
    &LOG_BEHIND,
    &LOG_VERSION,
    &COMPACTED,
    &OUTBOX_SENT,
    &OUTBOX_UNSENT,
    &OUTBOX_FAILURES,
    &DEAD_LETTERS,
    &PROCESS_CPU,
    &PROCESS_MEMORY,
    &PROCESS_FDS,
];
