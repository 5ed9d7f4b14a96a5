//! What a module may look like before a compiler sees it: features, sizes, imports
//! (docs/design/sandbox.md#s2).
//!
//! Cranelift does not promise to survive hostile input in bounded time and memory; these limits keep it where it does.

use std::collections::BTreeSet;

use wasmparser::{
    BlockType, Encoding, FuncValidator, FuncValidatorAllocations, FunctionBody, Operator, Parser,
    Payload, ValidPayload, Validator, WasmModuleResources,
};

use super::problem::LoadProblem;
use super::settings::FEATURES;
use crate::contract::speaks;
use crate::plugin::printable::printable;

/// Changes with the rules below: what was compiled under others is checked again.
pub(crate) const RULES: u32 = 1;

/// Functions of a module, all its parts together. A plugin has some hundred.
const FUNCTIONS_MAX: u32 = 20_000;
/// Bytes of one function's body: compile time may grow with its square.
const BODY_BYTES_MAX: usize = 128 << 10;
const LOCALS_MAX: u32 = 2_000;
/// Values that a function carries into its blocks: the sum over all blocks of its locals, what lies on its stack there,
/// and what the block itself takes and gives. The compiler makes a value of each that may differ. The dispatch loop of an
/// interpreter has some hundred thousand; with four million a compiler took more than a gigabyte.
const LIVE_VALUES_MAX: u64 = 2 << 20;
/// The same for all functions together.
const LIVE_VALUES_IN_ALL_MAX: u64 = 32 << 20;
/// Loops in one another: what is carried round one is carried round all of them, and costs grow with its square. People
/// write fewer than ten.
const LOOPS_MAX: u32 = 64;
/// Targets of one branch table.
const BRANCH_TARGETS_MAX: u32 = 4_000;
const GLOBALS_MAX: u32 = 1_000;
const DATA_BYTES_MAX: usize = 8 << 20;
/// Modules and components inside a component: wit-component makes about ten.
const PARTS_MAX: u32 = 64;

/// The interface of the contract with functions that a plugin may import.
const HOST_INTERFACE: &str = "host";
const HOST_FUNCTIONS: [&str; 2] = ["log", "count"];
/// The interfaces of the contract that hold types only; components name them as imports.
const TYPE_INTERFACES: [&str; 2] = ["columns", "description"];

/// A module that is well formed, within the limits, and imports nothing but the host.
#[derive(Debug)]
pub(crate) struct Checked {
    /// A core module, or a component.
    pub(crate) encoding: Encoding,
    /// Interfaces that a component exports; of a core module the names of its functions.
    pub(crate) exports: BTreeSet<String>,
}

/// Checks the bytes of a module.
pub(crate) fn check(bytes: &[u8]) -> Result<Checked, LoadProblem> {
    let mut counted = Counted::default();
    let mut validator = Validator::new_with_features(FEATURES);
    let mut allocations = FuncValidatorAllocations::default();
    let mut checked = Checked { encoding: encoding(bytes)?, exports: BTreeSet::new() };
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(malformed)?;
        match validator.payload(&payload).map_err(malformed)? {
            ValidPayload::Func(function, body) => {
                let mut function = function.into_validator(allocations);
                counted.function(&body, &mut function)?;
                allocations = function.into_allocations();
            }
            ValidPayload::Parser(_) => {
                depth += 1;
                counted.parts += 1;
                within("modules inside a component", counted.parts, PARTS_MAX)?;
            }
            ValidPayload::End(_) => depth = depth.saturating_sub(1),
            ValidPayload::Ok => {}
        }
        counted.section(&payload)?;
        if depth == 0 {
            checked.outermost(payload)?;
        }
    }
    Ok(checked)
}

/// What the magic number says, before anything is parsed.
fn encoding(bytes: &[u8]) -> Result<Encoding, LoadProblem> {
    if Parser::is_core_wasm(bytes) {
        Ok(Encoding::Module)
    } else if Parser::is_component(bytes) {
        Ok(Encoding::Component)
    } else {
        Err(LoadProblem::NotWasm)
    }
}

