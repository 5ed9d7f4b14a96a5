//! Reads a pipeline file: TOML → shape → values → [`Pipeline`], or everything that is wrong with it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::Pipeline;
use super::check::{self, Context};
use super::document::{Document, Key, line_at};
use super::place;
use super::problem::Problems;
pub use super::problem::{ConfigError, Problem};
use super::raw::RawPipeline;
use super::{reference, shape};

/// Larger than any pipeline a person writes; a data file given by mistake is refused before it is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads and checks a pipeline file. `environment` is for `${env:NAME}` in `[source.kafka.properties]`.
///
/// # Errors
/// The file cannot be read, or what it says is refused, with all that is wrong.
pub fn load(path: &Path, environment: &BTreeMap<String, String>) -> Result<Pipeline, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if about.is_dir() {
        let reason = "it is a folder: name the pipeline file in it";
        return Err(unreadable(std::io::Error::new(std::io::ErrorKind::IsADirectory, reason)));
    }
    let bytes = about.len();
    if bytes > FILE_BYTES_MAX {
        let reason =
            format!("it has {bytes} bytes, more than the {FILE_BYTES_MAX} of a pipeline file");
        return Err(unreadable(std::io::Error::new(std::io::ErrorKind::FileTooLarge, reason)));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    parse(&text, path, environment)
}

/// Checks the text of a pipeline file. `path` is for messages and for what relative paths begin at; it is not read.
///
/// # Errors
/// [`ConfigError::Refused`], with all that is wrong; [`ConfigError::Unreadable`] without a working directory.
pub fn parse(
    text: &str,
    path: &Path,
    environment: &BTreeMap<String, String>,
) -> Result<Pipeline, ConfigError> {
    let refused = |problems| ConfigError::Refused { path: path.to_owned(), problems };
    let document = Document::parse(text).map_err(|(line, message)| {
        refused(vec![Problem { line, key: String::new(), message: format!("no TOML: {message}") }])
    })?;
    let mut problems = Problems::new(&document);
    let schema = reference::schema();
    shape::compare(document.root(), &schema, &mut problems);
    if !problems.is_empty() {
        return Err(refused(problems.into_sorted()));
    }
    let raw = read_raw(text, &document).map_err(|problem| refused(vec![problem]))?;
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let folder = place::folder_of(path).map_err(unreadable)?;
    let context = Context { document: &document, schema: &schema, folder: &folder, environment };
    match check::check(raw, context, &mut problems) {
        Some(pipeline) if problems.is_empty() => Ok(pipeline),
        _ => Err(refused(problems.into_sorted())),
    }
}

/// What the shape let through and serde does not: numbers out of range.
fn read_raw(text: &str, document: &Document<'_>) -> Result<RawPipeline, Problem> {
    let deserializer = toml::Deserializer::parse(text);
    deserializer.and_then(RawPipeline::deserialize).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let key = if span.is_empty() { Key::default() } else { document.key_at(&span) };
        Problem {
            line: line_at(text, span.start),
            key: key.to_string(),
            message: error.message().to_owned(),
        }
    })
}

#[cfg(test)]
mod odd_tests;
#[cfg(test)]
pub(crate) mod tests;
