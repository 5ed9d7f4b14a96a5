//! Columns of a table: from Arrow into the chain's records, from there into the log, and how a table may grow.

use arrow::datatypes::{DataType, Field as ArrowField, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use sluicegate_chain::shape::{ColumnShape, TableShape};
use sluicegate_model::partition::PartitionBy;

/// The columns of a table as records tell them. Date and hour, if it is parted by them, are its last.
///
/// # Errors
///
/// The column that Delta tables have no type for, or that cannot part the table.
pub fn shape_of(schema: &SchemaRef, partition_by: &[PartitionBy]) -> Result<TableShape, String> {
    let column = |field: &ArrowField| {
        let kind = kind_of(field.data_type()).ok_or_else(|| {
            format!(
                "column `{}` has the type {}, which Delta tables lack",
                field.name(),
                field.data_type()
            )
        })?;
        Ok(ColumnShape { name: field.name().clone(), kind, nullable: field.is_nullable() })
    };
    let columns = schema.fields().iter().map(|field| column(field));
    let mut columns = columns.collect::<Result<Vec<_>, String>>()?;
    for by in partition_by {
        let kind = match by {
            PartitionBy::Date => json!("date"),
            PartitionBy::Hour => json!("integer"),
            PartitionBy::Column(_) => continue,
        };
        columns.push(ColumnShape { name: by.name().to_owned(), kind, nullable: false });
    }
    for name in partition_by.iter().filter_map(PartitionBy::column) {
        let Some(column) = columns.iter().find(|column| column.name == name) else {
            return Err(format!(
                "it is to be partitioned by `{name}`, and its rows have no such column"
            ));
        };
        let kind = column.kind.as_str().unwrap_or("list or struct");
        if matches!(kind, "float" | "double" | "binary" | "list or struct") {
            return Err(format!("it cannot be partitioned by `{name}`, which is a {kind}"));
        }
    }
    let partition_by: Vec<String> = partition_by.iter().map(|by| by.name().to_owned()).collect();
    if columns.iter().all(|column| partition_by.contains(&column.name)) {
        return Err(
            "it is partitioned by all its columns, and nothing is left for its files".to_owned()
        );
    }
    Ok(TableShape { columns, partition_by })
}

fn kind_of(kind: &DataType) -> Option<Value> {
    Some(match kind {
        DataType::Boolean => json!("boolean"),
        DataType::Int8 => json!("byte"),
        DataType::Int16 => json!("short"),
        DataType::Int32 => json!("integer"),
        DataType::Int64 => json!("long"),
        DataType::Float32 => json!("float"),
        DataType::Float64 => json!("double"),
        DataType::Utf8 => json!("string"),
        DataType::Binary => json!("binary"),
        DataType::Date32 => json!("date"),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => json!("timestamp"),
        DataType::Decimal64(precision, scale) | DataType::Decimal128(precision, scale) => {
            json!(format!("decimal({precision},{scale})"))
        }
        DataType::List(element) => json!({
            "type": "array",
            "elementType": kind_of(element.data_type())?,
            "containsNull": element.is_nullable(),
        }),
        DataType::Struct(fields) => {
            let field = |field: &std::sync::Arc<ArrowField>| {
                let (name, nullable) = (field.name(), field.is_nullable());
                let kind = kind_of(field.data_type())?;
                Some(json!({ "name": name, "type": kind, "nullable": nullable, "metadata": {} }))
            };
            let fields = fields.iter().map(field).collect::<Option<Vec<_>>>()?;
            json!({ "type": "struct", "fields": fields })
        }
        _ => return None,
    })
}

/// How a column of a named type is read and written; none for what is not known here.
pub(super) fn arrow_of(kind: &str) -> Option<DataType> {
    Some(match kind {
        "boolean" => DataType::Boolean,
        "byte" => DataType::Int8,
        "short" => DataType::Int16,
        "integer" => DataType::Int32,
        "long" => DataType::Int64,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "string" => DataType::Utf8,
        "binary" => DataType::Binary,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        _ => {
            let digits = kind.strip_prefix("decimal(")?.strip_suffix(')')?;
            let (precision, scale) = digits.split_once(',')?;
            DataType::Decimal128(precision.trim().parse().ok()?, scale.trim().parse().ok()?)
        }
    })
}

/// A column as the log has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// As readers know it.
    pub name: String,
    /// A name, or an object for a list or a struct.
    #[serde(rename = "type")]
    pub kind: Value,
    /// Whether a row may lack it.
    pub nullable: bool,
    /// Comments and constraints, which others may have made.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct Struct {
    #[serde(rename = "type")]
    kind: String,
    fields: Vec<Field>,
}

/// The columns of a log's schema.
///
/// # Errors
///
/// What is wrong with it, as the end of a sentence.
pub fn parse(schema: &str) -> Result<Vec<Field>, String> {
    serde_json::from_str(schema).map(|Struct { fields, .. }| fields).map_err(|it| it.to_string())
}

/// The columns as a log's schema.
pub fn write(fields: Vec<Field>) -> String {
    let schema = Struct { kind: "struct".to_owned(), fields };
    serde_json::to_string(&schema).expect("names and types are JSON")
}

impl From<&ColumnShape> for Field {
    fn from(column: &ColumnShape) -> Self {
        let ColumnShape { name, kind, nullable } = column.clone();
        Self { name, kind, nullable, metadata: Map::new() }
    }
}

/// The columns of a table that is to take files of this shape; none if it takes them as it is.
///
/// A column that is new is one that the rows before it lack. One that is not written any more stays, if rows may lack it: so
/// one can go back to a pipeline that did not have it yet.
///
/// # Errors
///
/// The column that does not fit, as a sentence without its end.
pub fn grown(table: &[Field], shape: &TableShape) -> Result<Option<Vec<Field>>, String> {
    let mut fields = table.to_vec();
    let mut has_changed = false;
    for column in &shape.columns {
        let Some(field) = fields.iter_mut().find(|field| field.name == column.name) else {
            if let Some(other) = table.iter().find(|it| it.name.eq_ignore_ascii_case(&column.name))
            {
                let (name, other) = (&column.name, &other.name);
                return Err(format!("column `{name}` is `{other}` in the table"));
            }
            fields.push(Field { nullable: true, ..column.into() });
            has_changed = true;
            continue;
        };
        if field.kind != column.kind {
            let (name, is, was) = (&column.name, text(&column.kind), text(&field.kind));
            return Err(format!("column `{name}` is {is} here and {was} in the table"));
        }
        if column.nullable && !field.nullable {
            field.nullable = true;
            has_changed = true;
        }
    }
    let is_written = |field: &Field| shape.columns.iter().any(|column| column.name == field.name);
    if let Some(lost) = fields.iter().find(|field| !field.nullable && !is_written(field)) {
        return Err(format!("no row has the column `{}`, which the table demands", lost.name));
    }
    Ok(has_changed.then_some(fields))
}

/// A type for a person.
fn text(kind: &Value) -> String {
    kind.as_str().map_or_else(|| kind.to_string(), str::to_owned)
}
