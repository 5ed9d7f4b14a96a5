//! What an instance may allocate.

use wasmtime::ResourceLimiter;

/// Linear memories of an instance: a Rust guest has one.
const MEMORIES_MAX: usize = 1;
/// Tables of an instance: a core module has one of functions, and wit-component adds one for the host's.
const TABLES_MAX: usize = 4;
/// Entries of a table: one a function whose address is taken; large guests have a few thousand.
const TABLE_ELEMENTS_MAX: usize = 10_000;
/// Core instances of a component: the guest, and the shims of wit-component around it.
const CORE_INSTANCES_MAX: usize = 8;

/// What an instance may allocate. wasmtime asks before every growth; its own defaults have no bound for memory.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    limit: u64,
    held: u64,
}

/// An instance wanted more memory than it may have. A trap, not a failed allocation: the guest's reaction to that
/// would be an abort without a word.
#[derive(Debug, thiserror::Error)]
#[error("the plugin wants more than the {limit} bytes of memory that it may have")]
pub(crate) struct MemoryExceeded {
    limit: u64,
}

impl MemoryLimit {
    /// At most `limit` bytes of linear memory.
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, held: 0 }
    }

    /// Bytes of linear memory held.
    pub(crate) fn held(&self) -> u64 {
        self.held
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = desired as u64;
        if wanted > self.limit {
            return Err(MemoryExceeded { limit: self.limit }.into());
        }
        self.held = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}
