//! The columns that results have, and which of the rows' columns are the key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef};

use sluicegate_chain::shape::TableShape;
use sluicegate_connect::sink::{dead_letters, late};
use sluicegate_delta::schema::shape_of;
use sluicegate_model::schema::timestamp_type;
use sluicegate_pipeline::fingerprint::columns::TableColumns;
use sluicegate_pipeline::{Pipeline, SinkKind, TableFormat, TableLocation, WindowConfig};

use super::{FittedStage, PlanError};

/// Columns that every window result has beside its key and its plugin's outputs; not that of a global window.
pub const WINDOW_COLUMNS: [&str; 2] = ["window_start", "window_end"];

/// The column that every row of a keyed plugin has beside its key and its outputs.
pub const EVENT_TIME_COLUMN: &str = "event_time";

/// The column behind the bounds of the window if results can be corrected: 0 for the first, of the others the highest
/// counts.
pub const REVISION_COLUMN: &str = "revision";

/// The member of an update that says whether it is the last one of its group.
pub(in crate::lane) const FINAL_MEMBER: &str = "final";

/// The key among the columns of the rows. `section` is what names it in the pipeline file.
pub(in crate::lane) fn key_columns(
    section: &str,
    names: &[String],
    rows: &SchemaRef,
) -> Result<Vec<usize>, PlanError> {
    let find = |name: &String| {
        rows.index_of(name).map_err(|_| PlanError::KeyColumn {
            section: section.to_owned(),
            column: name.clone(),
            have: rows
                .fields()
                .iter()
                .map(|field| format!("`{}`", field.name()))
                .collect::<Vec<_>>()
                .join(", "),
        })
    };
    names.iter().map(find).collect()
}

/// Key, outputs, times (the bounds of the window, or the event time), revision.
pub(in crate::lane) fn result_schema(
    key: &[usize],
    rows: &SchemaRef,
    stage: &FittedStage,
    times: &[&str],
    corrects: bool,
) -> Result<SchemaRef, PlanError> {
    let keys = key.iter().map(|column| rows.fields()[*column].as_ref().clone());
    let outputs = stage.plugin.output_schema.fields().iter().map(|field| field.as_ref().clone());
    let times = times.iter().map(|name| Field::new(*name, timestamp_type(), false));
    let revision = corrects.then(|| Field::new(REVISION_COLUMN, DataType::Int64, false));
    let fields: Vec<Field> = keys.chain(outputs).chain(times).chain(revision).collect();
    let mut seen = BTreeSet::new();
    if let Some(twice) = fields.iter().find(|field| !seen.insert(field.name().to_lowercase())) {
        let (column, stage) = (twice.name().clone(), stage.id.to_string());
        return Err(PlanError::TwoColumns { column, stage });
    }
    Ok(Arc::new(ArrowSchema::new(fields)))
}

/// That the topics can have what they are to have: the key of raw rows is one of their columns, and what updates have
/// beside the columns is not the plugin's.
pub(in crate::lane) fn check_topics(
    pipeline: &Pipeline,
    rows: &SchemaRef,
    output: &SchemaRef,
) -> Result<(), PlanError> {
    let corrects = pipeline.window.as_ref().is_some_and(WindowConfig::corrects);
    for sink in &pipeline.sinks {
        let SinkKind::Kafka(kafka) = &sink.kind else { continue };
        key_columns(
            &format!("sink `{}`", sink.id),
            kafka.key.as_deref().unwrap_or_default(),
            rows,
        )?;
        let own = [FINAL_MEMBER].into_iter().chain((!corrects).then_some(REVISION_COLUMN));
        if let Some(column) = own.filter(|_| kafka.updates).find(|it| output.index_of(it).is_ok()) {
            let stage = pipeline.stateful_stage().map_or("", |stage| &*stage.id).to_owned();
            return Err(PlanError::TwoColumns { column: column.to_owned(), stage });
        }
    }
    Ok(())
}

