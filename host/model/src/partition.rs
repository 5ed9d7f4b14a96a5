//! By what a table is parted: each of its files has one value in each of these columns.

use super::schema::{DATE_COLUMN, HOUR_COLUMN};

/// A column of which each file of a table has one value. It stands in the path of the file, and not in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionBy {
    /// The day (UTC) of a row's event time, in a column of its own.
    Date,
    /// The hour of that day, 0 to 23, in a column of its own.
    Hour,
    /// A column of the rows.
    Column(String),
}

impl PartitionBy {
    /// By its name among the columns of the table.
    pub fn of(column: String) -> Self {
        match column.as_str() {
            DATE_COLUMN => Self::Date,
            HOUR_COLUMN => Self::Hour,
            _ => Self::Column(column),
        }
    }

    /// Of the column.
    pub fn name(&self) -> &str {
        match self {
            Self::Date => DATE_COLUMN,
            Self::Hour => HOUR_COLUMN,
            Self::Column(name) => name,
        }
    }

    /// Its column if the rows have it themselves.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::Date | Self::Hour => None,
            Self::Column(name) => Some(name),
        }
    }
}

/// The values of a file in the columns by which its table is parted, as text, in the order of its folders; none for null.
pub type PartitionValues = Vec<(String, Option<String>)>;
