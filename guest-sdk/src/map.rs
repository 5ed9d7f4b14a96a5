//! Maps: a function that makes any number of rows of each.

use std::marker::PhantomData;

use crate::output::OwnedColumn;
use crate::row::scales;
use crate::{Batch, Config, Description, Emit, FromConfig, Kind, OutputRow, Refused, Reject, Row};

/// A function that can be exported as a map.
///
/// `fn(Row, &mut Emit<Output>)`, or `fn(&Settings, Row, &mut Emit<Output>)` with settings that are [`FromConfig`].
/// It may return `Result<(), String>` or `Result<(), &'static str>`: an error refuses the row, and takes back what
/// was emitted for it. `M` stands for the parameters and is inferred.
#[diagnostic::on_unimplemented(
    message = "this function is not a map",
    note = "a map is `fn(Row<'_>, &mut Emit<Output>)` or `fn(&Settings, Row<'_>, &mut Emit<Output>)`, where `Row` has `#[derive(Row)]`, `Output` has `#[derive(OutputRow)]` and `Settings` implements `FromConfig`; it may return `Result<(), String>`"
)]
pub trait MapFn<M>: Send + 'static {
    /// What it is configured with.
    type Settings: FromConfig;
    /// What it reads.
    type Row: Row;
    /// What it makes.
    type Output: OutputRow;
    /// Calls the function.
    fn call(
        &self,
        settings: &Self::Settings,
        row: <Self::Row as Row>::At<'_>,
        out: &mut Emit<Self::Output>,
    ) -> Result<(), Refused>;
}

/// What a map may return.
#[diagnostic::on_unimplemented(message = "a map returns nothing or `Result<(), String>`")]
pub trait Outcome {
    /// Why the row is refused, if it is.
    fn outcome(self) -> Result<(), Refused>;
}

impl Outcome for () {
    #[inline(always)]
    fn outcome(self) -> Result<(), Refused> {
        Ok(())
    }
}

impl<E: Into<Refused>> Outcome for Result<(), E> {
    #[inline(always)]
    fn outcome(self) -> Result<(), Refused> {
        self.map_err(Into::into)
    }
}

// As with filters, the two bounds on `F` are one function.
impl<F, S, R, O, V> MapFn<(S, R, O, V)> for F
where
    F: Fn(&S, R, &mut Emit<O>) -> V + for<'a> Fn(&S, R::At<'a>, &mut Emit<O>) -> V + Send + 'static,
    S: FromConfig,
    R: Row,
    O: OutputRow,
    V: Outcome,
{
    type Settings = S;
    type Row = R;
    type Output = O;

    #[inline(always)]
    fn call(&self, settings: &S, row: R::At<'_>, out: &mut Emit<O>) -> Result<(), Refused> {
        self(settings, row, out).outcome()
    }
}

impl<F, R, O, V> MapFn<(R, O, V)> for F
where
    F: Fn(R, &mut Emit<O>) -> V + for<'a> Fn(R::At<'a>, &mut Emit<O>) -> V + Send + 'static,
    R: Row,
    O: OutputRow,
    V: Outcome,
{
    type Settings = ();
    type Row = R;
    type Output = O;

    #[inline(always)]
    fn call(&self, (): &(), row: R::At<'_>, out: &mut Emit<O>) -> Result<(), Refused> {
        self(row, out).outcome()
    }
}

/// A plugin that is a map: what [`export!`](crate::export) makes of a function.
pub trait MapPlugin {
    /// What it says of itself.
    fn describe() -> Description;
    /// An instance with this configuration.
    fn init(config: &Config) -> Result<Box<dyn Map>, String>;
}

/// An instance of a map.
pub trait Map: Send {
    /// Makes the rows of every row. The batch has exactly the inputs of the description, or the call panics.
    fn map(&self, rows: &Batch<'_>) -> MapAnswer;
}

/// What a map answered.
#[derive(Clone, Debug, PartialEq)]
pub struct MapAnswer {
    /// How many new rows there are.
    pub rows: usize,
    /// The columns of the outputs.
    pub columns: Vec<OwnedColumn>,
    /// For each new row its source; never descending.
    pub source_rows: Vec<u32>,
    /// Ascending by row.
    pub rejects: Vec<Reject>,
}

/// For [`export!`](crate::export).
#[doc(hidden)]
pub fn describe<F: MapFn<M>, M>(_: F, keeps_other_columns: bool) -> Description {
    Description {
        kind: Kind::Map,
        inputs: F::Row::COLUMNS,
        outputs: F::Output::COLUMNS,
        keeps_other_columns,
        state_version: 0,
        state_fingerprint: 0,
        migrates_from: &[],
    }
}

/// For [`export!`](crate::export).
#[doc(hidden)]
pub fn init<F: MapFn<M>, M: 'static>(function: F, config: &Config) -> Result<Box<dyn Map>, String> {
    let scales = scales(F::Row::COLUMNS, config)?;
    let settings = F::Settings::from_config(config)?;
    config.refuse_unknown()?;
    Ok(Box::new(Instance { function, settings, scales, parameters: PhantomData }))
}

struct Instance<F: MapFn<M>, M> {
    function: F,
    settings: F::Settings,
    scales: Vec<u8>,
    parameters: PhantomData<fn(M)>,
}

impl<F: MapFn<M>, M> Map for Instance<F, M> {
    fn map(&self, rows: &Batch<'_>) -> MapAnswer {
        let reader = F::Row::reader(rows, &self.scales);
        let mut out = Emit::<F::Output>::new();
        let mut rejects = Vec::new();
        for row in 0..rows.rows {
            let before = out.rows();
            out.begin(row);
            let outcome = self.function.call(&self.settings, F::Row::read(&reader, row), &mut out);
            if let Err(refused) = outcome {
                out.truncate(before);
                Reject::push(&mut rejects, row, refused);
            }
        }
        let rows = out.rows();
        let (columns, source_rows) = out.finish();
        MapAnswer { rows, columns, source_rows, rejects }
    }
}