/// That no table gives its readers two columns of one name: names that differ in their case only are one to many of
/// them, and `date=…` and `hour=…` folders are columns.
pub(in crate::lane) fn check_names(
    pipeline: &Pipeline,
    rows: &SchemaRef,
    output: &SchemaRef,
) -> Result<(), PlanError> {
    for TableColumns { id, schema, .. } in tables(pipeline, rows, output) {
        one_of_each(&format!("the rows of table `{id}`"), &schema)?;
        let of_table = pipeline.tables().into_iter().find(|(table, _)| **table == *id);
        for of_time in of_table.iter().flat_map(|(_, location)| location.time_columns()) {
            let is_it = |field: &&Arc<Field>| field.name().eq_ignore_ascii_case(of_time);
            if let Some(field) = schema.fields().iter().find(is_it) {
                let (table, column) = (id.clone(), field.name().clone());
                return Err(PlanError::TimeColumn { table, column, of_time: of_time.to_owned() });
            }
        }
    }
    Ok(())
}

fn one_of_each(whose: &str, schema: &SchemaRef) -> Result<(), PlanError> {
    let mut seen = BTreeMap::new();
    for field in schema.fields() {
        if let Some(one) = seen.insert(field.name().to_lowercase(), field.name()) {
            let (whose, one, other) = (whose.to_owned(), one.clone(), field.name().clone());
            return Err(PlanError::OneName { whose, one, other });
        }
    }
    Ok(())
}

/// The column of a table that says which epoch made a row, for those that ask for it.
pub(in crate::lane) const EPOCH_COLUMN: &str = "_epoch";

/// The columns of results with that of their epoch. Null in rows from before it was asked for.
pub(in crate::lane) fn with_epoch(output: &SchemaRef) -> SchemaRef {
    let epoch = Arc::new(Field::new(EPOCH_COLUMN, DataType::Int64, true));
    let fields = output.fields().iter().cloned().chain([epoch]);
    Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()))
}

/// The columns of those tables that have a log, as it and the records tell them.
///
/// # Errors
///
/// A table with a column that a log has no type for, and which.
pub(in crate::lane) fn shapes(
    pipeline: &Pipeline,
    rows: &SchemaRef,
    output: &SchemaRef,
) -> Result<BTreeMap<Arc<str>, Arc<TableShape>>, PlanError> {
    let logged = pipeline.tables().into_iter();
    let logged = logged.filter(|(_, location)| location.format == TableFormat::Delta);
    let shape = |(id, location): (Arc<str>, &TableLocation)| {
        let schema = match &*id {
            "late" => late::schema(rows),
            "dead_letters" => dead_letters::schema(),
            _ if location.epoch_column => with_epoch(output),
            _ => Arc::clone(output),
        };
        match shape_of(&schema, &location.partition_by) {
            Ok(shape) => Ok((id, Arc::new(shape))),
            Err(reason) => Err(PlanError::NoLogType { table: id.to_string(), reason }),
        }
    };
    logged.map(shape).collect()
}

/// The tables of a pipeline with their columns, but for that of dead letters, whose columns are ours.
pub(in crate::lane) fn tables(
    pipeline: &Pipeline,
    rows: &SchemaRef,
    output: &SchemaRef,
) -> Vec<TableColumns> {
    let sinks = pipeline.sinks.iter().filter_map(|sink| match &sink.kind {
        SinkKind::Table(location) if location.epoch_column => {
            Some((&sink.id, location, with_epoch(output)))
        }
        SinkKind::Table(location) => Some((&sink.id, location, Arc::clone(output))),
        SinkKind::Kafka(_) | SinkKind::Console { .. } => None,
    });
    let late_id: Arc<str> = Arc::from("late");
    let late = pipeline.late.as_ref().map(|location| (&late_id, location, late::schema(rows)));
    let table = |(id, location, schema): (&Arc<str>, &TableLocation, SchemaRef)| TableColumns {
        id: id.to_string(),
        place: location.written.clone(),
        schema,
    };
    sinks.chain(late).map(table).collect()
}
