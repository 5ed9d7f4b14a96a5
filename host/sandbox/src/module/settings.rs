//! What wasmtime is told: which WebAssembly a guest may be written in, its stack, its traps. The same for whoever
//! compiles and whoever runs.

use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use wasmparser::WasmFeatures;
use wasmtime::{Config, InstanceAllocationStrategy, OptLevel, Strategy, WasmBacktraceDetails};

/// What a guest may be written in: WebAssembly 2.0 without references to garbage-collected things,
/// in components. Everything younger is off: most of it has had advisories
/// (docs/design/sandbox.md#s5), and no Rust guest needs it.
pub(crate) const FEATURES: WasmFeatures =
    WasmFeatures::WASM2.difference(WasmFeatures::GC_TYPES).union(WasmFeatures::COMPONENT_MODEL);

/// Stack of the guest. Far less than that of the threads that call it: an overrun of the host's would end the program.
const GUEST_STACK_BYTES: usize = 512 << 10;

/// Frames of a guest that a trap may describe.
const BACKTRACE_FRAMES_MAX: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");

/// The engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The folder for compiled modules cannot be used.
    #[error("folder for compiled modules `{path}`: it must be writable, and nobody else's")]
    Cache {
        /// The folder as it was configured, or a file in it.
        path: PathBuf,
        /// Why it cannot be made, read or protected.
        #[source]
        source: io::Error,
    },
    /// The machine lacks something that wasmtime needs.
    #[error("cannot start the WebAssembly engine: {0}")]
    Engine(String),
}

/// The settings of docs/design/sandbox.md#s5, as far as this version of wasmtime has them. The same
/// for whoever compiles and whoever runs.
pub(crate) fn settings() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        // A NaN has one bit pattern: a replay gives the same bytes.
        .cranelift_nan_canonicalization(true)
        .parallel_compilation(false)
        .wasm_features(WasmFeatures::all().difference(FEATURES), false)
        // A component call costs 0.1 µs instead of 0.3 without it.
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK_BYTES)
        .signals_based_traps(true)
        .guard_before_linear_memory(true)
        // Pooling re-uses memory between guests; instances live long here, so it would save nothing.
        .allocation_strategy(InstanceAllocationStrategy::OnDemand)
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES_MAX))
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}
