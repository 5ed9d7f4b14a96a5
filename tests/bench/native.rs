//! The plugins as code of this program, through the SDK's native entry: what the same calls cost without a sandbox.
#![expect(
    unsafe_code,
    reason = "text that is known to be UTF-8 is not checked, as in the guest's glue"
)]

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal64Array, Int64Array, StringArray};
use arrow::buffer::{BooleanBuffer, Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Decimal64Type, SchemaRef, UInt32Type};
use arrow::record_batch::RecordBatch;
use sluicegate_model::varlen::Varlen;
use sluicegate_model::window::WindowBounds;
use sluicegate_sandbox::plugin::answer::{
    EvaluateAnswer, FilterAnswer, MapAnswer, Reject, UpdateAnswer,
};
use sluicegate_sandbox::plugin::guest::{
    AggregateGuest, FilterGuest, Guest, Instance, MapGuest, StatefulGuest,
};
use sluicegate_sandbox::plugin::{Code, PluginError};
use sluicegate_sdk::{
    Accumulate, AggregatePlugin, Batch, Column, Config, Filter, FilterPlugin, Map, MapPlugin,
    OwnedColumn, OwnedValues, Timestamp, Values, VarlenRef, Window,
};

/// Makes native instances of one plugin.
pub(crate) struct NativeCode {
    start: fn(&Config, &SchemaRef) -> Result<Instance, String>,
    /// Of what it makes, as its module declares it.
    outputs: SchemaRef,
    /// The texts that it takes by code: those that its module wants so. Both are given the same rows.
    by_code: Vec<usize>,
}

impl NativeCode {
    pub(crate) fn filter<P: FilterPlugin>() -> Arc<dyn Code> {
        let start = |config: &Config, _: &SchemaRef| {
            Ok(Instance::Filter(Box::new(NativeFilter(P::init(config)?))))
        };
        let outputs = Arc::new(arrow::datatypes::Schema::empty());
        Arc::new(Self { start, outputs, by_code: P::describe().coded().collect() })
    }

    pub(crate) fn map<P: MapPlugin>(outputs: &SchemaRef) -> Arc<dyn Code> {
        let start = |config: &Config, outputs: &SchemaRef| {
            let calls = P::init(config)?;
            Ok(Instance::Map(Box::new(Native { calls, outputs: Arc::clone(outputs) })))
        };
        Arc::new(Self { start, outputs: Arc::clone(outputs), by_code: Vec::new() })
    }

    pub(crate) fn aggregate<P: AggregatePlugin>(outputs: &SchemaRef) -> Arc<dyn Code> {
        let start = |config: &Config, outputs: &SchemaRef| {
            let calls = P::init(config)?;
            Ok(Instance::Aggregate(Box::new(Native { calls, outputs: Arc::clone(outputs) })))
        };
        Arc::new(Self { start, outputs: Arc::clone(outputs), by_code: Vec::new() })
    }
}

impl Code for NativeCode {
    fn instantiate(&self, config: &[(String, String)]) -> Result<Instance, PluginError> {
        let config = Config::new(config.iter().cloned());
        (self.start)(&config, &self.outputs).map_err(PluginError::Refused)
    }

    fn by_code(&self) -> &[usize] {
        &self.by_code
    }
}

struct NativeFilter(Box<dyn Filter>);

impl Guest for NativeFilter {}

impl FilterGuest for NativeFilter {
    fn filter(&mut self, rows: &RecordBatch) -> Result<FilterAnswer, PluginError> {
        let answer = self.0.filter(&batch(rows));
        let keep = BooleanBuffer::new(Buffer::from_vec(answer.keep), 0, rows.num_rows());
        Ok(FilterAnswer { keep, rejects: rejects(answer.rejects) })
    }
}

/// A plugin that makes rows.
struct Native<C: ?Sized> {
    calls: Box<C>,
    outputs: SchemaRef,
}

impl<C: Send + ?Sized> Guest for Native<C> {}

impl MapGuest for Native<dyn Map> {
    fn map(&mut self, rows: &RecordBatch) -> Result<MapAnswer, PluginError> {
        let answer = self.calls.map(&batch(rows));
        Ok(MapAnswer {
            batch: made(&self.outputs, answer.columns),
            source_rows: answer.source_rows,
            rejects: rejects(answer.rejects),
        })
    }
}

