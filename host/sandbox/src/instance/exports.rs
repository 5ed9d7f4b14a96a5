//! Where the calls of the contract stand in a component.

use std::collections::BTreeSet;
use std::sync::Arc;

use wasmtime::component::InstancePre;

use super::linker::GuestState;
use crate::contract::LIFECYCLE;
use crate::contract::bindings::exports::sluicegate::plugin::{
    aggregate_rows, filter_coded_rows, filter_rows, lifecycle, map_rows, process_rows,
};
use crate::contract::{additions, speaks};
use sluicegate_model::module::PluginKind;

/// Looked up once per module.
#[derive(Clone)]
pub(crate) struct Exports {
    /// The last number of the version of the contract that the plugin was built for.
    pub(crate) additions: u32,
    pub(crate) lifecycle: lifecycle::GuestIndices,
    /// Of every kind whose calls are there: which of them the plugin is, its description says.
    kinds: Vec<KindExports>,
}

/// Where the calls of one kind stand in a component.
#[derive(Clone)]
pub(crate) enum KindExports {
    Filter(FilterExports),
    Map(map_rows::GuestIndices),
    Aggregate(aggregate_rows::GuestIndices),
    Keyed(process_rows::GuestIndices),
}

/// Where the calls of a filter stand.
#[derive(Clone)]
pub(crate) struct FilterExports {
    pub(crate) rows: filter_rows::GuestIndices,
    /// None: it was built for a version that has no texts by code.
    pub(crate) coded: Option<filter_coded_rows::GuestIndices>,
    /// The inputs that it wants by code; checked.
    pub(crate) wanted: Arc<[usize]>,
}

impl Exports {
    /// Finds the calls of every interface that the component exports.
    pub(crate) fn find(
        component: &InstancePre<GuestState>,
        exported: &BTreeSet<String>,
    ) -> wasmtime::Result<Self> {
        let has = |interface: &str| exported.iter().any(|name| speaks(name, interface));
        let versions = exported.iter().filter_map(|name| additions(name, LIFECYCLE));
        let mut kinds = Vec::with_capacity(1);
        if has("filter-rows") {
            let rows = filter_rows::GuestIndices::new(component)?;
            let coded = has("filter-coded-rows")
                .then(|| filter_coded_rows::GuestIndices::new(component))
                .transpose()?;
            kinds.push(KindExports::Filter(FilterExports { rows, coded, wanted: Arc::default() }));
        }
        if has("map-rows") {
            kinds.push(KindExports::Map(map_rows::GuestIndices::new(component)?));
        }
        if has("aggregate-rows") {
            kinds.push(KindExports::Aggregate(aggregate_rows::GuestIndices::new(component)?));
        }
        if has("process-rows") {
            kinds.push(KindExports::Keyed(process_rows::GuestIndices::new(component)?));
        }
        Ok(Self {
            // Who exports several is taken for the oldest of them.
            additions: versions.min().unwrap_or(0),
            lifecycle: lifecycle::GuestIndices::new(component)?,
            kinds,
        })
    }

    /// The calls of that kind, if they are there.
    pub(crate) fn of(&self, kind: PluginKind) -> Option<&KindExports> {
        self.kinds.iter().find(|exports| exports.kind() == kind)
    }
}

impl KindExports {
    fn kind(&self) -> PluginKind {
        match self {
            Self::Filter(_) => PluginKind::Filter,
            Self::Map(_) => PluginKind::Map,
            Self::Aggregate(_) => PluginKind::Aggregate,
            Self::Keyed(_) => PluginKind::Keyed,
        }
    }
}
