//! The files that were read to their end, as a set that stays small in the chain: names that count upwards are one run,
//! and many runs are packed.
//!
//! ```text
//!  part-00000.json … part-99999.json       ["part-","00000",".json",99999]
//!  2026-01-01.json … 2026-01-31.json       ["2026-01-","01",".json",30]
//!  b5c0…9f.json                            ["b5c0…9f.json"]
//! ```
//!
//! The set is exact: a new file whose name lies between those of finished ones is new.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::fates::Fates;

/// Runs that take more room as they are, in bytes, are packed.
const PLAIN_BYTES_MAX: usize = 4 << 10;

/// What a packed set unpacks to at most: ten million names of a hundred bytes.
const UNPACKED_BYTES_MAX: u64 = 1 << 30;

/// What all names may cost in memory: a run of a few bytes stands for any number of them.
const NAMES_BYTES_MAX: u64 = 4 << 30;

/// Digits of a number in a name: no store takes names that are longer.
const DIGITS_MAX: usize = 1_024;

/// Much is gained by the first levels: names resemble each other.
const PACK_LEVEL: i32 = 3;

/// The names of finished files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FinishedFiles {
    names: BTreeSet<Arc<str>>,
}

/// The same in a chain record, with what became of their records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinishedRecord {
    /// How many files were read to their end.
    pub files: u64,
    /// Their records since the genesis by fate.
    pub fates: Fates,
    /// Ascending. Empty if they are packed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    runs: Vec<Run>,
    /// The runs as JSON, zstd, Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    packed: Option<String>,
}

/// Names that differ by a number only, which counts upwards with a fixed number of digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Run {
    One((String,)),
    /// What stands before the first number, that number, what stands behind it, and how many names follow.
    Many((String, String, String, u64)),
}

impl Run {
    /// Of all its names, with what each costs in memory.
    fn bytes(&self) -> u64 {
        const OF_A_NAME: u64 = 32;
        match self {
            Self::One((name,)) => OF_A_NAME + name.len() as u64,
            Self::Many((before, first, behind, more)) => {
                let each = OF_A_NAME + (before.len() + first.len() + behind.len()) as u64;
                each.saturating_mul(more.saturating_add(1))
            }
        }
    }
}

/// A packed set that cannot be unpacked.
#[derive(Debug, thiserror::Error)]
#[error("the set of finished files cannot be unpacked: {reason}")]
pub struct DamagedSet {
    reason: String,
}