impl AggregateGuest for Native<dyn Accumulate> {
    fn update(
        &mut self,
        rows: &RecordBatch,
        groups: &[u32],
        states: &Varlen,
    ) -> Result<UpdateAnswer, PluginError> {
        let answer = self.calls.update(&batch(rows), groups, borrow(states));
        Ok(UpdateAnswer { states: varlen(answer.states), rejects: rejects(answer.rejects) })
    }

    fn merge(&mut self, left: &Varlen, right: &Varlen) -> Result<Varlen, PluginError> {
        Ok(varlen(self.calls.merge(borrow(left), borrow(right))))
    }

    fn evaluate(
        &mut self,
        windows: &[WindowBounds],
        states: &Varlen,
    ) -> Result<EvaluateAnswer, PluginError> {
        let window = |bounds: &WindowBounds| Window {
            start: Timestamp(bounds.start.micros()),
            end: Timestamp(bounds.end.micros()),
        };
        let windows: Vec<_> = windows.iter().map(window).collect();
        let answer = self.calls.evaluate(&windows, borrow(states));
        Ok(EvaluateAnswer { batch: made(&self.outputs, answer.columns), groups: answer.groups })
    }
}

impl StatefulGuest for Native<dyn Accumulate> {
    fn migrate(&mut self, from_version: u32, states: &Varlen) -> Result<Varlen, PluginError> {
        let migrated = self.calls.migrate(from_version, borrow(states));
        migrated.map(varlen).map_err(PluginError::Refused)
    }
}

/// Arrow's columns as the SDK's, borrowed. Only what the sales have: texts and decimals, without nulls.
fn batch(rows: &RecordBatch) -> Batch<'_> {
    Batch { rows: rows.num_rows(), columns: rows.columns().iter().map(column).collect() }
}

fn column(array: &ArrayRef) -> Column<'_> {
    assert_eq!(array.null_count(), 0, "the sales have no nulls");
    Column { values: values(array), validity: None }
}

fn values(array: &ArrayRef) -> Values<'_> {
    match array.data_type() {
        DataType::Decimal64(..) => Values::Decimal(array.as_primitive::<Decimal64Type>().values()),
        DataType::Utf8 => {
            let (offsets, text) = texts(array.as_string());
            Values::Utf8 { offsets, text }
        }
        DataType::Dictionary(..) => {
            let array = array.as_dictionary::<UInt32Type>();
            let (offsets, text) = texts(array.values().as_string());
            Values::Coded { codes: array.keys().values(), offsets, text }
        }
        other => unreachable!("the sales have no column of {other}"),
    }
}

fn texts(array: &StringArray) -> (&[u32], &str) {
    let offsets = array.offsets().inner().inner().typed_data::<u32>();
    // SAFETY: a `StringArray` holds UTF-8.
    let text = unsafe { std::str::from_utf8_unchecked(array.values()) };
    (&offsets[..=array.len()], text)
}

fn made(outputs: &SchemaRef, columns: Vec<OwnedColumn>) -> RecordBatch {
    let array = |(column, field): (OwnedColumn, &Arc<arrow::datatypes::Field>)| -> ArrayRef {
        match column.values {
            OwnedValues::Int64(values) => Arc::new(Int64Array::from(values)),
            OwnedValues::Decimal(values) => {
                Arc::new(Decimal64Array::from(values).with_data_type(field.data_type().clone()))
            }
            OwnedValues::Utf8(values) => {
                let offsets = Buffer::from_vec(values.offsets);
                let rows = offsets.len() / size_of::<i32>();
                let offsets = OffsetBuffer::new(ScalarBuffer::new(offsets, 0, rows));
                // SAFETY: the SDK builds texts of texts.
                Arc::new(unsafe { StringArray::new_unchecked(offsets, values.bytes.into(), None) })
            }
            _ => unreachable!("no plugin of the sales makes such a column"),
        }
    };
    let arrays = columns.into_iter().zip(outputs.fields()).map(array).collect();
    RecordBatch::try_new(Arc::clone(outputs), arrays).expect("the SDK makes what it declares")
}

fn borrow(values: &Varlen) -> VarlenRef<'_> {
    VarlenRef { offsets: &values.offsets, bytes: &values.bytes }
}

fn varlen(values: sluicegate_sdk::Varlen) -> Varlen {
    Varlen { offsets: values.offsets, bytes: values.bytes }
}

fn rejects(rejects: Vec<sluicegate_sdk::Reject>) -> Vec<Reject> {
    rejects.into_iter().map(|reject| Reject { row: reject.row, reason: reject.reason }).collect()
}
