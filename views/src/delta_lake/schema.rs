//! The columns of a table: in the Delta protocol, and in its Parquet files.
//!
//! A reader takes the types from the log and the values from the files, so both are decided here at once.
//! String views and dictionaries become plain strings. Durations, for which the protocol has no type, become
//! counts of microseconds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use serde::Serialize;

/// Characters that names of columns cannot have, since Parquet columns have the same names.
const NOT_IN_NAMES: [char; 10] = [' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '='];

/// The columns of a table.
pub(super) struct Columns {
    /// The columns in a file.
    schema: SchemaRef,
    /// The schema in the log, as JSON.
    pub(super) text: String,
}

/// The type of a column, or of a value within one, in the log.
#[derive(Serialize)]
#[serde(untagged)]
enum DeltaType {
    Plain(String),
    Nested(Nested),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Nested {
    Struct { fields: Vec<DeltaField> },
    Array { element_type: Box<DeltaType>, contains_null: bool },
}

#[derive(Serialize)]
struct DeltaField {
    name: String,
    #[serde(rename = "type")]
    data_type: DeltaType,
    nullable: bool,
    /// Always empty.
    metadata: BTreeMap<String, String>,
}

impl Columns {
    /// The columns of a table that has these rows.
    pub(super) fn of(rows: &Schema) -> Result<Self, String> {
        if rows.fields().is_empty() {
            return Err("a table has at least one column".to_owned());
        }
        let (fields, delta) = columns("", rows.fields())?;
        let text = serde_json::to_string(&delta).map_err(|error| error.to_string())?;
        Ok(Columns { schema: Arc::new(Schema::new(fields)), text })
    }

    /// The rows with the columns of a file.
    pub(super) fn plain(&self, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let fields = self.schema.fields().iter();
        let columns =
            rows.columns().iter().zip(fields).map(|(column, field)| cast(column, field.data_type()));
        RecordBatch::try_new(self.schema.clone(), columns.collect::<Result<Vec<_>, _>>()?)
    }
}

/// The columns of a table, or the fields of the values of a column, whose path then ends with a dot.
fn columns(path: &str, fields: &Fields) -> Result<(Fields, Nested), String> {
    let mut names = BTreeSet::new();
    let (mut plain, mut delta) = (Vec::new(), Vec::new());
    for field in fields {
        let name = field.name();
        if name.is_empty() || name.contains(NOT_IN_NAMES) {
            return Err(format!("`{path}{name}` cannot be the name of a column of a table"));
        }
        // Most readers ignore case.
        if !names.insert(name.to_lowercase()) {
            return Err(format!("there are two columns `{path}{name}`, apart from upper and lower case"));
        }
        let (plain_type, data_type) = value(&format!("{path}{name}"), field.data_type())?;
        let nullable = field.is_nullable();
        plain.push(Field::new(name, plain_type, nullable));
        delta.push(DeltaField { name: name.clone(), data_type, nullable, metadata: BTreeMap::new() });
    }
    Ok((plain.into(), Nested::Struct { fields: delta }))
}

/// A type in a file, and in the log.
fn value(path: &str, data_type: &DataType) -> Result<(DataType, DeltaType), String> {
    let name = match data_type {
        DataType::Boolean => "boolean",
        DataType::Int32 => "integer",
        DataType::Int64 => "long",
        DataType::Duration(TimeUnit::Microsecond) => {
            return Ok((DataType::Int64, DeltaType::Plain("long".to_owned())));
        }
        DataType::Float64 => "double",
        DataType::Utf8 | DataType::Utf8View => {
            return Ok((DataType::Utf8, DeltaType::Plain("string".to_owned())));
        }
        DataType::Dictionary(_, values) => return value(path, values),
        DataType::Date32 => "date",
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if matches!(&**zone, "UTC" | "+00:00") => {
            "timestamp"
        }
        DataType::Decimal128(precision, scale) if *scale >= 0 => {
            return Ok((data_type.clone(), DeltaType::Plain(format!("decimal({precision},{scale})"))));
        }
        DataType::List(element) => return list(path, element),
        // Parquet has no groups without fields.
        DataType::Struct(fields) if !fields.is_empty() => {
            let (plain, delta) = columns(&format!("{path}."), fields)?;
            return Ok((DataType::Struct(plain), DeltaType::Nested(delta)));
        }
        _ => return Err(format!("`{path}` is a {data_type}: tables have no such type")),
    };
    Ok((data_type.clone(), DeltaType::Plain(name.to_owned())))
}

fn list(path: &str, element: &FieldRef) -> Result<(DataType, DeltaType), String> {
    let (plain, delta) = value(&format!("{path}.element"), element.data_type())?;
    let contains_null = element.is_nullable();
    let plain = DataType::List(Arc::new(Field::new("element", plain, contains_null)));
    Ok((plain, DeltaType::Nested(Nested::Array { element_type: Box::new(delta), contains_null })))
}
