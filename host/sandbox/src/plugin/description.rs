//! What a plugin says of itself: its kind, its columns, the layout of its state.

use arrow::datatypes::DataType;

use sluicegate_model::module::PluginKind;

/// A column that a plugin reads or makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginColumn {
    /// As in the contract: of an input the name to which a stage's `columns` may connect another column.
    pub name: String,
    /// Its Arrow type. An input decimal that takes any precision and scale is `Decimal64(0, 0)`.
    pub data_type: DataType,
    /// An input: nulls are understood. An output: it may hold nulls.
    pub nullable: bool,
}

/// What a plugin says of itself; the checked twin of `plugin-description` in the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Decides which calls the module exports.
    pub kind: PluginKind,
    /// The SDK and its version.
    pub sdk: String,
    /// The columns its calls get, in this order.
    pub inputs: Vec<PluginColumn>,
    /// The columns of the rows it makes; none for a filter.
    pub outputs: Vec<PluginColumn>,
    /// A map whose rows keep the columns of their source rows that `outputs` does not name.
    pub keeps_other_columns: bool,
    /// Version of the layout of the accumulators, or of the states.
    pub state_version: u32,
    /// Fingerprint of that layout (docs/design/decisions.md#d9).
    pub state_fingerprint: u64,
    /// The versions that `migrate` takes.
    pub migrates_from: Vec<u32>,
}
