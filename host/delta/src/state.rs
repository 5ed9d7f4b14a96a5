//! What a writer has to know of a log: how far it goes, what the table is, how far each writer has come. Not its files.

use std::collections::BTreeMap;

use super::actions::{Line, Metadata, Protocol};

/// A log up to a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogState {
    /// The last commit; none if there is no table yet.
    pub version: Option<u64>,
    /// The last of them counts.
    pub protocol: Option<Protocol>,
    /// The last of them counts.
    pub metadata: Option<Metadata>,
    /// How far each writer has come, by its id.
    pub txns: BTreeMap<String, i64>,
    /// The last checkpoint that is known.
    pub checkpoint: Option<u64>,
}

impl LogState {
    /// The version that is free next.
    pub fn next_version(&self) -> u64 {
        self.version.map_or(0, |version| version + 1)
    }

    /// Takes note of the commit of a version, or of the rows of its checkpoint.
    pub fn apply(&mut self, version: u64, lines: &[Line]) {
        self.version = Some(version);
        for line in lines {
            self.protocol = line.protocol.clone().or_else(|| self.protocol.take());
            self.metadata = line.meta_data.clone().or_else(|| self.metadata.take());
            if let Some(txn) = &line.txn {
                self.txns.insert(txn.app_id.clone(), txn.version);
            }
        }
    }
}
