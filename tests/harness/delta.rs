//! Readers of Delta tables that are not ours, in processes of their own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::place::Place;
use super::services;

fn readers(place: &Place, arguments: &[&str]) -> Command {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/delta_readers.py");
    let mut command = Command::new(services::delta_readers());
    command.arg(script).args(arguments).envs(place.environment.iter().cloned());
    command
}

/// The rows of a table, those columns of them, as a reader gives them.
#[track_caller]
pub fn read(place: &Place, reader: &str, table: &str, columns: &[&str]) -> Vec<String> {
    let url = format!("{}/{table}", place.url);
    let output = readers(place, &["rows", reader, &url]).args(columns).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{reader} reads {url}: {errors}");
    lines(output.stdout)
}

/// The rows of a table that have this value in a column, those columns of them.
#[track_caller]
pub fn read_where(
    place: &Place,
    reader: &str,
    table: &str,
    (column, value): (&str, &Value),
    columns: &[&str],
) -> Result<Vec<String>, String> {
    let url = format!("{}/{table}", place.url);
    let value = value.to_string();
    let mut command = readers(place, &["where", reader, &url, column, &value]);
    let output = command.args(columns).output().unwrap();
    match output.status.success() {
        true => Ok(lines(output.stdout)),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn lines(output: Vec<u8>) -> Vec<String> {
    let mut rows: Vec<String> =
        String::from_utf8(output).unwrap().lines().map(str::to_owned).collect();
    rows.sort();
    rows
}

/// Has somebody else put the small files of a table together. How many went.
#[track_caller]
pub fn optimize(place: &Place, table: &str) -> u64 {
    let url = format!("{}/{table}", place.url);
    let output = readers(place, &["optimize", &url]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "optimize {url}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// A reader in a process of its own that looks at a table again and again. It ends with an error if a row is gone, or there
/// twice.
pub struct Poller {
    process: Child,
    lines: BufReader<std::process::ChildStdout>,
    looks: usize,
}

impl Poller {
    pub fn start(place: &Place, table: &str, columns: &[&str]) -> Self {
        let url = format!("{}/{table}", place.url);
        let mut command = readers(place, &["poll", &url]);
        let mut process =
            command.args(columns).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines, looks: 0 }
    }

    /// How often it has looked, and how many rows the last look has shown; none if it has found a row gone or doubled.
    pub fn rows(&mut self) -> Option<(usize, usize)> {
        let mut line = String::new();
        writeln!(self.process.stdin.as_mut().unwrap(), "look").ok()?;
        self.lines.read_line(&mut line).unwrap();
        let (looks, rows) = line.trim().split_once(' ')?;
        self.looks = looks.parse().unwrap();
        Some((self.looks, rows.parse().unwrap()))
    }

    /// How often it has looked.
    #[track_caller]
    pub fn stop(mut self) -> usize {
        drop(self.process.stdin.take());
        assert!(self.process.wait().unwrap().success(), "a row vanished or came twice");
        self.looks
    }
}
