//! Whether a plugin fits into its place in a pipeline, and what its rows look like after it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::describe::output_schema;
use super::loaded::{LoadedModule, Program};
use crate::contract::{self, LONG_DECIMALS};
use crate::instance::WasmCode;
use crate::instance::heard::Heard;
use crate::plugin::description::PluginColumn;
use crate::plugin::{Code, Plugin, PluginError};
use sluicegate_model::module::PluginKind;
use sluicegate_model::module::StagePlace;
use sluicegate_model::schema::{decimal_digits, type_name};
use sluicegate_model::time::Clock;

/// Of the keys that the host adds to a stage's configuration: `decimal-scale:COLUMN` and `decimal-precision:COLUMN`.
const DECIMAL_SCALE: &str = "decimal-scale:";
const DECIMAL_PRECISION: &str = "decimal-precision:";

/// A plugin in its place.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// Ready to make instances for this stage.
    pub plugin: Plugin,
    /// Its input columns, in its order, as indexes into the rows before the stage.
    pub inputs: Vec<usize>,
    /// Rows after the stage. A filter leaves them as they are. A map's columns take the place of those of the same
    /// name, new ones stand at the end; if it keeps no others there are its own only. Those of an aggregate or a keyed
    /// plugin are its own: the lane adds keys and times.
    pub output: SchemaRef,
}

/// A plugin does not fit into its stage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stage `{stage}`: plugin `{plugin}` {problem}")]
pub struct FitError {
    pub(crate) stage: String,
    pub(crate) plugin: String,
    /// What does not fit, and what would.
    pub(crate) problem: Box<FitProblem>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FitProblem {
    /// A filter in the place of an aggregate, and the like.
    #[error(
        "is of kind {found}, the stage of kind {wanted}; name another plugin, or make the stage \
         `kind = \"{found}\"`"
    )]
    Kind { wanted: &'static str, found: &'static str },
    /// The rows lack a column.
    #[error(
        "wants the column {column} ({wanted}), which its rows lack: they have {have}; declare it under [schema], \
         name another one (`columns = {{ {} = \"…\" }}` in the stage), or rename the field in the plugin",
        column.input
    )]
    Missing {
        column: Connected,
        /// Its type as the plugin reads it.
        wanted: String,
        /// The columns that there are.
        have: String,
    },
    /// The stage connects a column with an input that the plugin does not have.
    #[error(
        "has no input `{input}`, which `columns` of the stage connects with the column `{column}`: {have}"
    )]
    NoInput {
        input: String,
        column: String,
        /// The inputs that there are, in words.
        have: String,
    },
    /// The rows have it with another type.
    #[error(
        "reads the column {column} as {wanted}, its rows have it as {found}; change its type under \
         [schema], or in the plugin"
    )]
    Type {
        column: Connected,
        /// As the plugin reads it.
        wanted: String,
        found: String,
    },
    /// The rows have more digits there than plugins of its version know.
    #[error(
        "was built for {contract}, whose decimals have at most 18 digits, and the column {column} is {found}; build \
         it with the sluicegate-sdk of this host's release, or give the column at most 18 digits under [schema]"
    )]
    LongDecimal {
        column: Connected,
        found: String,
        /// The package and its version.
        contract: String,
    },
    /// The rows may have nulls there.
    #[error(
        "takes no nulls in the column {column}, which is nullable; make it an `Option` in the plugin, or \
         remove `nullable = true` under [schema]"
    )]
    Nullable { column: Connected },
    /// A key that only the host sets.
    #[error("gets `{key}` from the host; remove it from the stage's `config`")]
    ReservedKey { key: String },
    #[error("refuses its configuration: {0}")]
    Refused(String),
    /// `init` did not come to an end.
    #[error("fails at `init`: {0}")]
    Init(PluginError),
}

/// A column of the rows and the input that reads it, in words: `` `price` ``, or `` `price` for its input `value` ``.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connected {
    pub(crate) column: String,
    /// The plugin's name for it.
    pub(crate) input: String,
}

impl fmt::Display for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, input } = self;
        write!(f, "`{column}`")?;
        if column == input { Ok(()) } else { write!(f, " for its input `{input}`") }
    }
}

