//! The documentation of a crate and its doc tests in one go. `cargo doc` checks all dependencies anew before it begins,
//! 300 crates; for doc tests cargo calls rustdoc with what is built already. So this program stands in for rustdoc there,
//! and makes the documentation first.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

/// Set, with the folder of the documentation as its value, where cargo calls this program as rustdoc.
pub const STANDS_IN: &str = "XTASK_RUSTDOC_INTO";

/// Files explain themselves by their private parts as well.
const LINTS: [&str; 4] = ["-D", "warnings", "-A", "rustdoc::private-intra-doc-links"];

/// Options of doc tests that take a value.
const WITH_VALUE: [&str; 4] =
    ["--test-run-directory", "--test-args", "--test-runtool", "--test-runtool-arg"];

/// Does what cargo asks rustdoc for. If that is to run doc tests, the documentation is made first, into `folder`, and a
/// warning is an error.
pub fn stand_in(arguments: &[OsString], folder: &OsString) -> Result<ExitCode> {
    if arguments.iter().any(|argument| argument == "--test") {
        let mut documentation = Command::new("rustdoc");
        documentation.args(of_documentation(arguments)).arg("--out-dir").arg(folder);
        let documented = documentation.args(LINTS).status().context("start rustdoc")?;
        if !documented.success() {
            return Ok(ExitCode::FAILURE);
        }
    }
    let status = Command::new("rustdoc").args(arguments).status().context("start rustdoc")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Arguments without what is for doc tests only.
fn of_documentation(arguments: &[OsString]) -> Vec<OsString> {
    let mut left = Vec::with_capacity(arguments.len());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if WITH_VALUE.contains(&&*text) {
            arguments.next();
        } else if text != "--test" && !WITH_VALUE.iter().any(|option| is_joined(&text, option)) {
            left.push(argument.clone());
        }
    }
    left
}

/// Whether it is `--option=value`.
fn is_joined(argument: &str, option: &str) -> bool {
    argument.strip_prefix(option).is_some_and(|rest| rest.starts_with('='))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    #[test]
    fn what_is_for_doc_tests_is_left_out() {
        let line = "--crate-name sdk --test src/lib.rs --test-run-directory /w --extern a=b --test-args=-q --cfg x";
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let left = super::of_documentation(&arguments).join(std::ffi::OsStr::new(" "));
        assert_eq!(left, "--crate-name sdk src/lib.rs --extern a=b --cfg x");
    }
}