impl FinishedFiles {
    /// Whether a file was read to its end.
    pub fn contains(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Adds a file by its name in its store. One that is there already stays once.
    pub fn insert(&mut self, name: Arc<str>) {
        self.names.insert(name);
    }

    /// How many files the set holds, each once.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True if no file was finished, as in every chain over Kafka.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// As a chain record has it; none if there is none.
    pub fn freeze(&self, fates: Fates) -> Option<FinishedRecord> {
        if self.is_empty() {
            return None;
        }
        let files = self.names.len() as u64;
        let runs = runs(self.names.iter().map(|name| &**name));
        let json = serde_json::to_vec(&runs).expect("a run holds nothing that JSON lacks");
        if json.len() <= PLAIN_BYTES_MAX {
            return Some(FinishedRecord { files, fates, runs, packed: None });
        }
        let packed =
            zstd::encode_all(json.as_slice(), PACK_LEVEL).expect("memory takes everything");
        Some(FinishedRecord {
            files,
            fates,
            runs: Vec::new(),
            packed: Some(STANDARD.encode(packed)),
        })
    }

    /// What a chain record has.
    ///
    /// # Errors
    /// The record holds something else.
    pub fn thaw(record: &FinishedRecord) -> Result<Self, DamagedSet> {
        let damaged = |reason: String| DamagedSet { reason };
        let unpacked;
        let runs = match &record.packed {
            None => &record.runs,
            Some(packed) => {
                unpacked = unpack(packed)?;
                &unpacked
            }
        };
        let mut names = BTreeSet::new();
        let mut bytes: u64 = 0;
        for run in runs {
            bytes = bytes.saturating_add(run.bytes());
            if bytes > NAMES_BYTES_MAX {
                return Err(damaged(format!("its names have more than {NAMES_BYTES_MAX} bytes")));
            }
            match run {
                Run::One((name,)) => _ = names.insert(Arc::from(name.as_str())),
                Run::Many((before, first, behind, more)) => {
                    let width = first.len();
                    let start = first.parse::<u64>().ok().filter(|_| width <= DIGITS_MAX);
                    let start = start.ok_or_else(|| damaged("a run has no number".to_owned()))?;
                    if record.files <= *more {
                        return Err(damaged(format!("{more} names follow, of {}", record.files)));
                    }
                    names.extend((0..=*more).map(|step| {
                        let number = start.saturating_add(step);
                        Arc::from(format!("{before}{number:0width$}{behind}"))
                    }));
                }
            }
        }
        if names.len() as u64 == record.files {
            Ok(Self { names })
        } else {
            Err(damaged(format!("it holds {} names of {}", names.len(), record.files)))
        }
    }
}

fn unpack(packed: &str) -> Result<Vec<Run>, DamagedSet> {
    let damaged = |reason: String| DamagedSet { reason };
    let bytes = STANDARD.decode(packed).map_err(|error| damaged(error.to_string()))?;
    let io = |error: io::Error| damaged(error.to_string());
    let unpacked = zstd::Decoder::new(bytes.as_slice()).map_err(io)?;
    let unpacked = io::Read::take(unpacked, UNPACKED_BYTES_MAX);
    serde_json::from_reader(io::BufReader::new(unpacked))
        .map_err(|error| damaged(error.to_string()))
}

/// Folds names, ascending, into runs.
fn runs<'n>(names: impl Iterator<Item = &'n str>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut last: Option<&str> = None;
    for name in names {
        let before = last.replace(name);
        if let (Some(before), Some(run)) = (before, runs.last_mut())
            && continues(run, before, name)
        {
            continue;
        }
        runs.push(Run::One((name.to_owned(),)));
    }
    runs
}

/// Adds `name` to a run whose last name is `before`, if it is the next one of it.
fn continues(run: &mut Run, before: &str, name: &str) -> bool {
    match run {
        Run::One(_) => {
            let Some((start, end)) = step(before, name) else { return false };
            let part = |text: &str| text.to_owned();
            *run = Run::Many((
                part(&before[..start]),
                part(&before[start..end]),
                part(&before[end..]),
                1,
            ));
            true
        }
        Run::Many((prefix, first, suffix, more)) => {
            let range = (prefix.len(), prefix.len() + first.len());
            let is_next = step(before, name) == Some(range) && before.ends_with(suffix.as_str());
            if is_next {
                *more += 1;
            }
            is_next
        }
    }
}

/// Where the number stands that is one more in `name` than in `before`, if that is their only difference: the last
/// digits that differ, and all digits around them.
fn step(before: &str, name: &str) -> Option<(usize, usize)> {
    if before.len() != name.len() {
        return None;
    }
    let (one, other) = (before.as_bytes(), name.as_bytes());
    let first = one.iter().zip(other).position(|(one, other)| one != other)?;
    let digits = |at: &usize| one[*at].is_ascii_digit() && other[*at].is_ascii_digit();
    if !digits(&first) {
        return None;
    }
    let start = (0..first).rev().take_while(digits).last().unwrap_or(first);
    let end = (first..one.len()).take_while(digits).last()? + 1;
    let number = |text: &str| text[start..end].parse::<u64>().ok();
    let is_next = number(before)?.checked_add(1)? == number(name)? && one[end..] == other[end..];
    is_next.then_some((start, end))
}

#[cfg(test)]
mod tests;
