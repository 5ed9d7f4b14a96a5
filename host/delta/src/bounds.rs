//! How a data file is encoded, and what readers may know of its columns without opening it: taken from the footer that the
//! encoder has just written, so it costs nothing per row.

use std::fmt;

use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::datatypes::{Date32Type, TimestampMicrosecondType};
use arrow::temporal_conversions::{as_date, as_datetime};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::Statistics;

use sluicegate_chain::shape::{ColumnStatistics, FileStatistics};

/// The columns that have statistics, from the first on; as many as other writers of Delta tables take. Each costs some 50
/// bytes a file in the chain record and in the table's log.
const COLUMNS_MAX: usize = 32;

/// A row group is what a reader loads at once and what it can skip; larger ones would not compress better, and this
/// bounds what an open file holds before it is encoded.
const ROW_GROUP_BYTES_MAX: usize = 32 * 1024 * 1024;

/// zstd at level 1, dictionaries, statistics per page and column chunk.
///
/// # Errors
///
/// Never: the level is one that there is.
pub fn writer_properties() -> Result<WriterProperties, ParquetError> {
    let properties = WriterProperties::builder()
        .set_created_by(concat!("sluicegate ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_dictionary_enabled(true)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES_MAX));
    Ok(properties.build())
}

/// Of the columns of a closed file.
pub fn statistics_of(schema: &SchemaRef, groups: &[RowGroupMetaData]) -> FileStatistics {
    let fields = schema.fields().iter().take(COLUMNS_MAX);
    let known = fields.filter_map(|field| {
        let known = groups.iter().map(|group| of_group(field, group));
        let all = known.reduce(|all, next| Some(all?.with(next?))).flatten()?;
        Some((field.name().clone(), all.into_texts(field.data_type())))
    });
    known.collect()
}

/// What is known of a column in some row groups.
struct Known {
    nulls: u64,
    /// None: not known, or there are only nulls.
    range: Range,
}

/// Smallest and largest value.
enum Range {
    /// There is no value.
    Empty,
    /// There are values, and nothing can be said of them.
    Unknown,
    Within(Value, Value),
}

/// A value as Parquet's statistics have it.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
enum Value {
    Whole(i128),
    Float(f64),
    Single(f32),
    Text(String),
    Bool(bool),
}

fn of_group(field: &Field, group: &RowGroupMetaData) -> Option<Known> {
    let is_it = |path: &[String]| matches!(path, [name] if name == field.name());
    let column = group.columns().iter().find(|column| is_it(column.column_path().parts()))?;
    let statistics = column.statistics()?;
    let nulls = statistics.null_count_opt()?;
    let values = u64::try_from(column.num_values()).ok()?.checked_sub(nulls)?;
    let range = match (values, range_of(field.data_type(), statistics)) {
        (0, _) => Range::Empty,
        (_, Some((min, max))) => Range::Within(min, max),
        (_, None) => Range::Unknown,
    };
    Some(Known { nulls, range })
}

fn range_of(kind: &DataType, statistics: &Statistics) -> Option<(Value, Value)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok().map(Value::Text);
    let range = match statistics {
        Statistics::Boolean(of) => (Value::Bool(*of.min_opt()?), Value::Bool(*of.max_opt()?)),
        Statistics::Int32(of) => {
            (Value::Whole((*of.min_opt()?).into()), Value::Whole((*of.max_opt()?).into()))
        }
        Statistics::Int64(of) => {
            (Value::Whole((*of.min_opt()?).into()), Value::Whole((*of.max_opt()?).into()))
        }
        Statistics::Float(of) => (Value::Single(*of.min_opt()?), Value::Single(*of.max_opt()?)),
        Statistics::Double(of) => (Value::Float(*of.min_opt()?), Value::Float(*of.max_opt()?)),
        Statistics::ByteArray(of) if *kind == DataType::Utf8 => {
            (text(of.min_opt()?.data())?, text(of.max_opt()?.data())?)
        }
        Statistics::FixedLenByteArray(of) if matches!(kind, DataType::Decimal128(..)) => {
            let exact = of.min_is_exact() && of.max_is_exact();
            let whole = |bytes: &[u8]| big_endian(bytes).map(Value::Whole);
            (whole(of.min_opt()?.data())?, whole(of.max_opt()?.data()).filter(|_| exact)?)
        }
        // Bytes have no order that all readers agree on.
        Statistics::ByteArray(_) | Statistics::FixedLenByteArray(_) | Statistics::Int96(_) => {
            return None;
        }
    };
    Some(range)
}

/// A signed number of at most sixteen bytes.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let fill = if bytes.first()? & 0x80 == 0 { 0 } else { 0xff };
    let mut whole = [fill; 16];
    whole.get_mut(16_usize.checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
    Some(i128::from_be_bytes(whole))
}

impl Known {
    fn with(self, next: Self) -> Self {
        let range = match (self.range, next.range) {
            (Range::Empty, range) | (range, Range::Empty) => range,
            (Range::Within(min, max), Range::Within(next_min, next_max)) => Range::Within(
                if next_min < min { next_min } else { min },
                if next_max > max { next_max } else { max },
            ),
            (Range::Unknown, _) | (_, Range::Unknown) => Range::Unknown,
        };
        Self { nulls: self.nulls + next.nulls, range }
    }

    fn into_texts(self, kind: &DataType) -> ColumnStatistics {
        let (min, max) = match self.range {
            Range::Within(min, max) => (min.text(kind), max.text(kind)),
            Range::Empty | Range::Unknown => (None, None),
        };
        // Parquet leaves NaN out of its bounds, and other readers sort it behind all numbers.
        let is_float = matches!(kind, DataType::Float32 | DataType::Float64);
        ColumnStatistics { min, max: max.filter(|_| !is_float), nulls: self.nulls }
    }
}

impl Value {
    /// As records write it; none for what has no text there.
    fn text(&self, kind: &DataType) -> Option<String> {
        match (self, kind) {
            (Self::Bool(value), _) => Some(value.to_string()),
            (Self::Single(value), _) => value.is_finite().then(|| value.to_string()),
            (Self::Float(value), _) => value.is_finite().then(|| value.to_string()),
            (Self::Text(text), _) => Some(text.clone()),
            (Self::Whole(days), DataType::Date32) => {
                let date = as_date::<Date32Type>(i64::try_from(*days).ok()?)?;
                Some(date.format("%Y-%m-%d").to_string()).filter(|text| text.len() == 10)
            }
            (Self::Whole(micros), DataType::Timestamp(..)) => {
                let time = as_datetime::<TimestampMicrosecondType>(i64::try_from(*micros).ok()?)?;
                // Years of four digits: others are written in as many ways as there are readers.
                let text = time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
                (text.len() == 27).then_some(text)
            }
            (
                Self::Whole(whole),
                DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale),
            ) => {
                let scale = usize::try_from(*scale).ok()?;
                Some(Decimal { whole: *whole, scale }.to_string())
            }
            (Self::Whole(whole), _) => Some(whole.to_string()),
        }
    }
}

/// A number with so many digits behind the point.
struct Decimal {
    whole: i128,
    scale: usize,
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.whole < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", self.whole.unsigned_abs(), width = self.scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - self.scale);
        match fraction {
            "" => write!(f, "{sign}{whole}"),
            fraction => write!(f, "{sign}{whole}.{fraction}"),
        }
    }
}
