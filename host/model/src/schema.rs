//! The declared columns of a pipeline: names, types, where their values come from, and their Arrow fields.

use std::fmt;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Fields, SchemaRef, TimeUnit};

use crate::time_text::TimeFormat;

/// The column of the day in tables that are parted by it.
pub const DATE_COLUMN: &str = "date";

/// The column of the hour of the day in tables that are parted by it.
pub const HOUR_COLUMN: &str = "hour";

/// The columns of a pipeline's records, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// At least one; names are unique.
    pub columns: Vec<Column>,
}

/// A column of the records, as `[schema]` declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, in plugins and in tables.
    pub name: String,
    /// Its type, and for times how the JSON writes them.
    pub kind: ColumnType,
    /// Whether a record may lack it or have `null` there.
    pub nullable: bool,
    /// Where its values come from.
    pub origin: Origin,
    /// How texts are read, where the type leaves a choice.
    pub form: TextForm,
}

/// Where the values of a column come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the JSON object: where they stand in it, outermost key first, never empty. `["price"]` for a plain column.
    Value(Vec<String>),
    /// From what a source knows of a record beside its value.
    Metadata(Metadata),
}

/// What a source knows of a record beside its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// Name of the topic, UTF-8; of Kafka sources only.
    Topic,
    /// The file, as positions name it.
    Path,
    /// The number of the partition in its topic.
    Partition,
    /// The offset in its partition; of a line the byte at which it begins.
    Offset,
    /// The timestamp of the record, by the clock of its sender or of the broker.
    Timestamp,
    /// The bytes of the key; null if the record has none.
    Key,
    /// All headers in their order.
    Headers,
    /// The last header of this name.
    Header(String),
}

/// The beginning of what names a single header.
pub const HEADER: &str = "header:";

/// As pipeline files write it.
impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic => f.write_str("topic"),
            Self::Path => f.write_str("path"),
            Self::Partition => f.write_str("partition"),
            Self::Offset => f.write_str("offset"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Key => f.write_str("key"),
            Self::Headers => f.write_str("headers"),
            Self::Header(name) => write!(f, "{HEADER}{name}"),
        }
    }
}

/// How the texts of a column are read, where its type leaves a choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextForm {
    /// Seconds that a time without a zone is ahead of UTC.
    pub zone: i32,
    /// How a time or a day is written, if not as its type says.
    pub format: Option<TimeFormat>,
    /// Whether numbers are taken from texts, too.
    pub quoted: bool,
}

/// What a column holds, and how JSON writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    String,
    /// Any value of JSON, kept as its text.
    Json,
    /// Bytes. JSON has none: only keys and headers.
    Binary,
    /// 64-bit signed integer.
    Int64,
    /// IEEE double; JSON integers are taken too.
    Float64,
    /// true or false.
    Bool,
    /// A moment, kept as microseconds UTC.
    Timestamp(TimestampEncoding),
    /// A day, kept as days since 1970; `"2026-11-21"` in JSON.
    Date,
    /// Exact decimal, kept as an unscaled i64, or i128 if it has more than 18 digits; a JSON number or string with at
    /// most `scale` digits behind the point (trailing zeros apart).
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits behind the point, not more than `precision`.
        scale: u8,
    },
}

/// How the JSON writes a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampEncoding {
    /// A number of seconds since 1970; a fraction is taken to the microsecond, as in all numbers of times.
    UnixSeconds,
    /// A number of milliseconds since 1970.
    UnixMillis,
    /// A number of microseconds since 1970.
    UnixMicros,
    /// A string like `2026-11-21T10:00:00Z`, with any offset and fraction.
    Rfc3339,
    /// A string like `2026-11-21 10:00:00` that need not have a zone.
    Local,
}

impl TimestampEncoding {
    /// A number is of units of 10 to this power µs. None: it is no number.
    #[inline]
    pub fn digits(self) -> Option<u8> {
        match self {
            Self::UnixSeconds => Some(6),
            Self::UnixMillis => Some(3),
            Self::UnixMicros => Some(0),
            Self::Rfc3339 | Self::Local => None,
        }
    }
}

impl ColumnType {
    /// The Arrow type that holds it.
    pub fn data_type(self) -> DataType {
        match self {
            Self::String | Self::Json => DataType::Utf8,
            Self::Binary => DataType::Binary,
            Self::Int64 => DataType::Int64,
            Self::Float64 => DataType::Float64,
            Self::Bool => DataType::Boolean,
            Self::Timestamp(_) => timestamp_type(),
            Self::Date => DataType::Date32,
            Self::Decimal { precision, scale } => decimal_type(precision, scale),
        }
    }
}

