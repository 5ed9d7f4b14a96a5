//! Filters: a function that says of each row whether it goes on.

use std::marker::PhantomData;

use crate::row::scales;
use crate::{Batch, Config, Description, FromConfig, Kind, Refused, Reject, Row};

/// A function that can be exported as a filter.
///
/// `fn(Row) -> bool`, or `fn(&Settings, Row) -> bool` with settings that are [`FromConfig`]. Instead of `bool` it may
/// return `Result<bool, String>` or `Result<bool, &'static str>`: an error refuses the row, whose record the host
/// dead-letters with that reason. `M` stands for the parameters and is inferred.
#[diagnostic::on_unimplemented(
    message = "this function is not a filter",
    note = "a filter is `fn(Row<'_>) -> bool` or `fn(&Settings, Row<'_>) -> bool`, where `Row` has `#[derive(Row)]` and `Settings` implements `FromConfig`; `Result<bool, String>` is possible too"
)]
pub trait FilterFn<M>: Send + 'static {
    /// What it is configured with.
    type Settings: FromConfig;
    /// What it reads.
    type Row: Row;
    /// Calls the function.
    fn call(
        &self,
        settings: &Self::Settings,
        row: <Self::Row as Row>::At<'_>,
    ) -> Result<bool, Refused>;
}

/// What a filter may return.
#[diagnostic::on_unimplemented(message = "a filter returns `bool` or `Result<bool, String>`")]
pub trait Verdict {
    /// Whether the row goes on, or why it is refused.
    fn verdict(self) -> Result<bool, Refused>;
}

impl Verdict for bool {
    #[inline(always)]
    fn verdict(self) -> Result<bool, Refused> {
        Ok(self)
    }
}

impl<E: Into<Refused>> Verdict for Result<bool, E> {
    #[inline(always)]
    fn verdict(self) -> Result<bool, Refused> {
        self.map_err(Into::into)
    }
}

// The two bounds on `F` are one function: the first lets the compiler infer `R`, the second lets it be called with
// rows that borrow from any batch.
impl<F, S, R, V> FilterFn<(S, R, V)> for F
where
    F: Fn(&S, R) -> V + for<'a> Fn(&S, R::At<'a>) -> V + Send + 'static,
    S: FromConfig,
    R: Row,
    V: Verdict,
{
    type Settings = S;
    type Row = R;

    #[inline(always)]
    fn call(&self, settings: &S, row: R::At<'_>) -> Result<bool, Refused> {
        self(settings, row).verdict()
    }
}

impl<F, R, V> FilterFn<(R, V)> for F
where
    F: Fn(R) -> V + for<'a> Fn(R::At<'a>) -> V + Send + 'static,
    R: Row,
    V: Verdict,
{
    type Settings = ();
    type Row = R;

    #[inline(always)]
    fn call(&self, (): &(), row: R::At<'_>) -> Result<bool, Refused> {
        self(row).verdict()
    }
}

/// A plugin that is a filter: what [`export!`](crate::export) makes of a function.
pub trait FilterPlugin {
    /// What it says of itself.
    fn describe() -> Description;
    /// An instance with this configuration.
    fn init(config: &Config) -> Result<Box<dyn Filter>, String>;
}

/// An instance of a filter.
pub trait Filter: Send {
    /// Judges every row. The batch has exactly the inputs of the description, or the call panics.
    fn filter(&self, rows: &Batch<'_>) -> FilterAnswer;
}

/// What a filter answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterAnswer {
    /// Bit set: the row goes on. Least significant first; not set where the row was refused.
    pub keep: Vec<u8>,
    /// Ascending by row.
    pub rejects: Vec<Reject>,
}

/// For [`export!`](crate::export).
#[doc(hidden)]
pub fn describe<F: FilterFn<M>, M>(_: F) -> Description {
    Description {
        kind: Kind::Filter,
        inputs: F::Row::COLUMNS,
        outputs: &[],
        keeps_other_columns: false,
        state_version: 0,
        state_fingerprint: 0,
        migrates_from: &[],
    }
}

/// For [`export!`](crate::export).
#[doc(hidden)]
pub fn init<F: FilterFn<M>, M: 'static>(
    function: F,
    config: &Config,
) -> Result<Box<dyn Filter>, String> {
    let scales = scales(F::Row::COLUMNS, config)?;
    let settings = F::Settings::from_config(config)?;
    config.refuse_unknown()?;
    Ok(Box::new(Instance { function, settings, scales, parameters: PhantomData }))
}

struct Instance<F: FilterFn<M>, M> {
    function: F,
    settings: F::Settings,
    scales: Vec<u8>,
    parameters: PhantomData<fn(M)>,
}

impl<F: FilterFn<M>, M> Filter for Instance<F, M> {
    fn filter(&self, rows: &Batch<'_>) -> FilterAnswer {
        let reader = F::Row::reader(rows, &self.scales);
        let mut rejects = Vec::new();
        let mut judge = |row: usize| {
            let verdict = self.function.call(&self.settings, F::Row::read(&reader, row));
            verdict.unwrap_or_else(|refused| {
                Reject::push(&mut rejects, row, refused);
                false
            })
        };
        let keep = (0..rows.rows.div_ceil(8))
            .map(|byte| {
                let bits = byte * 8..rows.rows.min(byte * 8 + 8);
                bits.fold(0, |bits, row| bits | u8::from(judge(row)) << (row % 8))
            })
            .collect();
        FilterAnswer { keep, rejects }
    }
}
