//! Rows as a table for people, and the values of a row of JSON.

use serde_json::Value;

pub(crate) use metricc_comparison::report::{Rows, shown, table};

/// The values of a row, by their names.
pub(crate) fn values(row: &Value) -> Vec<(String, Value)> {
    match &row["value"] {
        Value::Object(outputs) => outputs.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        value => vec![("value".to_owned(), value.clone())],
    }
}
