//! The house rules that the compiler and clippy cannot check.

use std::fs;
use std::path::{Path, PathBuf};

use xtask::workspace::Workspace;

/// A file that is longer holds two ideas.
const LINES_MAX: usize = 400;

/// Names that say nothing.
const BANNED_NAMES: [&str; 7] =
    ["utils", "util", "common", "helpers", "helper", "types", "manager"];

/// Who may read the environment: what is read there is invisible in a signature.
const READS_ENVIRONMENT: [&str; 5] = [
    "host/sluicegate/src/main.rs",
    "host/sluicegate/src/cli",
    "host/pipeline/src",
    "xtask/src",
    "tests",
];

struct Source {
    path: String,
    text: String,
}

impl Source {
    fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("_tests.rs")
            || self.path.contains("/tests/")
    }

    fn lies_in(&self, places: &[&str]) -> bool {
        places
            .iter()
            .any(|place| self.path == *place || self.path.starts_with(&format!("{place}/")))
    }

    /// The lines of code: without comments, and without an inline test module at the end.
    fn code(&self) -> impl Iterator<Item = &str> {
        let end = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        self.text[..end].lines().filter(|line| !line.trim_start().starts_with("//"))
    }
}

#[test]
fn every_file_begins_with_a_sentence_that_says_what_it_is_for() {
    check(|source| {
        let first = source.text.lines().next().unwrap_or_default();
        let says = first.strip_prefix("//! ").is_some_and(|sentence| sentence.len() > 15);
        (!says).then(|| format!("begins with `{first}`, not with a sentence after `//! `"))
    });
}

#[test]
fn no_file_is_longer_than_an_idea() {
    check(|source| {
        let lines = source.text.lines().count();
        (!source.is_test() && lines > LINES_MAX)
            .then(|| format!("has {lines} lines; more than {LINES_MAX} are two ideas"))
    });
}

#[test]
fn names_say_something() {
    check(|source| {
        let mut parts = source.path.trim_end_matches(".rs").split('/');
        parts
            .find(|part| BANNED_NAMES.contains(part))
            .map(|part| format!("`{part}` says nothing; name what is in it"))
    });
}

#[test]
fn the_environment_is_read_at_the_border_only() {
    check(|source| {
        let reads = source.code().any(|line| {
            ["env::var", "env::vars", "env::var_os"].iter().any(|call| line.contains(call))
        });
        (reads && !source.lies_in(&READS_ENVIRONMENT)).then(|| {
            format!("reads the environment, which only {} may", READS_ENVIRONMENT.join(", "))
        })
    });
}

#[test]
fn nothing_is_left_unfinished() {
    check(|source| {
        let marks = ["todo!(", "unimplemented!(", "FIXME", "XXX", "TODO", "#[ignore"];
        let line = source.text.lines().find(|line| marks.iter().any(|mark| line.contains(mark)))?;
        // This file names them.
        (source.path != "tests/tidy.rs").then(|| format!("leaves `{}`", line.trim()))
    });
}

/// A block of Rust that a page shows was compiled: README's by `xtask/src/documentation.rs`, the SDK's by the SDK.
#[test]
fn every_rust_block_of_a_page_is_compiled() {
    let root = Workspace::here().root().to_path_buf();
    let ours = fs::read_to_string(root.join("xtask/src/documentation.rs")).unwrap();
    let mut pages: Vec<_> =
        fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.extend(["README.md", "guest-sdk/README.md", "plugins/README.md"].map(|p| root.join(p)));
    let mut blocks = 0;
    for page in pages.iter().filter(|page| page.extension().is_some_and(|end| end == "md")) {
        let name = page.strip_prefix(&root).unwrap().display().to_string();
        let text = fs::read_to_string(page).unwrap();
        for fence in text.lines().filter(|line| line.starts_with("```rust")) {
            assert_eq!(fence, "```rust", "{name}: a block that is not compiled, or not run");
            let compiled = name == "guest-sdk/README.md" || ours.contains(&format!("/{name}\")"));
            assert!(compiled, "{name} shows Rust; add it to xtask/src/documentation.rs");
            blocks += 1;
        }
    }
    assert!(blocks > 5, "only {blocks} blocks of Rust found");
}

/// Applies a rule to every file of ours; panics with all that break it.
#[track_caller]
fn check(rule: impl Fn(&Source) -> Option<String>) {
    let root = Workspace::here().root().to_path_buf();
    let mut files = Vec::new();
    for folder in ["host", "guest-sdk", "plugins", "tests", "xtask"] {
        rust_files(&root.join(folder), &mut files);
    }
    assert!(files.len() > 20, "only {} files found below `{}`", files.len(), root.display());
    let broken: Vec<_> = files
        .iter()
        .filter_map(|path| {
            let source = Source {
                path: path.strip_prefix(&root).unwrap().display().to_string(),
                text: fs::read_to_string(path).unwrap(),
            };
            rule(&source).map(|problem| format!("  {} {problem}", source.path))
        })
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
