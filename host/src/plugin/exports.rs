//! Where the calls of the contract stand in a component.

use std::collections::BTreeSet;

use wasmtime::component::InstancePre;

use super::bindings::exports::sluicegate::plugin::{
    aggregate_rows, filter_rows, lifecycle, map_rows, process_rows,
};
use super::contract::{additions, speaks};
use super::linker::GuestState;
use super::{LIFECYCLE, PluginKind};

/// Looked up once per module.
#[derive(Clone)]
pub(super) struct Exports {
    /// The last number of the version of the contract that the plugin was built for.
    pub(super) additions: u32,
    pub(super) lifecycle: lifecycle::GuestIndices,
    pub(super) filter: Option<filter_rows::GuestIndices>,
    pub(super) map: Option<map_rows::GuestIndices>,
    pub(super) aggregate: Option<aggregate_rows::GuestIndices>,
    pub(super) process: Option<process_rows::GuestIndices>,
}

impl Exports {
    /// Finds the calls of every interface that the component exports.
    pub(super) fn find(
        component: &InstancePre<GuestState>,
        exported: &BTreeSet<String>,
    ) -> wasmtime::Result<Self> {
        let has = |interface: &str| exported.iter().any(|name| speaks(name, interface));
        let versions = exported.iter().filter_map(|name| additions(name, LIFECYCLE));
        Ok(Self {
            // Who exports several is taken for the oldest of them.
            additions: versions.min().unwrap_or(0),
            lifecycle: lifecycle::GuestIndices::new(component)?,
            filter: has("filter-rows")
                .then(|| filter_rows::GuestIndices::new(component))
                .transpose()?,
            map: has("map-rows").then(|| map_rows::GuestIndices::new(component)).transpose()?,
            aggregate: has("aggregate-rows")
                .then(|| aggregate_rows::GuestIndices::new(component))
                .transpose()?,
            process: has("process-rows")
                .then(|| process_rows::GuestIndices::new(component))
                .transpose()?,
        })
    }

    /// Whether the calls of that kind are there.
    pub(super) fn has(&self, kind: PluginKind) -> bool {
        match kind {
            PluginKind::Filter => self.filter.is_some(),
            PluginKind::Map => self.map.is_some(),
            PluginKind::Aggregate => self.aggregate.is_some(),
            PluginKind::Process => self.process.is_some(),
        }
    }
}
