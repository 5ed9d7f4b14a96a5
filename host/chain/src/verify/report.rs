//! What a comparison of a chain with its store came to: findings, each of a matter.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// More of them say nothing that the first do not; all are counted.
const FINDINGS_MAX: usize = 1_000;

/// What is the matter with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Matter {
    /// A record names it, and it is not there.
    Missing,
    /// It is not what a record says.
    Damaged,
    /// It is this chain's, and no record names it: readers of the table see its rows. The next start removes it.
    LeftOver,
    /// It has the pipeline's name and another chain's, or none that a record proves.
    Foreign,
    /// It is of a chain of this pipeline that was `reset` and whose data were kept, and no log of a table names it.
    Earlier,
    /// It is of an epoch that is being committed, or that a dead process has left, or whose record cannot be read.
    Undecided,
}

impl Matter {
    /// Whether the chain and what it names are not whole.
    pub fn is_defect(self) -> bool {
        matches!(self, Self::Missing | Self::Damaged | Self::LeftOver)
    }
}

impl fmt::Display for Matter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Damaged => "damaged",
            Self::LeftOver => "left over",
            Self::Foreign => "foreign",
            Self::Earlier => "earlier",
            Self::Undecided => "undecided",
        })
    }
}

/// An object that is not as it would be in a store that holds this chain and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// By what it is counted.
    pub matter: Matter,
    /// The object: `record of epoch 7`, `state/…`, `table: path`.
    pub object: String,
    /// What was expected and what was found, for a person; may be empty.
    pub detail: String,
}

/// What a comparison came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Records that were read, the genesis included.
    pub epochs: u64,
    /// Epochs whose records are not there any more, because they are old: nothing tells their data files' sizes and hashes.
    pub let_go: u64,
    /// Data files of those epochs, which are theirs by their names.
    pub by_name: u64,
    /// Data files of chains that were `reset`, which the logs of their tables name: they are in the tables, and stay.
    pub kept: u64,
    /// States and outboxes that were compared.
    pub blobs: u64,
    /// Data files that records name.
    pub files: u64,
    /// Bytes of those data files, by the records.
    pub bytes: u64,
    /// Whether hashes were compared, and not only sizes.
    pub hashed: bool,
    /// How many findings there are of each matter.
    pub counts: BTreeMap<Matter, u64>,
    /// The first of them, in the order of the epochs: a broken store has too many for one answer.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether something is missing, damaged or left over.
    pub fn has_defects(&self) -> bool {
        self.counts.keys().any(|matter| matter.is_defect())
    }

    /// Adds a finding.
    pub fn add(&mut self, matter: Matter, object: impl Into<String>, detail: impl Into<String>) {
        *self.counts.entry(matter).or_default() += 1;
        if self.findings.len() < FINDINGS_MAX {
            let (object, detail) = (object.into(), detail.into());
            self.findings.push(Finding { matter, object, detail });
        }
    }
}