/// Connects a module with the rows that come to its stage, and tries `init` once.
///
/// Fails with a sentence for the user. Nothing is kept of a module that does not fit.
pub fn fit(
    place: &StagePlace<'_>,
    module: &LoadedModule,
    input: &SchemaRef,
) -> Result<Fitted, FitError> {
    let refused = |problem| FitError {
        stage: place.stage.to_owned(),
        plugin: module.name.to_string(),
        problem: Box::new(problem),
    };
    let description = &module.description;
    if description.kind != place.kind {
        let (wanted, found) = (place.kind.name(), description.kind.name());
        return Err(refused(FitProblem::Kind { wanted, found }));
    }
    let mut config: BTreeMap<String, String> = place.config.iter().cloned().collect();
    let of_host =
        |key: &&String| key.starts_with(DECIMAL_SCALE) || key.starts_with(DECIMAL_PRECISION);
    if let Some(key) = config.keys().find(of_host) {
        return Err(refused(FitProblem::ReservedKey { key: key.clone() }));
    }
    check_columns(place, &description.inputs).map_err(refused)?;
    let mut inputs = Vec::with_capacity(description.inputs.len());
    for wanted in &description.inputs {
        let index = connect(place, module, wanted, input).map_err(refused)?;
        if let Some((precision, scale)) = decimal_digits(input.field(index).data_type()) {
            config.insert(format!("{DECIMAL_SCALE}{}", wanted.name), scale.to_string());
            // An older plugin takes a key that it does not know for a mistake.
            if module.additions() >= LONG_DECIMALS {
                config.insert(format!("{DECIMAL_PRECISION}{}", wanted.name), precision.to_string());
            }
        }
        inputs.push(index);
    }
    let outputs = Arc::new(output_schema(&description.outputs));
    let code: Arc<dyn Code> = match &module.program {
        Program::Component { compiled, calls } => Arc::new(WasmCode {
            compiled: Arc::clone(compiled),
            calls: calls.clone(),
            name: Arc::clone(&module.name),
            outputs: Arc::clone(&outputs),
            counters: Arc::new(Mutex::default()),
            heard: Arc::new(Heard::new(Clock::system())),
        }),
        Program::Native(code) => Arc::clone(code),
    };
    let plugin = Plugin {
        name: Arc::clone(&module.name),
        digest: module.digest,
        description: Arc::clone(description),
        output_schema: outputs,
        config: config.into_iter().collect(),
        code,
    };
    plugin.instantiate().map_err(|error| match error {
        PluginError::Refused(reason) => refused(FitProblem::Refused(reason)),
        other => refused(FitProblem::Init(other)),
    })?;
    let output = rows_after(&plugin, input);
    Ok(Fitted { plugin, inputs, output })
}

/// That the plugin has the inputs that the stage connects.
fn check_columns(place: &StagePlace<'_>, inputs: &[PluginColumn]) -> Result<(), FitProblem> {
    let names = || inputs.iter().map(|input| input.name.as_str());
    let unknown = place.columns.iter().find(|(input, _)| names().all(|name| name != *input));
    let Some((input, column)) = unknown else { return Ok(()) };
    let have = match inputs {
        [] => "it has none".to_owned(),
        _ => format!("it has {}", quoted(names())),
    };
    Err(FitProblem::NoInput { input: input.clone(), column: column.clone(), have })
}

fn quoted<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The column of the rows that a plugin's input is connected to.
fn connect(
    place: &StagePlace<'_>,
    module: &LoadedModule,
    wanted: &PluginColumn,
    input: &SchemaRef,
) -> Result<usize, FitProblem> {
    let name = place.column_of(&wanted.name);
    let column = Connected { column: name.to_owned(), input: wanted.name.clone() };
    let Some((index, field)) = input.column_with_name(name) else {
        let have = quoted(input.fields().iter().map(|field| field.name().as_str()));
        return Err(FitProblem::Missing { column, wanted: type_name(&wanted.data_type), have });
    };
    if !takes(&wanted.data_type, field.data_type()) {
        let (wanted, found) = (type_name(&wanted.data_type), type_name(field.data_type()));
        return Err(FitProblem::Type { column, wanted, found });
    }
    let additions = module.additions();
    if additions < LONG_DECIMALS && matches!(field.data_type(), DataType::Decimal128(..)) {
        let (found, contract) = (type_name(field.data_type()), contract::package(additions));
        return Err(FitProblem::LongDecimal { column, found, contract });
    }
    if field.is_nullable() && !wanted.nullable {
        return Err(FitProblem::Nullable { column });
    }
    Ok(index)
}

/// Whether a plugin that reads `wanted` understands every value of `found`.
fn takes(wanted: &DataType, found: &DataType) -> bool {
    match (decimal_digits(wanted), decimal_digits(found)) {
        (Some((0, 0)), Some(_)) => true,
        (Some((room, scale)), Some((digits, found))) => scale == found && digits <= room,
        _ => wanted == found,
    }
}

fn rows_after(plugin: &Plugin, input: &SchemaRef) -> SchemaRef {
    match plugin.description.kind {
        PluginKind::Filter => Arc::clone(input),
        PluginKind::Aggregate | PluginKind::Keyed => Arc::clone(&plugin.output_schema),
        PluginKind::Map if !plugin.description.keeps_other_columns => {
            Arc::clone(&plugin.output_schema)
        }
        PluginKind::Map => {
            let made = &plugin.output_schema;
            let kept_or_made = input.fields().iter().map(|field| {
                let same_name = made.column_with_name(field.name());
                same_name.map_or_else(|| field.as_ref().clone(), |(_, made)| made.clone())
            });
            let new = made.fields().iter().filter(|field| input.index_of(field.name()).is_err());
            let fields: Vec<Field> =
                kept_or_made.chain(new.map(|field| field.as_ref().clone())).collect();
            Arc::new(Schema::new(fields))
        }
    }
}
