//! What authors of plugins see: rows as structs, a function or a small trait, one line that exports it.
//!
#![doc = include_str!("../README.md")]

pub mod column;
pub mod row;
pub mod output;
#[cfg(any(test, target_family = "wasm"))]
mod memcmp;
pub mod text;
pub mod varlen;
pub mod decimal;
pub mod moment;
pub mod calendar;
pub mod config;
pub mod refused;
mod replay;
pub mod filter;
pub mod map;
pub mod aggregate;
pub mod process;
pub mod state;
pub mod description;
mod level;
pub mod host;
pub mod testing;

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod glue;

pub use aggregate::{Accumulate, Aggregate, AggregatePlugin, EvaluateAnswer, UpdateAnswer, Window};
pub use column::{Batch, Column, Values};
pub use config::{Config, FromConfig};
pub use decimal::{Decimal, Decimal38};
pub use description::{ColumnSpec, ColumnType, DecimalType, Description, Kind};
pub use filter::{Filter, FilterAnswer, FilterPlugin};
pub use map::{Map, MapAnswer, MapPlugin};
pub use moment::{Date, Span, Timestamp};
pub use output::{Emit, OutputRow, OwnedColumn, OwnedValues};
pub use process::{Keyed, Process, ProcessPlugin, Processor, Timer};
pub use refused::{Refused, Reject};
pub use row::Row;
pub use state::{Layout, Plain, State};
pub use text::{PerValue, Text};
pub use varlen::{Varlen, VarlenRef};

pub use sluicegate_sdk_derive::{Layout, OutputRow, PlainState, Row, State};

/// What a plugin usually needs, in one line.
pub mod prelude {
    pub use crate::{
        Aggregate, Config, Date, Decimal, Decimal38, Emit, FromConfig, Keyed, Layout, OutputRow,
        PerValue, PlainState, Process, Refused, Row, Span, State, Text, Timestamp, Window, export,
    };
}

/// Makes a function, an [`Aggregate`] or a [`Process`] the plugin of this crate. Once per crate.
///
/// * `export!(filter: function);` for a [`FilterFn`](filter::FilterFn);
/// * `export!(map: function);` for a [`MapFn`](map::MapFn): a new row has the columns of the output, and keeps all
///   others of its source row, which the host carries along without a detour through the plugin;
/// * `export!(map: function, only outputs);`: a new row has the columns of the output and no others;
/// * `export!(aggregate: Type);` for an [`Aggregate`];
/// * `export!(process: Type);` for a [`Process`].
///
/// It declares `pub struct Plugin`, which implements [`FilterPlugin`], [`MapPlugin`], [`AggregatePlugin`] or
/// [`ProcessPlugin`]: the way in for tests and for hosts that link the crate. Built for WASM the crate also gets the exports of the contract.
#[macro_export]
macro_rules! export {
    (filter: $function:path) => {
        /// This crate's filter.
        pub struct Plugin;

        impl $crate::FilterPlugin for Plugin {
            fn describe() -> $crate::Description {
                $crate::filter::describe($function)
            }

            fn init(config: &$crate::Config) -> Result<Box<dyn $crate::Filter>, String> {
                $crate::filter::init($function, config)
            }
        }

        #[cfg(target_family = "wasm")]
        const _: () = {
            type Lifecycle = $crate::glue::FilterLifecycle<Plugin>;
            $crate::bindings::lifecycle::export_lifecycle!(
                Lifecycle with_types_in $crate::bindings::lifecycle
            );
            $crate::bindings::filter::export_filter!(Plugin with_types_in $crate::bindings::filter);
            $crate::bindings::filter_coded::export_filter_coded!(
                Plugin with_types_in $crate::bindings::filter_coded
            );
        };
    };
    (map: $function:path) => {
        $crate::export!(@map $function, true);
    };
    (map: $function:path, only outputs) => {
        $crate::export!(@map $function, false);
    };
    (@map $function:path, $keeps_other_columns:literal) => {
        /// This crate's map.
        pub struct Plugin;

        impl $crate::MapPlugin for Plugin {
            fn describe() -> $crate::Description {
                $crate::map::describe($function, $keeps_other_columns)
            }

            fn init(config: &$crate::Config) -> Result<Box<dyn $crate::Map>, String> {
                $crate::map::init($function, config)
            }
        }

        #[cfg(target_family = "wasm")]
        const _: () = {
            type Lifecycle = $crate::glue::MapLifecycle<Plugin>;
            $crate::bindings::lifecycle::export_lifecycle!(
                Lifecycle with_types_in $crate::bindings::lifecycle
            );
            $crate::bindings::map::export_map!(Plugin with_types_in $crate::bindings::map);
        };
    };
    (aggregate: $aggregate:ty) => {
        /// This crate's aggregate.
        pub struct Plugin;

        impl $crate::AggregatePlugin for Plugin {
            fn describe() -> $crate::Description {
                $crate::aggregate::describe::<$aggregate>()
            }

            fn init(config: &$crate::Config) -> Result<Box<dyn $crate::Accumulate>, String> {
                $crate::aggregate::init::<$aggregate>(config)
            }
        }

        #[cfg(target_family = "wasm")]
        const _: () = {
            type Lifecycle = $crate::glue::AggregateLifecycle<Plugin>;
            $crate::bindings::lifecycle::export_lifecycle!(
                Lifecycle with_types_in $crate::bindings::lifecycle
            );
            $crate::bindings::aggregate::export_aggregate!(
                Plugin with_types_in $crate::bindings::aggregate
            );
        };
    };
    (process: $process:ty) => {
        /// This crate's process plugin.
        pub struct Plugin;

        impl $crate::ProcessPlugin for Plugin {
            fn describe() -> $crate::Description {
                $crate::process::describe::<$process>()
            }

            fn init(config: &$crate::Config) -> Result<Box<dyn $crate::Processor>, String> {
                $crate::process::init::<$process>(config)
            }
        }

        #[cfg(target_family = "wasm")]
        const _: () = {
            type Lifecycle = $crate::glue::ProcessLifecycle<Plugin>;
            $crate::bindings::lifecycle::export_lifecycle!(
                Lifecycle with_types_in $crate::bindings::lifecycle
            );
            $crate::bindings::process::export_process!(
                Plugin with_types_in $crate::bindings::process
            );
        };
    };
}