impl Checked {
    /// Imports and exports of the module itself, not of its parts.
    fn outermost(&mut self, payload: Payload<'_>) -> Result<(), LoadProblem> {
        match payload {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import.map_err(malformed)?;
                    let known = speaks(import.module, HOST_INTERFACE)
                        && HOST_FUNCTIONS.contains(&import.name);
                    if !known {
                        return Err(foreign(&format!("{}#{}", import.module, import.name)));
                    }
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    self.exports.insert(export.map_err(malformed)?.name.to_owned());
                }
            }
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    let name = import.map_err(malformed)?.name.name;
                    let is_type = |interface: &&str| speaks(name, interface);
                    if !speaks(name, HOST_INTERFACE) && !TYPE_INTERFACES.iter().any(is_type) {
                        return Err(foreign(name));
                    }
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports {
                    self.exports.insert(export.map_err(malformed)?.name.name.to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Sums over all parts of a module.
#[derive(Default)]
struct Counted {
    parts: u32,
    functions: u32,
    globals: u32,
    data_bytes: usize,
    live: u64,
}

impl Counted {
    fn section(&mut self, payload: &Payload<'_>) -> Result<(), LoadProblem> {
        match payload {
            Payload::FunctionSection(functions) => {
                self.functions = self.functions.saturating_add(functions.count());
                within("functions", self.functions, FUNCTIONS_MAX)
            }
            Payload::GlobalSection(globals) => {
                self.globals = self.globals.saturating_add(globals.count());
                within("globals", self.globals, GLOBALS_MAX)
            }
            Payload::DataSection(data) => {
                self.data_bytes = self.data_bytes.saturating_add(data.range().len());
                within("bytes of data", self.data_bytes, DATA_BYTES_MAX)
            }
            _ => Ok(()),
        }
    }

    /// Validates a function, and counts what it costs a compiler.
    fn function(
        &mut self,
        body: &FunctionBody<'_>,
        function: &mut FuncValidator<impl WasmModuleResources>,
    ) -> Result<(), LoadProblem> {
        within("bytes in a function", body.range().len(), BODY_BYTES_MAX)?;
        let mut locals = 0_u32;
        for group in body.get_locals_reader().map_err(malformed)? {
            locals = locals.saturating_add(group.map_err(malformed)?.0);
        }
        within("locals in a function", locals, LOCALS_MAX)?;
        function.read_locals(&mut body.get_binary_reader()).map_err(malformed)?;
        let (mut live, mut loops) = (0_u64, Loops::default());
        let mut operators = body.get_operators_reader().map_err(malformed)?;
        while !operators.eof() {
            let (operator, at) = operators.read_with_offset().map_err(malformed)?;
            if let Operator::BrTable { targets } = &operator {
                within("targets of a branch table", targets.len(), BRANCH_TARGETS_MAX)?;
            }
            function.op(at, &operator).map_err(malformed)?;
            let held =
                u64::from(function.len_locals()) + u64::from(function.operand_stack_height());
            live += blocks(&operator, held, function.resources());
            within("loops in one another", loops.after(&operator), LOOPS_MAX)?;
            within("values carried into the blocks of a function", live, LIVE_VALUES_MAX)?;
        }
        operators.finish().map_err(malformed)?;
        self.live += live;
        within("values carried into blocks", self.live, LIVE_VALUES_IN_ALL_MAX)
    }
}

/// What is open at a place of a function.
#[derive(Default)]
struct Loops {
    /// For each open block whether it is a loop.
    open: Vec<bool>,
    loops: u32,
}

impl Loops {
    /// Loops that are open after an operator.
    fn after(&mut self, operator: &Operator<'_>) -> u32 {
        match operator {
            Operator::Loop { .. } => {
                self.open.push(true);
                self.loops += 1;
            }
            Operator::Block { .. } | Operator::If { .. } => self.open.push(false),
            // The last end is that of the function.
            Operator::End => self.loops -= u32::from(self.open.pop().unwrap_or(false)),
            _ => {}
        }
        self.loops
    }
}

/// Values carried into the blocks that an operator begins, where a block finds `held` values.
fn blocks(operator: &Operator<'_>, held: u64, resources: &impl WasmModuleResources) -> u64 {
    let begun = |blocks: u64, block: &BlockType| {
        let BlockType::FuncType(of) = block else { return blocks * (held + 1) };
        let own = resources.sub_type_at(*of).map_or(0, |own| {
            let own = own.unwrap_func();
            own.params().len() + own.results().len()
        });
        blocks * (held + own as u64)
    };
    match operator {
        // What comes after its end.
        Operator::Block { blockty } => begun(1, blockty),
        Operator::Loop { blockty } => begun(2, blockty),
        Operator::If { blockty } => begun(3, blockty),
        Operator::Else | Operator::BrIf { .. } => held,
        Operator::BrTable { targets } => held * (u64::from(targets.len()) + 1),
        _ => 0,
    }
}

fn within<N: PartialOrd + std::fmt::Display>(
    what: &str,
    found: N,
    limit: N,
) -> Result<(), LoadProblem> {
    if found <= limit {
        return Ok(());
    }
    Err(LoadProblem::Limit {
        what: what.to_owned(),
        found: found.to_string(),
        limit: limit.to_string(),
    })
}

fn malformed(error: wasmparser::BinaryReaderError) -> LoadProblem {
    LoadProblem::Malformed(error.to_string())
}

fn foreign(import: &str) -> LoadProblem {
    let import = printable(import);
    if import.starts_with("sluicegate:plugin/") {
        return LoadProblem::OtherContract { import };
    }
    LoadProblem::ForeignImport { import }
}
