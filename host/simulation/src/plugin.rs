//! The plugins of stories, in native code. An aggregate writes down the ids of its group in the order in which it was given
//! them; the process plugin is [`super::diary_plugin`].

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use sluicegate_model::module::PluginKind;
use sluicegate_model::varlen::Varlen;
use sluicegate_model::window::WindowBounds;
use sluicegate_sandbox::module::loaded::LoadedModule;
use sluicegate_sandbox::plugin::answer::{EvaluateAnswer, UpdateAnswer};
use sluicegate_sandbox::plugin::description::{Description, PluginColumn};
use sluicegate_sandbox::plugin::guest::{AggregateGuest, Guest, Instance, StatefulGuest, Usage};
use sluicegate_sandbox::plugin::{Code, PluginError};

use super::diary_plugin::{DiaryOfKeys, OUTPUT};

/// Of each kind two modules that do the same, so that one may take the place of the other whenever it likes. Their bytes are
/// their names.
pub(crate) const NAMES: [&str; 4] = ["ids", "ids-too", "diary", "diary-too"];

/// The one of that name.
pub(crate) fn module(name: &str) -> LoadedModule {
    let column = |name: &str| PluginColumn {
        name: name.to_owned(),
        data_type: DataType::Utf8,
        nullable: false,
    };
    let (kind, code): (_, Arc<dyn Code>) = match name.starts_with("diary") {
        true => (PluginKind::Keyed, Arc::new(DiaryOfKeys)),
        false => (PluginKind::Aggregate, Arc::new(Ids)),
    };
    let description = Description {
        kind,
        sdk: "native".to_owned(),
        inputs: vec![column("id")],
        outputs: vec![column(OUTPUT)],
        keeps_other_columns: true,
        state_version: 1,
        state_fingerprint: 1,
        migrates_from: Vec::new(),
    };
    LoadedModule::native(name, description, code)
}

struct Ids;

impl Code for Ids {
    fn instantiate(&self, _: &[(String, String)]) -> Result<Instance, PluginError> {
        Ok(Instance::Aggregate(Box::new(Self)))
    }
}

impl Guest for Ids {
    fn usage(&self) -> Usage {
        Usage::default()
    }
}

impl AggregateGuest for Ids {
    fn update(
        &mut self,
        rows: &RecordBatch,
        groups: &[u32],
        states: &Varlen,
    ) -> Result<UpdateAnswer, PluginError> {
        let mut states: Vec<Vec<u8>> = states.iter().map(<[u8]>::to_vec).collect();
        for (id, group) in rows.column(0).as_string::<i32>().iter().zip(groups) {
            let state = &mut states[*group as usize];
            state.extend_from_slice(id.unwrap_or_default().as_bytes());
            state.push(b';');
        }
        let states = states.iter().map(Vec::as_slice).collect();
        Ok(UpdateAnswer { states, rejects: Vec::new() })
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
        let texts = states.iter().map(|state| Some(String::from_utf8_lossy(state)));
        let column: ArrayRef = Arc::new(texts.collect::<StringArray>());
        let batch = RecordBatch::try_from_iter_with_nullable([(OUTPUT, column, false)]);
        let groups = (0..).take(states.len()).collect();
        Ok(EvaluateAnswer { batch: batch.expect("one column"), groups })
    }
}

impl StatefulGuest for Ids {
    fn migrate(&mut self, _: u32, _: &Varlen) -> Result<Varlen, PluginError> {
        unreachable!("one version only")
    }
}
