//! The one decoder: from a value as a record writes it to a typed value, or the reason why not.
//! NDJSON and CSV come through here, and share the functions on numbers and times with Parquet.
//!
//! | type | JSON | CSV |
//! |---|---|---|
//! | bool | `true`, `false` | the same |
//! | int | a number without fraction and exponent | the same |
//! | decimal, float | a number | the same |
//! | string, enum | a string | any text; an empty one in quotes |
//! | date | a string, `2026-04-25` | the same text |
//! | timestamp | a string, see [`timestamp`]; with `unit`, also an integer | the same text, or the digits |
//! | duration | an integer of µs, or a string, see [`duration`] | the digits, or the same text |
//! | list | an array | none: the log does not open |
//!
//! A field that is absent or null (in CSV, an empty cell without quotes) has its default; without one it
//! is null, if it is optional; otherwise the record is rejected.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::ArrayRef;
use metricc_ir::TimeUnit;

use crate::column::{Column, Scalar};
use crate::record_decoder::{FieldDecoder, RecordDecoder, ValueFormat};
use metricc_ir::text::number;
use metricc_ir::text::{duration, timestamp};

/// The longest excerpt of a record that is kept, in characters.
const MAX_EXCERPT: usize = 80;

/// A value as it stands in a record of text.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Raw<'a> {
    /// A JSON literal.
    Bool(bool),
    /// A JSON number, by its digits.
    Number(&'a str),
    /// A JSON string, without escapes.
    Text(&'a str),
    /// A CSV cell, without its quotes. It does not say its type.
    Cell(&'a str),
    /// A JSON array.
    Array,
    /// A JSON object.
    Object,
}

/// Why a value does not decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) text: Cow<'static, str>,
    /// The value as it was read.
    pub(crate) excerpt: String,
}

/// Why a record does not decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reject {
    /// Index of the field; `None` if it is the record as a whole.
    pub(crate) field: Option<usize>,
    pub(crate) problem: Problem,
}

impl Problem {
    pub(crate) fn new(text: impl Into<Cow<'static, str>>, value: &str) -> Self {
        Problem { text: text.into(), excerpt: excerpt(value) }
    }

    pub(crate) fn in_field(self, field: usize) -> Reject {
        Reject { field: Some(field), problem: self }
    }

    pub(crate) fn in_record(self) -> Reject {
        Reject { field: None, problem: self }
    }

    /// What is wrong with a record that has neither a value nor a default for a field.
    pub(crate) fn missing(field: &FieldDecoder) -> Self {
        Problem::new(format!("absent or null, and `{}` is not optional", field.value.ty), "")
    }
}

/// The start of a text in one line of at most 80 characters.
pub(crate) fn excerpt(text: &str) -> String {
    let mut shown: String =
        text.chars().take(MAX_EXCERPT + 1).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if let Some((at, _)) = shown.char_indices().nth(MAX_EXCERPT) {
        let keep = shown[..at].char_indices().last().map_or(0, |(at, _)| at);
        shown.truncate(keep);
        shown.push('…');
    }
    shown
}

/// Decodes a value that is present.
pub(crate) fn scalar<'a>(raw: Raw<'a>, format: &ValueFormat) -> Result<Scalar<'a>, Problem> {
    let problem = |value: &str, text: &dyn std::fmt::Display| Problem::new(text.to_string(), value);
    Ok(match (format, raw) {
        (ValueFormat::Bool, Raw::Bool(value)) => Scalar::Bool(value),
        (ValueFormat::Bool, Raw::Cell("true")) => Scalar::Bool(true),
        (ValueFormat::Bool, Raw::Cell("false")) => Scalar::Bool(false),
        (ValueFormat::Int, Raw::Number(text) | Raw::Cell(text)) => {
            Scalar::Long(number::int(text).map_err(|error| problem(text, &error))?)
        }
        (ValueFormat::Decimal { precision, scale }, Raw::Number(text) | Raw::Cell(text)) => {
            Scalar::Wide(number::decimal(text, *precision, *scale).map_err(|error| problem(text, &error))?)
        }
        (ValueFormat::Float, Raw::Number(text) | Raw::Cell(text)) => {
            Scalar::Float(number::float(text).map_err(|error| problem(text, &error))?)
        }
        (ValueFormat::Text, Raw::Text(text) | Raw::Cell(text)) => Scalar::Text(text),
        (ValueFormat::Enum(names), Raw::Text(text) | Raw::Cell(text)) => Scalar::Short(
            names.get(text).ok_or_else(|| Problem::new("not one of the names of the enum", text))?,
        ),
        (ValueFormat::Date, Raw::Text(text) | Raw::Cell(text)) => {
            Scalar::Short(timestamp::parse_date(text).map_err(|error| problem(text, &error))?)
        }
        (ValueFormat::Timestamp { unit, .. }, Raw::Number(text)) => instant_of_digits(text, *unit)?,
        (ValueFormat::Timestamp { unit, .. }, Raw::Cell(text)) if is_integer(text) => {
            instant_of_digits(text, *unit)?
        }
        (ValueFormat::Timestamp { zone, .. }, Raw::Text(text) | Raw::Cell(text)) => {
            Scalar::Long(timestamp::parse(text, zone.as_ref()).map_err(|error| problem(text, &error))?)
        }
        (ValueFormat::Duration, Raw::Number(text)) => {
            Scalar::Long(number::int(text).map_err(|error| problem(text, &error))?)
        }
        (ValueFormat::Duration, Raw::Cell(text)) if is_integer(text) => {
            Scalar::Long(number::int(text).map_err(|error| problem(text, &error))?)
        }
        (ValueFormat::Duration, Raw::Text(text) | Raw::Cell(text)) => {
            Scalar::Long(duration::parse(text).map_err(|error| problem(text, &error))?)
        }
        _ => return Err(mismatch(raw, format)),
    })
}

