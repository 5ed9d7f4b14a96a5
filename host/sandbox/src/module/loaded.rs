//! A module that can run: what every stage and every check starts from.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::contract::ADDITIONS;
use crate::instance::exports::KindExports;
use crate::instance::running::Compiled;
use crate::plugin::Code;
use crate::plugin::description::Description;
#[cfg(test)]
use sluicegate_model::call::CallLimits;
use sluicegate_model::module::ModuleDigest;

/// A module, compiled and described, not yet fitted to a stage. Cheap to clone.
#[derive(Clone)]
pub struct LoadedModule {
    /// The name under which the pipeline or the upload knows it.
    pub name: Arc<str>,
    /// Hash of the uploaded bytes, under which the chain pins the module.
    pub digest: ModuleDigest,
    /// What it says of itself.
    pub description: Arc<Description>,
    pub(crate) program: Program,
}

/// What instances of a module are made from.
#[derive(Clone)]
pub(crate) enum Program {
    /// A component, and its calls of the kind that it says it is.
    Component { compiled: Arc<Compiled>, calls: KindExports },
    /// Code that was compiled into the host: the reference that benchmarks and tests measure plugins against.
    Native(Arc<dyn Code>),
}

impl LoadedModule {
    /// The last number of the version of the contract that it was built for.
    pub(crate) fn additions(&self) -> u32 {
        match &self.program {
            Program::Component { compiled, .. } => compiled.exports.additions,
            Program::Native(_) => ADDITIONS,
        }
    }

    /// The same module, by the name under which a chain pins it.
    pub fn named(self, name: &str) -> Self {
        Self { name: Arc::from(name), ..self }
    }

    /// Code compiled into the host, in the place of a module. Its identity is made of its name.
    pub fn native(name: &str, description: Description, code: Arc<dyn Code>) -> Self {
        Self {
            name: Arc::from(name),
            digest: ModuleDigest(Sha256::digest(name.as_bytes()).into()),
            description: Arc::new(description),
            program: Program::Native(code),
        }
    }
}

#[cfg(test)]
impl LoadedModule {
    /// The same module, whose instances have other limits.
    pub(crate) fn with_limits(&self, limits: &CallLimits) -> Self {
        let Program::Component { compiled, calls } = &self.program else { return self.clone() };
        let Compiled { component, exports, limits: _, ticker } = &**compiled;
        let compiled = Compiled {
            component: component.clone(),
            exports: exports.clone(),
            limits: *limits,
            ticker: ticker.clone(),
        };
        let program = Program::Component { compiled: Arc::new(compiled), calls: calls.clone() };
        Self { program, ..self.clone() }
    }
}

impl fmt::Debug for LoadedModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoadedModule({}@{})", self.name, self.digest.short())
    }
}
