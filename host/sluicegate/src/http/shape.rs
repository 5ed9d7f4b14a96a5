//! A pipeline as its file describes it, for answers.

use crate::api::shape::{
    Grouping, GroupingKind, Shape, SinkHolds, SinkShape, SinkType, SourceShape, SourceType,
    StageShape,
};
use sluicegate_model::window::WindowKind;
use sluicegate_pipeline::{
    EventTimeFrom, Pipeline, SinkKind, SourceConfig, TableFormat, TableLocation,
};

/// What a pipeline is made of. Its source has so many partitions now.
pub(super) fn shape(config: &Pipeline, partitions: usize) -> Shape {
    let stage = |stage: &sluicegate_pipeline::StageConfig| StageShape {
        stage: stage.id.to_string(),
        kind: stage.kind,
    };
    Shape {
        source: source(&config.source, partitions),
        stages: config.all_stages().map(stage).collect(),
        grouping: grouping(config),
        sinks: sinks(config),
    }
}

fn source(source: &SourceConfig, partitions: usize) -> SourceShape {
    let (kind, name, detail) = match source {
        SourceConfig::Kafka(kafka) => {
            // None are known before the pipeline was open.
            let counted = match partitions {
                0 => String::new(),
                1 => ", 1 partition".to_owned(),
                more => format!(", {more} partitions"),
            };
            let detail = format!("topic {} of {}{counted}", kafka.topic, kafka.brokers);
            (SourceType::Kafka, &kafka.topic, detail)
        }
        SourceConfig::Files(files) => {
            let watched = if files.watch.is_some() { ", watched for new ones" } else { "" };
            let detail = format!("files of {}, {} open{watched}", files.name, partitions);
            (SourceType::Files, &files.name, detail)
        }
    };
    SourceShape { kind, name: name.clone(), detail }
}

fn grouping(config: &Pipeline) -> Option<Grouping> {
    let event_time_column = match config.event_time.from {
        EventTimeFrom::Column(index) => Some(config.schema.columns[index].name.clone()),
        EventTimeFrom::RecordTimestamp => None,
    };
    let of = |kind, keys: &[String]| Grouping {
        kind,
        keys: keys.to_vec(),
        size_seconds: None,
        slide_seconds: None,
        gap_seconds: None,
        lateness_seconds: None,
        event_time_column,
    };
    if let Some(keyed) = &config.keyed {
        return Some(of(GroupingKind::Keyed, &keyed.key));
    }
    let window = config.window.as_ref()?;
    let lateness_seconds = Some(seconds(window.allowed_lateness));
    let kind = match window.kind {
        WindowKind::Tumbling { .. } => GroupingKind::Tumbling,
        WindowKind::Sliding { .. } => GroupingKind::Sliding,
        WindowKind::Session { .. } => GroupingKind::Session,
        WindowKind::Global { .. } => GroupingKind::Global,
    };
    let grouping = Grouping { lateness_seconds, ..of(kind, &window.key) };
    Some(match window.kind {
        WindowKind::Tumbling { size, .. } => {
            Grouping { size_seconds: Some(seconds(size)), ..grouping }
        }
        WindowKind::Sliding { size, slide, .. } => Grouping {
            size_seconds: Some(seconds(size)),
            slide_seconds: Some(seconds(slide)),
            ..grouping
        },
        WindowKind::Session { gap, .. } => Grouping { gap_seconds: Some(seconds(gap)), ..grouping },
        WindowKind::Global { .. } => grouping,
    })
}

fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

fn sinks(config: &Pipeline) -> Vec<SinkShape> {
    let of = |sink: &str, kind, place: String, holds| SinkShape {
        sink: sink.to_owned(),
        kind,
        place,
        holds,
    };
    let results = SinkHolds::Results;
    let mut sinks: Vec<_> = config
        .sinks
        .iter()
        .map(|sink| match &sink.kind {
            SinkKind::Table(table) => of(&sink.id, type_of(table), table.url.clone(), results),
            SinkKind::Kafka(kafka) => {
                let place = format!("topic {} of {}", kafka.topic, kafka.brokers);
                of(&sink.id, SinkType::Kafka, place, results)
            }
            SinkKind::Console { .. } => {
                of(&sink.id, SinkType::Console, "standard output".to_owned(), results)
            }
        })
        .collect();
    let mut table = |id: &str, table: &Option<TableLocation>, holds| {
        sinks.extend(table.iter().map(|table| of(id, type_of(table), table.url.clone(), holds)));
    };
    table("late", &config.late, SinkHolds::LateRows);
    table("dead_letters", &config.dead_letters, SinkHolds::DeadLetters);
    sinks
}

fn type_of(table: &TableLocation) -> SinkType {
    match table.format {
        TableFormat::Parquet => SinkType::Parquet,
        TableFormat::Delta => SinkType::Delta,
    }
}
