//! What a module is known by, and which kinds of plugins there are.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// SHA-256 of a module's bytes: its identity (docs/design/decisions.md#d18). Shown as 64 hex
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleDigest(pub [u8; 32]);

/// What kind of stage a plugin can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginKind {
    /// Answers for each row whether it goes on.
    Filter,
    /// Makes any number of rows of each.
    Map,
    /// Folds the rows of each group into an accumulator, which it evaluates when a window fires.
    Aggregate,
    /// Keeps state per key and acts in event time. People call this kind `process`, in files and in records.
    #[serde(rename = "process")]
    Keyed,
}

/// A place for a plugin, as the pipeline file describes it.
#[derive(Clone, Copy, Debug)]
pub struct StagePlace<'a> {
    /// Its `id` in the pipeline file, for messages.
    pub stage: &'a str,
    /// What kind of plugin it takes.
    pub kind: PluginKind,
    /// What the plugin's `init` is given.
    pub config: &'a [(String, String)],
    /// The column that an input of the plugin reads, where that has another name.
    pub columns: &'a BTreeMap<String, String>,
}

impl<'a> StagePlace<'a> {
    /// The name of the column that an input of the plugin reads.
    pub fn column_of<'n>(&self, input: &'n str) -> &'n str
    where
        'a: 'n,
    {
        self.columns.get(input).map_or(input, String::as_str)
    }
}

impl PluginKind {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Filter, Self::Map, Self::Aggregate, Self::Keyed];

    /// As pipeline files have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Map => "map",
            Self::Aggregate => "aggregate",
            Self::Keyed => "process",
        }
    }
}

impl ModuleDigest {
    /// The first 12 hex digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for ModuleDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ModuleDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for ModuleDigest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a module digest: 64 hex digits");
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(digest))
    }
}

impl Serialize for ModuleDigest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ModuleDigest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
