//! Which tables a command means: those of a pipeline file, or the one at a path or URL.

use std::path::Path;

use anyhow::bail;
use sluicegate_chain::LaneStorage;
use sluicegate_pipeline as config;
use sluicegate_pipeline::TableFormat;
use sluicegate_pipeline::environment::Environment;
use sluicegate_store::{Location, look};

use crate::program::look_at_lane;

/// Which tables of a pipeline count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Delta,
}

/// Tables of a pipeline, and where they and its chain lie.
pub(super) struct OfPipeline {
    pub(super) storage: LaneStorage,
    /// By their ids.
    pub(super) ids: Vec<String>,
}

/// Whether a place is meant as a pipeline file.
pub(super) fn is_pipeline(place: &Path) -> bool {
    place.extension().is_some_and(|it| it == "toml")
}

/// The tables of a pipeline, or the `wanted` one.
///
/// # Errors
///
/// The file is refused, or has no such table.
pub(super) fn of_pipeline(
    file: &Path,
    wanted: Option<&str>,
    kind: Kind,
) -> anyhow::Result<OfPipeline> {
    let environment = Environment::of_program();
    let pipeline = config::load(file, &environment)?;
    let storage = look_at_lane(&pipeline, &environment.stores())?;
    let tables = pipeline.tables().into_iter();
    let of_kind =
        tables.filter(|(_, table)| kind == Kind::Any || table.format == TableFormat::Delta);
    let mut ids: Vec<String> = of_kind.map(|(id, _)| id.to_string()).collect();
    let all = ids.join(", ");
    ids.retain(|id| wanted.is_none_or(|wanted| wanted == id));
    let word = if kind == Kind::Delta { "Delta table" } else { "table" };
    match (ids.is_empty(), wanted) {
        (false, _) => Ok(OfPipeline { storage, ids }),
        (true, Some(wanted)) if !all.is_empty() => {
            bail!("`{wanted}` is no {word} of the pipeline: it has {all}")
        }
        (true, _) => bail!("the pipeline `{}` has no {word}", pipeline.name),
    }
}

/// The tables that a place means, each with its name: its id, or the place itself.
///
/// # Errors
///
/// As [`of_pipeline`]; the URL makes no sense.
pub(super) fn tables(
    place: &str,
    wanted: Option<&str>,
    kind: Kind,
) -> anyhow::Result<Vec<(String, Location)>> {
    if !is_pipeline(Path::new(place)) {
        if wanted.is_some() {
            bail!("--table chooses a table of a pipeline: `{place}` is a table itself");
        }
        let table = look(place, &Environment::of_program().stores())?;
        return Ok(vec![(place.to_owned(), table)]);
    }
    let OfPipeline { storage, ids } = of_pipeline(Path::new(place), wanted, kind)?;
    let located = ids.into_iter().map(|id| {
        let table = storage.tables[id.as_str()].clone();
        (id, table)
    });
    Ok(located.collect())
}
