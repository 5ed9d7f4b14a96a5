//! Plugins in native code: a filter that drops texts with `x`, a map that repeats texts, an aggregate that writes down
//! the texts of its group in the order in which it was given them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;

use sluicegate_model::module::PluginKind;
use sluicegate_model::varlen::Varlen;
use sluicegate_model::window::WindowBounds;
use sluicegate_sandbox::module::loaded::LoadedModule;
use sluicegate_sandbox::plugin::answer::*;
use sluicegate_sandbox::plugin::description::*;
use sluicegate_sandbox::plugin::guest::*;
use sluicegate_sandbox::plugin::{Code, PluginError};

pub(super) fn module(name: &str, kind: PluginKind) -> LoadedModule {
    let (code, description) = code(name, kind);
    LoadedModule::native(name, description, code)
}

pub(super) fn code(name: &str, kind: PluginKind) -> (Arc<dyn Code>, Description) {
    let text = PluginColumn { name: "text".to_owned(), data_type: DataType::Utf8, nullable: false };
    let outputs = match kind {
        PluginKind::Filter => Vec::new(),
        PluginKind::Map => vec![text.clone()],
        PluginKind::Aggregate | PluginKind::Keyed => {
            let name = if name == "dated" { "Date" } else { "texts" };
            vec![PluginColumn { name: name.to_owned(), ..text.clone() }]
        }
    };
    let code: Arc<dyn Code> = match kind {
        PluginKind::Keyed if name == "diary" => Arc::new(super::scripts::DIARY),
        PluginKind::Keyed => Arc::new(super::keyed::WATCH),
        PluginKind::Filter if name == "key-by-code" => Arc::new(super::coded::ByCode),
        _ => Arc::new(Texts { kind, rows: if name == "several" { 2 } else { 1 }, cpu_nanos: 0 }),
    };
    let key = PluginColumn { name: "key".to_owned(), ..text.clone() };
    let inputs = match name {
        "key" => vec![key],
        "key-by-code" | "both" => vec![text, key],
        _ => vec![text],
    };
    let description = Description {
        kind,
        sdk: "native".to_owned(),
        inputs,
        outputs,
        keeps_other_columns: true,
        state_version: 1,
        state_fingerprint: 1,
        migrates_from: Vec::new(),
    };
    (code, description)
}

#[derive(Clone)]
struct Texts {
    kind: PluginKind,
    /// Of a group.
    rows: usize,
    /// What it says that it has used.
    cpu_nanos: u64,
}

impl Code for Texts {
    fn instantiate(&self, _: &[(String, String)]) -> Result<Instance, PluginError> {
        let guest = Box::new(self.clone());
        Ok(match self.kind {
            PluginKind::Filter => Instance::Filter(guest),
            PluginKind::Map => Instance::Map(guest),
            PluginKind::Aggregate | PluginKind::Keyed => Instance::Aggregate(guest),
        })
    }
}

pub(super) fn texts(rows: &RecordBatch) -> Vec<&str> {
    rows.column(0).as_string::<i32>().iter().map(|text| text.expect("not nullable")).collect()
}

pub(super) fn batch(name: &str, texts: Vec<String>) -> RecordBatch {
    let column: ArrayRef = Arc::new(StringArray::from(texts));
    RecordBatch::try_from_iter_with_nullable([(name, column, false)]).unwrap()
}

impl Guest for Texts {
    fn usage(&self) -> Usage {
        Usage { cpu_nanos: self.cpu_nanos, ..Usage::default() }
    }
}

impl FilterGuest for Texts {
    fn filter(&mut self, rows: &RecordBatch) -> Result<FilterAnswer, PluginError> {
        let texts = texts(rows);
        if texts.iter().any(|text| text.contains("trap")) {
            return Err(PluginError::Trap("a text with `trap`".to_owned()));
        }
        if texts.iter().any(|text| text.contains("slow")) {
            self.cpu_nanos += 1_000_000_000;
            return Err(PluginError::Deadline { limit_ms: 200 });
        }
        // Faults of the host, which have no better place.
        assert!(!texts.iter().any(|text| text.contains("panic")), "a text with `panic`");
        assert!(texts.iter().filter(|text| text.contains("crowd")).count() < 2, "a crowd");
        let keep = texts.iter().map(|text| !text.contains('x')).collect::<Vec<_>>().into();
        Ok(FilterAnswer { keep, rejects: Vec::new() })
    }
}

impl MapGuest for Texts {
    fn map(&mut self, rows: &RecordBatch) -> Result<MapAnswer, PluginError> {
        let (mut made, mut source_rows) = (Vec::new(), Vec::new());
        for (row, text) in texts(rows).into_iter().enumerate() {
            let number = text
                .strip_prefix("times")
                .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
            let times = match number.and_then(|number| number.parse().ok()) {
                Some(number) => number,
                None if text.contains("none") => 0,
                None => 1 + usize::from(text.contains("twice")),
            };
            for time in 0..times {
                made.push(format!("{text}{time}"));
                source_rows.push(row as u32);
            }
        }
        Ok(MapAnswer { batch: batch("text", made), source_rows, rejects: Vec::new() })
    }
}

impl AggregateGuest for Texts {
    fn update(
        &mut self,
        rows: &RecordBatch,
        groups: &[u32],
        states: &Varlen,
    ) -> Result<UpdateAnswer, PluginError> {
        let mut states: Vec<Vec<u8>> = states.iter().map(<[u8]>::to_vec).collect();
        let mut rejects = Vec::new();
        for (row, (text, group)) in texts(rows).into_iter().zip(groups).enumerate() {
            if text.contains("reject") {
                rejects.push(Reject { row: row as u32, reason: "a text with `reject`".to_owned() });
            } else {
                states[*group as usize].extend_from_slice(format!("{text};").as_bytes());
            }
        }
        Ok(UpdateAnswer { states: states.iter().map(Vec::as_slice).collect(), rejects })
    }

    fn merge(&mut self, left: &Varlen, right: &Varlen) -> Result<Varlen, PluginError> {
        let merged = left.iter().zip(right.iter()).map(|(left, right)| [left, right].concat());
        let merged: Vec<Vec<u8>> = merged.collect();
        Ok(merged.iter().map(Vec::as_slice).collect())
    }

    fn evaluate(
        &mut self,
        _: &[WindowBounds],
        states: &Varlen,
    ) -> Result<EvaluateAnswer, PluginError> {
        if states.iter().any(|state| state.windows(11).any(|part| part == b"unspeakable")) {
            return Err(PluginError::Trap("a state with `unspeakable`".to_owned()));
        }
        let has = |text: &[u8]| {
            states.iter().any(|state| state.windows(text.len()).any(|part| part == text))
        };
        // A fault of the host, which has no better place.
        assert!(!has(b"fatal"), "a state with `fatal`");
        if has(b"weary") {
            self.cpu_nanos += 1_000_000_000;
        }
        let text = |state: &[u8]| String::from_utf8(state.to_vec()).unwrap();
        let again = |group: usize| std::iter::repeat_n(group, self.rows);
        let groups: Vec<usize> = (0..states.len()).flat_map(again).collect();
        let texts = groups.iter().map(|group| text(states.value(*group))).collect();
        Ok(EvaluateAnswer {
            batch: batch("texts", texts),
            groups: groups.into_iter().map(|group| group as u32).collect(),
        })
    }
}

impl StatefulGuest for Texts {
    fn migrate(&mut self, _: u32, _: &Varlen) -> Result<Varlen, PluginError> {
        unreachable!("one version only")
    }
}
