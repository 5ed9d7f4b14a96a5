//! What a stage's plugin does, by the module that runs: a module that takes another's place begins at zero, and the
//! other's series end.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::instrument::{Counter, Gauge, TimeCounter};
use sluicegate_sandbox::plugin::Plugin;

/// One stage: the module it runs, and how often it got another.
#[derive(Debug)]
pub struct StageMetrics {
    /// Id of the stage in the pipeline file, which labels its series.
    pub id: Arc<str>,
    /// How often a module took another's place.
    pub activations: Counter,
    /// When one last did, wall time in µs since 1970; 0: not since the program started.
    pub activated_micros: Gauge,
    running: ArcSwapOption<ModuleMetrics>,
}

/// What the module of a stage did since it took its place.
#[derive(Debug)]
pub struct ModuleMetrics {
    /// The module, fitted into the stage.
    pub plugin: Plugin,
    /// Calls of the plugin by all workers, failed and repeated ones included.
    pub calls: Counter,
    /// Rows and groups of those calls.
    pub rows: Counter,
    /// Rows that came to the stage, each counted once; neither groups nor timers.
    pub given: Counter,
    /// Those of them that did not go on.
    pub dropped: Counter,
    /// CPU time of these calls, of all workers together.
    pub cpu: TimeCounter,
    /// Calls that ended with a trap of the module, a panic of its code included.
    pub traps: Counter,
    /// Calls that met their deadline.
    pub deadlines: Counter,
    /// Calls whose answer broke the contract.
    pub bad_answers: Counter,
    /// Parts of batches refused without a call, because the circuit breaker was open.
    pub broken: Counter,
    /// Rows that the plugin refused.
    pub rejects: Counter,
    /// Log lines and counts of its own that were dropped.
    pub unheard: Counter,
    /// Linear memory of all instances.
    pub memory_bytes: Gauge,
}

impl StageMetrics {
    pub(super) fn new(id: Arc<str>) -> Self {
        Self {
            id,
            activations: Counter::default(),
            activated_micros: Gauge::default(),
            running: ArcSwapOption::empty(),
        }
    }

    /// The stage runs this plugin from now on. It begins at zero, also when its lane was opened anew.
    pub fn runs(&self, plugin: &Plugin) {
        let goes_on = |module: Arc<ModuleMetrics>| Arc::ptr_eq(&module.plugin.code, &plugin.code);
        if !self.running().is_some_and(goes_on) {
            self.running.store(Some(Arc::new(ModuleMetrics::new(plugin.clone()))));
        }
    }

    /// The module that it runs; none before its lane was first opened.
    pub fn running(&self) -> Option<Arc<ModuleMetrics>> {
        self.running.load_full()
    }

    /// A module took another's place, at this wall time in µs since 1970.
    pub fn activated(&self, wall_micros: i64) {
        self.activations.add(1);
        self.activated_micros.set_micros(wall_micros);
    }
}

impl ModuleMetrics {
    fn new(plugin: Plugin) -> Self {
        Self {
            plugin,
            calls: Counter::default(),
            rows: Counter::default(),
            given: Counter::default(),
            dropped: Counter::default(),
            cpu: TimeCounter::default(),
            traps: Counter::default(),
            deadlines: Counter::default(),
            bad_answers: Counter::default(),
            broken: Counter::default(),
            rejects: Counter::default(),
            unheard: Counter::default(),
            memory_bytes: Gauge::default(),
        }
    }

    /// What the plugin counted itself, by name.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.plugin.code.counters()
    }
}
