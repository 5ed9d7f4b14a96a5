//! A pipeline in a few lines, for people.

use std::fmt::Write;

use super::{
    EventTimeFrom, FileOrder, Pipeline, SinkKind, SourceConfig, StartPosition, TableFormat,
    TableLocation, duration, window_words,
};
use sluicegate_model::partition::PartitionBy;

/// What a pipeline does, a line for each of its parts, with a line break at the end.
pub fn of(pipeline: &Pipeline) -> String {
    let mut text = format!("pipeline {}\n", pipeline.name);
    let mut line = |name: &str, value: String| {
        writeln!(text, "  {name:<12} {value}").expect("a string takes everything");
    };
    line("from", source(&pipeline.source));
    line("columns", columns(pipeline));
    line("event time", event_time(pipeline));
    let filters = pipeline.stages.iter().map(|stage| &*stage.id).collect::<Vec<_>>();
    if !filters.is_empty() {
        line("through", filters.join(", "));
    }
    if let Some(window) = &pipeline.window {
        let key = by(&window.key);
        line(
            "windows",
            format!("{} {key}, aggregate {}", window_words(window.kind), window.aggregate.id),
        );
    }
    if let Some(keyed) = &pipeline.keyed {
        line("state", format!("{}, process {}", by(&keyed.key), keyed.stage.id));
    }
    for sink in &pipeline.sinks {
        let place = match &sink.kind {
            SinkKind::Table(table) => place(table),
            SinkKind::Kafka(kafka) => {
                let what = if kafka.updates { "updates" } else { "final results" };
                format!("topic {} at {}, {what}", kafka.topic, kafka.brokers)
            }
            SinkKind::Console { every, .. } => format!("console every {}", duration::show(*every)),
        };
        line("to", format!("{place} ({})", sink.id));
    }
    let lost = "counted and dropped";
    let table = |table: &Option<TableLocation>| table.as_ref().map_or(lost.to_owned(), place);
    line("dead letters", table(&pipeline.dead_letters));
    if pipeline.window.is_some() {
        line("late rows", table(&pipeline.late));
    }
    let checkpoint = &pipeline.checkpoint;
    line(
        "commits",
        format!("every {} in {}", duration::show(checkpoint.interval), checkpoint.written),
    );
    text
}

fn by(key: &[String]) -> String {
    match key {
        [] => "over all rows".to_owned(),
        key => format!("by {}", key.join(", ")),
    }
}

fn source(source: &SourceConfig) -> String {
    match source {
        SourceConfig::Kafka(kafka) => {
            let start = match &kafka.start {
                StartPosition::Earliest => "from the earliest".to_owned(),
                StartPosition::Latest => "from the latest".to_owned(),
                StartPosition::Timestamp(micros) => {
                    format!("from {}", sluicegate_model::time::EventTime(*micros))
                }
                StartPosition::Offsets(offsets) => format!("from {} given offsets", offsets.len()),
            };
            let end = if kafka.end.is_some() { " to the end of now" } else { "" };
            format!("topic {} at {}, {start}{end}", kafka.topic, kafka.brokers)
        }
        SourceConfig::Files(files) => {
            let order = match files.order {
                FileOrder::Parallel => "",
                FileOrder::Unordered => ", in no order of time",
                FileOrder::Sequential => ", one after the other",
            };
            let watch =
                files.watch.map(|every| format!(", new ones every {}", duration::show(every)));
            format!("files {}{order}{}", files.name, watch.unwrap_or_default())
        }
    }
}

fn columns(pipeline: &Pipeline) -> String {
    let columns = pipeline.schema.columns.iter().map(|column| {
        let mark = if column.nullable { "?" } else { "" };
        let from = column.metadata().map(|metadata| format!(" from {metadata}"));
        format!("{} {}{mark}{}", column.name, column.kind, from.unwrap_or_default())
    });
    columns.collect::<Vec<_>>().join(", ")
}

fn event_time(pipeline: &Pipeline) -> String {
    let event_time = &pipeline.event_time;
    let from = match event_time.from {
        EventTimeFrom::Column(index) => pipeline.schema.columns[index].name.as_str(),
        EventTimeFrom::RecordTimestamp => "timestamp of the record",
    };
    format!("{from}, up to {} out of order", duration::show(event_time.max_out_of_orderness))
}

fn place(table: &TableLocation) -> String {
    let by: Vec<&str> = table.partition_by.iter().map(PartitionBy::name).collect();
    let parted = match by.as_slice() {
        [] => String::new(),
        by => format!(", by {}", by.join(" and ")),
    };
    let log = if table.format == TableFormat::Delta { ", a Delta table" } else { "" };
    format!("{}{log}{parted}", table.written)
}
