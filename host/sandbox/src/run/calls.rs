//! Single calls of a stage's plugin: an instance when one is needed, none after a failure, and the counts.

use std::sync::Arc;

use super::brake::Brake;
use super::isolate::{CallFailure, Course, Haste};
use crate::plugin::guest::{
    AggregateGuest, FilterGuest, Guest, Instance, KeyedGuest, MapGuest, StatefulGuest, Usage,
};
use crate::plugin::{Plugin, PluginError};
use sluicegate_model::refusal::{Refusal, RefusalKind};
use sluicegate_model::time::thread_cpu_nanos;

/// What a runner has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunnerStats {
    /// Calls of the plugin, those that failed too.
    pub calls: u64,
    /// Rows and groups of those calls.
    pub rows: u64,
    /// CPU time of the plugin, nanoseconds.
    pub cpu_nanos: u64,
    /// Calls that trapped, and instances that could not be made.
    pub traps: u64,
    /// Calls that were too slow.
    pub deadlines: u64,
    /// Answers that broke the contract.
    pub answers: u64,
    /// Rows that the plugin itself refused.
    pub rejects: u64,
    /// Rows that came to the stage, each counted once, whatever it took to find the guilty among them. Groups and timers are
    /// not in it.
    pub given: u64,
    /// Those of them that did not go on: filtered, refused, or rows that a map made nothing of.
    pub dropped: u64,
    /// Parts of batches that were refused whole, because the circuit breaker was open.
    pub broken: u64,
    /// Instances made since the runner began, replacements after failures included.
    pub instances: u64,
    /// Memory of the present instance.
    pub memory_bytes: u64,
    /// Log lines and counts of the plugin that were dropped.
    pub unheard: u64,
}

/// A kind of guest, as a runner of that kind takes it out of an [`Instance`].
pub trait GuestKind: Guest {
    /// The guest; none if it is of another kind.
    fn of(instance: Instance) -> Option<Box<Self>>;
}

macro_rules! kinds {
    ($($variant:ident: $guest:ident),*) => {
        $(impl GuestKind for dyn $guest {
            fn of(instance: Instance) -> Option<Box<Self>> {
                match instance {
                    Instance::$variant(guest) => Some(guest),
                    _ => None,
                }
            }
        })*
    };
}

kinds!(Filter: FilterGuest, Map: MapGuest, Aggregate: AggregateGuest, Keyed: KeyedGuest);

impl GuestKind for dyn StatefulGuest {
    fn of(instance: Instance) -> Option<Box<Self>> {
        match instance {
            Instance::Aggregate(guest) => Some(guest),
            Instance::Keyed(guest) => Some(guest),
            Instance::Filter(_) | Instance::Map(_) => None,
        }
    }
}

/// The plugin, its present instance, and what came of the calls.
pub(crate) struct Calls<G: ?Sized> {
    plugin: Plugin,
    instance: Option<Box<G>>,
    /// What the present instance had used when it was last asked.
    seen: Usage,
    stats: RunnerStats,
    /// The most CPU time that a call took which went well.
    longest_nanos: u64,
    cpu: CpuTime,
    /// Is told what calls cost.
    brake: Brake,
}

/// CPU time of the calling thread, nanoseconds; a test has its own.
pub(crate) type CpuTime = Arc<dyn Fn() -> u64 + Send + Sync>;

impl<G: GuestKind + ?Sized> Calls<G> {
    /// No call yet, and no instance.
    pub(crate) fn new(plugin: &Plugin) -> Self {
        Self {
            plugin: plugin.clone(),
            instance: None,
            seen: Usage::default(),
            stats: RunnerStats::default(),
            longest_nanos: 0,
            cpu: Arc::new(thread_cpu_nanos),
            brake: Brake::default(),
        }
    }

    pub(crate) fn set_brake(&mut self, brake: Brake) {
        self.brake = brake;
    }

    /// The same, by other CPU time.
    #[cfg(test)]
    pub(crate) fn set_cpu(&mut self, cpu: CpuTime) {
        self.cpu = cpu;
    }

    pub(crate) fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    pub(crate) fn stats(&self) -> RunnerStats {
        self.stats
    }

    /// One call, of `rows` rows or groups.
    pub(crate) fn call<A>(
        &mut self,
        rows: usize,
        haste: Haste,
        call: impl FnOnce(&mut G) -> Result<A, PluginError>,
    ) -> Result<A, CallFailure> {
        let used = self.instance.is_some();
        let began = (self.cpu)();
        let instance = match &mut self.instance {
            Some(instance) => instance,
            none => match start(&self.plugin) {
                Ok(instance) => {
                    self.stats.instances += 1;
                    self.seen = Usage::default();
                    none.insert(instance)
                }
                Err(fault) => {
                    self.count(&fault);
                    let nanos = (self.cpu)().saturating_sub(began);
                    self.brake.called(nanos);
                    return Err(CallFailure { fault, hopeless: true, used, nanos });
                }
            },
        };
        instance.hurry((haste == Haste::Great).then_some(self.longest_nanos));
        let result = call(instance.as_mut());
        let usage = instance.usage();
        self.stats.calls += 1;
        self.stats.rows += rows as u64;
        let own_nanos = usage.cpu_nanos - self.seen.cpu_nanos;
        self.stats.cpu_nanos += own_nanos;
        self.stats.unheard += usage.unheard - self.seen.unheard;
        self.stats.memory_bytes = usage.memory_bytes;
        self.seen = usage;
        // The plugin's own time, and what the host had to do around it.
        let nanos = (self.cpu)().saturating_sub(began).max(own_nanos);
        self.brake.called(nanos);
        match result {
            Ok(answer) => {
                self.longest_nanos = self.longest_nanos.max(nanos);
                Ok(answer)
            }
            Err(fault) => {
                self.instance = None;
                self.count(&fault);
                Err(CallFailure { fault, hopeless: false, used, nanos })
            }
        }
    }

    /// Counts rows that came to the stage, and those of them that did not go on.
    pub(super) fn count_rows(&mut self, given: usize, went_on: usize) {
        self.stats.given += given as u64;
        self.stats.dropped += given.saturating_sub(went_on) as u64;
    }

    /// Counts the rows that the plugin itself refused.
    pub(crate) fn count_rejects(&mut self, refusals: &[Refusal]) {
        let rejected = |refusal: &&Refusal| refusal.kind == RefusalKind::Rejected;
        self.stats.rejects += refusals.iter().filter(rejected).count() as u64;
    }

    fn count(&mut self, fault: &PluginError) {
        match fault {
            PluginError::Trap(_) | PluginError::Refused(_) => self.stats.traps += 1,
            PluginError::Deadline { .. } => self.stats.deadlines += 1,
            PluginError::Answer(_) => self.stats.answers += 1,
        }
    }

    /// Makes later calls smaller if this one was only too large.
    pub(crate) fn learn(&mut self, course: Course, most: &mut usize) {
        match course {
            Course::Smooth | Course::Guilty => {}
            Course::TooLarge => *most = (*most / 2).max(1),
            Course::Broken => self.stats.broken += 1,
        }
    }
}

/// A guest of that kind. `fit` has compared the kind of the plugin with that of its stage, from which runners are made.
fn start<G: GuestKind + ?Sized>(plugin: &Plugin) -> Result<Box<G>, PluginError> {
    let instance = plugin.instantiate()?;
    let kind = instance.kind().name();
    G::of(instance).ok_or_else(|| {
        PluginError::Refused(format!("the guest is of kind {kind}, the stage runs one of another"))
    })
}
