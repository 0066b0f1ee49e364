//! Rows on their way to a sink: as typed columns, and as the JSON objects of the answers of a node.
//!
//! The key of a row is the text `{"key":{…},"window":{…}}`, cut out of its JSON. All kinds of sinks tell rows
//! apart by it.

use arrow::array::RecordBatch;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::SinkError;

/// Some rows.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The columns.
    pub columns: RecordBatch,
    /// The JSON of each row.
    pub json: Vec<String>,
    /// Whether there is one value, which has no name.
    pub is_bare: bool,
}

/// A part of the changes. The parts of one write have each key once.
#[derive(Debug, Clone)]
pub enum Change {
    /// Rows that are new, or have other values.
    Written(Rows),
    /// Rows that are gone, as they were.
    Removed(Rows),
}

/// What differs between two versions, part by part; each is made when it is asked for.
pub trait Changes: Send {
    /// The next part; `None` after the last one.
    ///
    /// # Errors
    /// [`SinkError::NotComparable`], and [`SinkError::Refused`] if rows cannot be computed.
    fn next(&mut self) -> Result<Option<Change>, SinkError>;
}

/// The JSON of a row in its parts.
#[derive(Debug, Deserialize)]
pub struct Row<'a> {
    /// The keys of the metric.
    #[serde(borrow)]
    pub key: &'a RawValue,
    /// The window, or `null`.
    #[serde(borrow)]
    pub window: &'a RawValue,
    /// The value, or an object of values.
    #[serde(borrow)]
    pub value: &'a RawValue,
    /// What could not be computed.
    #[serde(borrow)]
    pub overflow: Option<&'a RawValue>,
}

impl<'a> Row<'a> {
    /// Takes the JSON of a row apart.
    ///
    /// # Errors
    /// [`SinkError::Refused`] if it is not the JSON of a row.
    pub fn parse(json: &'a str) -> Result<Self, SinkError> {
        serde_json::from_str(json)
            .map_err(|error| SinkError::Refused(format!("a row is not as rows of answers are: {error}")))
    }

    /// What tells the row from others.
    pub fn key_text(&self) -> String {
        format!("{{\"key\":{},\"window\":{}}}", self.key, self.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_row_is_cut_out_of_its_json() {
        let json = r#"{"metric":"m","key":{"a":"}\"","b":null},"window":{"start":"s","end":"e"},"value":{"x":1.50,"y":[1,2]},"overflow":{"x":2}}"#;
        let row = Row::parse(json).unwrap();
        assert_eq!(row.key_text(), r#"{"key":{"a":"}\"","b":null},"window":{"start":"s","end":"e"}}"#);
        assert_eq!(row.value.get(), r#"{"x":1.50,"y":[1,2]}"#);
        assert_eq!(row.overflow.map(RawValue::get), Some(r#"{"x":2}"#));
        let plain = Row::parse(r#"{"metric":"m","key":{},"window":null,"value":null}"#).unwrap();
        assert_eq!((plain.key_text().as_str(), plain.value.get()), (r#"{"key":{},"window":null}"#, "null"));
        assert!(plain.overflow.is_none() && Row::parse("{}").is_err());
    }
}
