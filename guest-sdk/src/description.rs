//! What a plugin says of itself: kind, columns, state. The Rust twin of `interface description` of the contract.

use crate::{Layout, OutputRow, Row};

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// `bool`.
    Boolean,
    /// `i64`.
    Int64,
    /// `f64`.
    Float64,
    /// [`Timestamp`](crate::Timestamp).
    TimestampUs,
    /// [`Date`](crate::Date).
    Date,
    /// [`Decimal`](crate::Decimal). An input without a type takes every scale, and every precision up to 18.
    Decimal(Option<DecimalType>),
    /// [`Decimal38`](crate::Decimal38). An input without a type takes every precision and scale.
    Decimal38(Option<DecimalType>),
    /// `&str`.
    Utf8,
    /// [`Text`](crate::Text): a column of texts, which the plugin would rather have by code.
    Text,
    /// `&[u8]`.
    Binary,
}

/// How many digits a decimal column has: in all, and behind the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecimalType {
    /// In all, 1 to 38.
    pub precision: u8,
    /// Behind the point, 0 to `precision`.
    pub scale: u8,
}

impl DecimalType {
    /// Whether a value takes two words of the column, and a [`Decimal38`](crate::Decimal38) to hold it.
    #[inline]
    pub(crate) const fn is_long(self) -> bool {
        self.precision as u32 > crate::Decimal::DIGITS_MAX
    }
}

/// A column that a plugin reads or makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Its name in the pipeline.
    pub name: &'static str,
    /// Its type.
    pub column_type: ColumnType,
    /// The field is an `Option`.
    pub nullable: bool,
}

/// What kind of stage a plugin can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Keeps or drops rows.
    Filter,
    /// Makes any number of rows of each.
    Map,
    /// Accumulates rows per group.
    Aggregate,
    /// Keeps state per key and acts in event time.
    Process,
}

/// What a plugin says of itself. Made by the functions behind [`export!`](crate::export).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What kind it is.
    pub kind: Kind,
    /// The columns its calls get, in this order.
    pub inputs: &'static [ColumnSpec],
    /// The columns it makes, in this order.
    pub outputs: &'static [ColumnSpec],
    /// A map whose rows keep the columns of their source rows that `outputs` does not name.
    pub keeps_other_columns: bool,
    /// Version of the layout of the state; 0 without state.
    pub state_version: u32,
    /// Fingerprint of that layout; 0 without state.
    pub state_fingerprint: u64,
    /// The versions that `migrate` takes.
    pub migrates_from: &'static [u32],
}

impl Description {
    /// Of a plugin with state: it reads `R`, remembers `S` and makes `O`.
    pub(crate) const fn with_state<R: Row, S: Layout, O: OutputRow>(
        kind: Kind,
        state_version: u32,
        migrates_from: &'static [u32],
    ) -> Self {
        Self {
            kind,
            inputs: R::COLUMNS,
            outputs: O::COLUMNS,
            keeps_other_columns: false,
            state_version,
            state_fingerprint: S::LAYOUT,
            migrates_from,
        }
    }
}

/// The SDK and its version, as the contract's `describe` gives them.
pub const SDK: &str = concat!("sluicegate-sdk ", env!("CARGO_PKG_VERSION"));

impl ColumnType {
    /// This decimal type with digits. Fails to compile on other types and on digits no column has.
    #[doc(hidden)]
    pub const fn with_digits(self, precision: u8, scale: u8) -> Self {
        assert!(precision >= 1 && precision <= 38, "a decimal has 1 to 38 digits");
        assert!(
            scale <= precision,
            "a decimal has at most as many digits behind the point as in all"
        );
        let digits = Some(DecimalType { precision, scale });
        match self {
            Self::Decimal(_) => Self::Decimal(digits),
            Self::Decimal38(_) => Self::Decimal38(digits),
            _ => panic!("#[column(decimal(..))] belongs on a Decimal or a Decimal38"),
        }
    }
}

impl Description {
    /// The inputs that a filter takes by code if the host knows how rows share their texts, ascending.
    #[doc(hidden)]
    pub fn coded(&self) -> impl Iterator<Item = usize> {
        let inputs = self.inputs.iter().enumerate();
        inputs.filter(|(_, input)| input.column_type == ColumnType::Text).map(|(index, _)| index)
    }
}

impl ColumnSpec {
    /// This column. Fails to compile on digits for which the field has no room.
    #[doc(hidden)]
    pub const fn of_field(self) -> Self {
        if let ColumnType::Decimal(Some(digits)) = self.column_type {
            assert!(
                !digits.is_long(),
                "a Decimal has room for 18 digits: make the field a Decimal38"
            );
        }
        self
    }

    /// This column as an output. Fails to compile on a decimal without digits.
    #[doc(hidden)]
    pub const fn of_output(self) -> Self {
        assert!(
            !matches!(self.column_type, ColumnType::Decimal(None) | ColumnType::Decimal38(None)),
            "a decimal output names its digits: #[column(decimal(PRECISION, SCALE))]"
        );
        self
    }
}
