//! The commit chain of a job, read as a stranger would: JSON objects in a store. What it says is checked for its own
//! consistency on every look.

use std::collections::BTreeMap;

use serde_json::Value;

use super::place::Place;

/// The newest record of a job's lane.
pub struct Head(Value);

/// One number per fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fates {
    pub read: u64,
    pub accepted: u64,
    pub filtered: u64,
    pub late: u64,
    pub dead_lettered: u64,
}

/// All records of a job's chain, ascending. Panics if a number is missing or an epoch's fates do not add up.
pub fn records(place: &Place) -> Vec<Head> {
    let records = kept(place);
    for (number, record) in records.iter().enumerate() {
        assert_eq!(record.epoch(), u64::try_from(number).unwrap(), "a gap in the chain");
    }
    records
}

/// The records that are left of a job's chain after old ones were let go, ascending: the genesis, and the newest without a
/// gap. Panics if an epoch's fates do not add up.
pub fn kept(place: &Place) -> Vec<Head> {
    let paths = place.list("chain");
    let slots: Vec<_> =
        paths.iter().filter(|path| path.contains("/chain/") && path.ends_with(".json")).collect();
    let records: Vec<_> =
        slots.iter().map(|path| Head(serde_json::from_slice(&place.read(path)).unwrap())).collect();
    for record in &records {
        let epoch = record.epoch();
        for partition in record.0["source"]["partitions"].as_array().unwrap() {
            let fates = fates(&partition["fates"]);
            let told = fates.accepted + fates.filtered + fates.late + fates.dead_lettered;
            assert_eq!(fates.read, told, "epoch {epoch}, partition {partition}: {fates:?}");
        }
    }
    let newest = records.iter().skip(1);
    for (one, next) in newest.clone().zip(newest.skip(1)) {
        assert_eq!(one.epoch() + 1, next.epoch(), "a gap in the chain");
    }
    records
}

/// The newest record of a job whose old ones may have been let go; none before the genesis. Reads that one only.
pub fn newest(place: &Place) -> Option<Head> {
    let paths = place.list("chain");
    let slots = paths.iter().filter(|path| path.contains("/chain/") && path.ends_with(".json"));
    slots.max().map(|path| Head(serde_json::from_slice(&place.read(path)).unwrap()))
}

/// The fates in a JSON object.
pub fn fates(json: &Value) -> Fates {
    let count = |fate: &str| json[fate].as_u64().unwrap();
    Fates {
        read: count("read"),
        accepted: count("accepted"),
        filtered: count("filtered"),
        late: count("late"),
        dead_lettered: count("dead_lettered"),
    }
}

impl Fates {
    /// What came since `earlier`; none if a fate was taken back.
    pub fn since(&self, earlier: &Self) -> Option<Self> {
        Some(Self {
            read: self.read.checked_sub(earlier.read)?,
            accepted: self.accepted.checked_sub(earlier.accepted)?,
            filtered: self.filtered.checked_sub(earlier.filtered)?,
            late: self.late.checked_sub(earlier.late)?,
            dead_lettered: self.dead_lettered.checked_sub(earlier.dead_lettered)?,
        })
    }
}

/// The newest record; none before the genesis.
pub fn head(place: &Place) -> Option<Head> {
    records(place).pop()
}

impl Head {
    /// Its number.
    pub fn epoch(&self) -> u64 {
        self.0["epoch"].as_u64().unwrap()
    }

    /// Whether the bounded input was read to its end.
    pub fn ended(&self) -> bool {
        self.0["source"]["ended"].as_bool().unwrap()
    }

    /// The opening of the lane that wrote it.
    pub fn term(&self) -> u64 {
        self.0["term"].as_u64().unwrap()
    }

    /// Partition number → next offset.
    pub fn positions(&self) -> BTreeMap<i64, i64> {
        let partitions = self.0["source"]["partitions"].as_array().unwrap();
        partitions
            .iter()
            .map(|partition| {
                let next = &partition["next_offset"];
                (partition["number"].as_i64().unwrap(), next.as_i64().unwrap())
            })
            .collect()
    }

    /// The lane's watermark, µs; none if nothing was seen or everything.
    pub fn watermark(&self) -> Option<i64> {
        self.0["watermark"]["at"].as_i64()
    }

    /// Open groups in the state.
    pub fn groups(&self) -> u64 {
        self.0["state"]["groups"].as_u64().unwrap_or(0)
    }

    /// Partition number → fates of its records. Not for files, which all have the same number.
    pub fn fates_by_partition(&self) -> BTreeMap<i64, Fates> {
        let partitions = self.0["source"]["partitions"].as_array().unwrap();
        let fates = |one: &Value| (one["number"].as_i64().unwrap(), fates(&one["fates"]));
        partitions.iter().map(fates).collect()
    }

    /// All partitions together.
    pub fn fates(&self) -> Fates {
        let partitions = self.0["source"]["partitions"].as_array().unwrap();
        let finished = self.0["source"].get("finished");
        let sum = |fate: &str| {
            let all = partitions.iter().chain(finished);
            all.map(|partition| partition["fates"][fate].as_u64().unwrap()).sum()
        };
        Fates {
            read: sum("read"),
            accepted: sum("accepted"),
            filtered: sum("filtered"),
            late: sum("late"),
            dead_lettered: sum("dead_lettered"),
        }
    }

    /// Files of this record, rows in them, and their bytes.
    pub fn written(&self) -> (u64, u64, u64) {
        let files = self.0["files"].as_array().unwrap();
        let sum = |of: &str| files.iter().map(|file| file[of].as_u64().unwrap()).sum();
        (files.len() as u64, sum("rows"), sum("bytes"))
    }

    /// Rows of this record's files in a table.
    pub fn rows(&self, table: &str) -> u64 {
        let files = self.0["files"].as_array().unwrap().iter();
        let files = files.filter(|file| file["table"] == table);
        files.map(|file| file["rows"].as_u64().unwrap()).sum()
    }

    /// Size of the stored state; 0 without open groups.
    pub fn state_bytes(&self) -> u64 {
        self.0["state"]["bytes"].as_u64().unwrap_or(0)
    }

    /// The pieces of the stored state, the oldest first: path, whether it is a delta, bytes. None without open groups.
    pub fn pieces(&self) -> impl Iterator<Item = (String, bool, u64)> {
        let state = &self.0["state"];
        let first = state.as_object().map(|_| state);
        let pieces = first.into_iter().chain(state["then"].as_array().into_iter().flatten());
        pieces.map(|piece| {
            let key = piece["key"].as_str().unwrap().to_owned();
            (key, piece["delta"] == true, piece["bytes"].as_u64().unwrap())
        })
    }

    /// Paths of this record's files in a table, from the place's root.
    pub fn files(&self, table: &str) -> Vec<String> {
        let files = self.0["files"].as_array().unwrap();
        files
            .iter()
            .filter(|file| file["table"] == table)
            .map(|file| format!("{table}/{}", file["path"].as_str().unwrap()))
            .collect()
    }

    /// The version of the state of the module that a stage runs from this record on.
    pub fn state_version(&self, stage: &str) -> u64 {
        let modules = self.0["modules"].as_array().unwrap();
        let pinned = modules.iter().find(|module| module["stage"] == stage).unwrap();
        pinned["state_version"].as_u64().unwrap()
    }

    /// The digest of the module that a stage runs from this record on.
    pub fn module(&self, stage: &str) -> Option<String> {
        let modules = self.0["modules"].as_array().unwrap();
        let pinned = modules.iter().find(|module| module["stage"] == stage)?;
        Some(pinned["digest"].as_str().unwrap().to_owned())
    }
}
