//! What is wrong with a pipeline file: line, key, value and fix; all of it at once.

use std::fmt;
use std::path::PathBuf;

use super::document::{Document, Key};

/// A pipeline file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there, or not readable, or no text.
    #[error("read the pipeline file `{}`", path.display())]
    Unreadable {
        /// As the command line gave it.
        path: PathBuf,
        /// What the system says of the file, or of the working directory.
        source: std::io::Error,
    },
    /// What it says is refused.
    #[error("{}", Report { path, problems })]
    Refused {
        /// As the command line gave it.
        path: PathBuf,
        /// At least one, ascending by line.
        problems: Vec<Problem>,
    },
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line of the key, counted from 1.
    pub line: usize,
    /// The path of the key, `stages[1].id`; empty: the file as a whole.
    pub key: String,
    /// The value and the fix: a sentence.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "`{}`: {}", self.key, self.message)
        }
    }
}

struct Report<'a> {
    path: &'a PathBuf,
    problems: &'a [Problem],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:{}: {problem}", self.path.display(), problem.line)?;
        }
        Ok(())
    }
}

/// Collects problems with their lines.
#[derive(Debug)]
pub(crate) struct Problems<'d> {
    document: &'d Document<'d>,
    found: Vec<Problem>,
}

impl<'d> Problems<'d> {
    pub(crate) fn new(document: &'d Document<'d>) -> Self {
        Self { document, found: Vec::new() }
    }

    /// The value of `key` is refused.
    pub(crate) fn refuse(&mut self, key: &Key, message: impl Into<String>) {
        let line = self.document.line_of(key);
        let key = if key.is_root() { String::new() } else { key.to_string() };
        self.found.push(Problem { line, key, message: message.into() });
    }

    /// The value, or its error as a problem of `key`.
    pub(crate) fn take<T>(&mut self, key: &Key, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.refuse(key, message)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Ascending by line, none twice.
    pub(crate) fn into_sorted(mut self) -> Vec<Problem> {
        self.found.sort_by_key(|problem| problem.line);
        self.found.dedup();
        self.found
    }
}