/// Whether a CSV cell is the digits of an integer, and so not the text of a time.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn instant_of_digits(text: &str, unit: Option<TimeUnit>) -> Result<Scalar<'static>, Problem> {
    let unit = unit.ok_or_else(|| {
        Problem::new("a number where a timestamp is expected, and the field has no `unit`", text)
    })?;
    let value = number::int(text).map_err(|error| Problem::new(error.to_string(), text))?;
    let instant = timestamp::from_unit(value, unit).map_err(|error| Problem::new(error.to_string(), text))?;
    Ok(Scalar::Long(instant))
}

fn mismatch(raw: Raw<'_>, format: &ValueFormat) -> Problem {
    let (found, value) = match raw {
        Raw::Bool(value) => ("a bool", if value { "true" } else { "false" }),
        Raw::Number(text) => ("a number", text),
        Raw::Text(text) => ("a string", text),
        Raw::Cell(text) => ("a text", text),
        Raw::Array => ("an array", ""),
        Raw::Object => ("an object", ""),
    };
    Problem::new(format!("{found} where {} is expected", expected(format)), value)
}

/// The value that a format has, with its article.
pub(crate) fn expected(format: &ValueFormat) -> &'static str {
    match format {
        ValueFormat::Bool => "a bool",
        ValueFormat::Int => "an int",
        ValueFormat::Decimal { .. } => "a decimal",
        ValueFormat::Float => "a float",
        ValueFormat::Text => "a string",
        ValueFormat::Enum(_) => "the name of an enum",
        ValueFormat::Date => "a date",
        ValueFormat::Timestamp { .. } => "a timestamp",
        ValueFormat::Duration => "a duration",
        ValueFormat::List(_) => "a list",
    }
}

/// The columns of a batch under construction: one per field of the source, all of one length
/// between records.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) columns: Vec<Column>,
    n_rows: usize,
}

impl Rows {
    pub(crate) fn new(decoder: &RecordDecoder) -> Self {
        Rows { columns: decoder.fields.iter().map(|field| Column::new(&field.value.ty)).collect(), n_rows: 0 }
    }

    /// Fills in the field of a record that does not have it.
    pub(crate) fn push_absent(&mut self, index: usize, field: &FieldDecoder) -> Result<(), Reject> {
        let column = &mut self.columns[index];
        match &field.default {
            Some(default) if column.push_value(default) => Ok(()),
            _ if field.value.ty.optional => {
                column.push_none();
                Ok(())
            }
            _ => Err(Problem::missing(field).in_field(index)),
        }
    }

    /// Ends a record: keeps what was pushed since the last one, or removes it.
    pub(crate) fn end_record(&mut self, accepted: bool) {
        if accepted {
            self.n_rows += 1;
        } else {
            self.columns.iter_mut().for_each(|column| column.truncate(self.n_rows));
        }
        debug_assert!(self.columns.iter().all(|column| column.len() == self.n_rows));
    }

    /// The wanted columns as arrays, and their number of rows. The rows are empty afterwards.
    pub(crate) fn take(&mut self, wanted: &[usize]) -> (Vec<ArrayRef>, usize) {
        let arrays = wanted.iter().map(|&index| self.columns[index].take()).collect();
        self.columns.iter_mut().for_each(|column| column.truncate(0));
        (arrays, std::mem::take(&mut self.n_rows))
    }
}

/// A decoder, as readers share it.
pub(crate) type SharedDecoder = Arc<RecordDecoder>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_line_of_at_most_eighty_characters() {
        assert_eq!(excerpt("a\nb"), "a\u{fffd}b");
        assert_eq!(excerpt(&"é".repeat(80)), "é".repeat(80));
        assert_eq!(excerpt(&"é".repeat(81)), "é".repeat(79) + "…");
    }
}