/// Digits of the longest decimal.
pub const DECIMAL_DIGITS_MAX: u8 = 38;
/// Digits of the longest that is kept in 64 bits: every number of so many fits.
pub const DECIMAL64_DIGITS_MAX: u8 = 18;

/// The Arrow type of a decimal: half as wide where that is enough.
///
/// Panics on a scale of more than 127; a checked one is at most the precision.
pub fn decimal_type(precision: u8, scale: u8) -> DataType {
    let scale = i8::try_from(scale).expect("a scale is at most the precision");
    if precision <= DECIMAL64_DIGITS_MAX {
        DataType::Decimal64(precision, scale)
    } else {
        DataType::Decimal128(precision, scale)
    }
}

/// Precision and scale of a decimal.
pub fn decimal_digits(data_type: &DataType) -> Option<(u8, i8)> {
    match data_type {
        DataType::Decimal64(precision, scale) | DataType::Decimal128(precision, scale) => {
            Some((*precision, *scale))
        }
        _ => None,
    }
}

/// The Arrow type of every time: microseconds, UTC (docs/design/decisions.md#d10).
pub fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")))
}

/// The fields of columns some of which have codes for their values, or have them no longer. Other types stay as they are, for
/// whoever makes a batch to compare with the columns.
pub fn with_codes(fields: &SchemaRef, columns: &[ArrayRef]) -> SchemaRef {
    let is_of = |codes: &DataType, values: &DataType| match codes {
        DataType::Dictionary(_, of) => **of == *values,
        _ => false,
    };
    let differs = |field: &Arc<Field>, column: &ArrayRef| {
        let (declared, found) = (field.data_type(), column.data_type());
        is_of(declared, found) || is_of(found, declared)
    };
    let each = || fields.fields().iter().zip(columns);
    if !each().any(|(field, column)| differs(field, column)) {
        return Arc::clone(fields);
    }
    let typed = each().map(|(field, column)| match differs(field, column) {
        true => Arc::new(field.as_ref().clone().with_data_type(column.data_type().clone())),
        false => Arc::clone(field),
    });
    let fields = typed.collect::<Fields>();
    Arc::new(arrow::datatypes::Schema::new(fields))
}

/// The type as pipeline files have it.
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "bool".to_owned(),
        DataType::Int64 => "int64".to_owned(),
        DataType::Float64 => "float64".to_owned(),
        DataType::Timestamp(TimeUnit::Microsecond, _) => "timestamp".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Utf8 => "string".to_owned(),
        DataType::Binary => "binary".to_owned(),
        DataType::Decimal64(0, 0) => "decimal".to_owned(),
        other => match decimal_digits(other) {
            Some((precision, scale)) => format!("decimal({precision},{scale})"),
            None => other.to_string(),
        },
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("string"),
            Self::Json => f.write_str("json"),
            Self::Binary => f.write_str("binary"),
            Self::Int64 => f.write_str("int64"),
            Self::Float64 => f.write_str("float64"),
            Self::Bool => f.write_str("bool"),
            Self::Timestamp(TimestampEncoding::UnixSeconds) => f.write_str("timestamp(s)"),
            Self::Timestamp(TimestampEncoding::UnixMillis) => f.write_str("timestamp(ms)"),
            Self::Timestamp(TimestampEncoding::UnixMicros) => f.write_str("timestamp(us)"),
            Self::Timestamp(TimestampEncoding::Rfc3339) => f.write_str("timestamp(rfc3339)"),
            Self::Timestamp(TimestampEncoding::Local) => f.write_str("timestamp(local)"),
            Self::Date => f.write_str("date"),
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
        }
    }
}

impl Schema {
    /// Whether a column is made of headers.
    pub fn reads_headers(&self) -> bool {
        let of_headers =
            |metadata: &Metadata| matches!(metadata, Metadata::Headers | Metadata::Header(_));
        self.columns.iter().filter_map(Column::metadata).any(of_headers)
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<(usize, &Column)> {
        self.columns.iter().enumerate().find(|(_, column)| column.name == name)
    }
}

impl Column {
    /// The Arrow field of the decoded column.
    pub fn field(&self) -> Field {
        Field::new(&self.name, self.kind.data_type(), self.nullable)
    }

    /// Where it stands in the JSON; none if it does not come from there.
    pub fn path(&self) -> Option<&[String]> {
        match &self.origin {
            Origin::Value(path) => Some(path),
            Origin::Metadata(_) => None,
        }
    }

    /// What it is of a record beside the value; none if it is a part of that.
    pub fn metadata(&self) -> Option<&Metadata> {
        match &self.origin {
            Origin::Value(_) => None,
            Origin::Metadata(metadata) => Some(metadata),
        }
    }
}
