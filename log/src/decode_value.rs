//! The one decoder: from a value as a record writes it to a typed value, or the reason why not.
//! NDJSON and CSV come through here, and share the functions on numbers and times with Parquet.
//!
//! | type | JSON | CSV |
//! |---|---|---|
//! | bool | `true`, `false`; declared texts | the same |
//! | int, decimal, float | a number, or a string of one, see [`number`] | the same text |
//! | string, enum | a string | any text; an empty one in quotes |
//! | date | a string, `2026-04-25`; declared formats | the same text |
//! | timestamp | a string, see [`timestamp`]; declared formats; with `unit`, also a number | the same text |
//! | duration | an integer of µs, or a string, see [`duration`](metricc_ir::text::duration) | the same text |
//! | list | an array | none: the log does not open |
//! | record | an object | none: the log does not open |
//!
//! A field that is absent or null (in CSV, an empty cell without quotes; a declared spelling of none) has its
//! default; without one it is null, if it is optional; otherwise the record is rejected. A float that is NaN
//! or infinite is none in any field, and counted.

use std::borrow::Cow;

use crate::NoneReason;
use crate::column_builder::{Column, Scalar};
use crate::field_decoder::{FieldDecoder, ValueDecoder, ValueFormat};
use metricc_ir::text::number;
#[cfg(doc)]
use metricc_ir::text::timestamp;

/// The longest excerpt of a record that is kept, in characters.
const MAX_EXCERPT: usize = 80;

/// A value as it stands in a record of text.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Raw<'a> {
    /// A JSON literal.
    Bool(bool),
    /// A JSON number, by its digits.
    Number(&'a str),
    /// `NaN`, `Infinity` or `-Infinity` as a value of JSON, which some writers of it write.
    NotFinite(&'a str),
    /// A JSON string, without escapes.
    Text(&'a str),
    /// A CSV cell, without its quotes. It does not say its type.
    Cell(&'a str),
    /// A JSON array.
    Array,
    /// A JSON object.
    Object,
}

/// What a value that is there decodes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Decoded<'a> {
    Value(Scalar<'a>),
    /// A spelling of none: as if it were not there.
    Absent,
    /// A float that is none in arithmetic.
    NotFinite,
}

/// What is wrong with NaN or an infinity where there has to be a value.
pub(crate) const NOT_FINITE: &str = "not a finite number";

/// Why a value does not decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) text: Cow<'static, str>,
    /// The value as it was read.
    pub(crate) excerpt: String,
    /// Below a field: the indices of the fields of records that lead to the value.
    pub(crate) below: Vec<usize>,
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
        Problem { text: text.into(), excerpt: excerpt(value), below: Vec::new() }
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

impl Reject {
    /// What is wrong with a value of a field whose record this is about.
    pub(crate) fn within(mut self) -> Problem {
        self.problem.below.splice(0..0, self.field);
        self.problem
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

impl<'a> Raw<'a> {
    /// What it is, with its article.
    pub(crate) fn with_article(self) -> &'a str {
        match self {
            Raw::Bool(_) => "a bool",
            Raw::Number(_) => "a number",
            Raw::NotFinite(text) => text,
            Raw::Text(_) => "a string",
            Raw::Cell(_) => "a text",
            Raw::Array => "an array",
            Raw::Object => "an object",
        }
    }
}

/// Decodes a value that is present.
#[inline]
pub(crate) fn scalar<'a>(raw: Raw<'a>, decoder: &ValueDecoder) -> Result<Decoded<'a>, Problem> {
    let (format, rules) = (&decoder.format, &decoder.rules);
    if let Raw::Text(text) | Raw::Cell(text) = raw
        && rules.is_null(text)
    {
        return Ok(Decoded::Absent);
    }
    let decoded = match (format, raw) {
        (ValueFormat::Bool, Raw::Bool(value)) => Ok(Scalar::Bool(value)),
        (ValueFormat::Bool, Raw::Cell(text)) => rules.bool(text).map(Scalar::Bool),
        (ValueFormat::Bool, Raw::Text(text) | Raw::Number(text)) if rules.has_bools() => {
            rules.bool(text).map(Scalar::Bool)
        }
        (ValueFormat::Int | ValueFormat::Duration, Raw::Number(text)) => {
            number::int(text).map(Scalar::Long).map_err(phrase)
        }
        (ValueFormat::Int, Raw::Text(text) | Raw::Cell(text)) => rules.int(text).map(Scalar::Long),
        (ValueFormat::Decimal { precision, scale }, Raw::Number(text)) => {
            number::decimal(text, *precision, *scale).map(Scalar::Wide).map_err(phrase)
        }
        (ValueFormat::Decimal { precision, scale }, Raw::Text(text) | Raw::Cell(text)) => {
            rules.decimal(text, *precision, *scale).map(Scalar::Wide)
        }
        (ValueFormat::Float, Raw::Number(text) | Raw::Text(text) | Raw::Cell(text)) => {
            let is_number = matches!(raw, Raw::Number(_));
            let value = if is_number { number::float(text).map_err(phrase) } else { rules.float(text) };
            match value {
                Ok(None) => return Ok(Decoded::NotFinite),
                Ok(Some(value)) => Ok(Scalar::Float(value)),
                Err(problem) => Err(problem),
            }
        }
        (ValueFormat::Float | ValueFormat::Int | ValueFormat::Decimal { .. }, Raw::NotFinite(_)) => {
            return Ok(Decoded::NotFinite);
        }
        (ValueFormat::Text, Raw::Text(text) | Raw::Cell(text)) => Ok(Scalar::Text(text)),
        (ValueFormat::Enum(names), Raw::Text(text) | Raw::Cell(text)) => {
            names.get(text).map(Scalar::Short).ok_or("not one of the names of the enum".into())
        }
        (ValueFormat::Date, Raw::Text(text) | Raw::Cell(text)) => rules.date(text).map(Scalar::Short),
        (ValueFormat::Timestamp, Raw::Number(text)) => rules.timestamp_of_number(text).map(Scalar::Long),
        (ValueFormat::Timestamp, Raw::Text(text) | Raw::Cell(text)) => {
            rules.timestamp(text).map(Scalar::Long)
        }
        (ValueFormat::Duration, Raw::Text(text) | Raw::Cell(text)) => rules.duration(text).map(Scalar::Long),
        _ => return Err(mismatch(raw, format)),
    };
    decoded.map(Decoded::Value).map_err(|problem| Problem::new(problem, shown(raw)))
}

fn phrase(problem: number::NumberProblem) -> Cow<'static, str> {
    problem.to_string().into()
}

/// The text of a value.
fn shown(raw: Raw<'_>) -> &str {
    match raw {
        Raw::Bool(value) => {
            if value {
                "true"
            } else {
                "false"
            }
        }
        Raw::Number(text) | Raw::NotFinite(text) | Raw::Text(text) | Raw::Cell(text) => text,
        Raw::Array | Raw::Object => "",
    }
}

fn mismatch(raw: Raw<'_>, format: &ValueFormat) -> Problem {
    Problem::new(format!("{} where {} is expected", raw.with_article(), expected(format)), shown(raw))
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
        ValueFormat::Timestamp => "a timestamp",
        ValueFormat::Duration => "a duration",
        ValueFormat::List(_) => "a list",
        ValueFormat::Record(_) => "a record",
    }
}

/// Fills in a field of a record that does not have it.
pub(crate) fn absent(field: &FieldDecoder, column: &mut Column) -> Result<(), Problem> {
    match &field.default {
        Some(default) if column.push_value(default) => Ok(()),
        _ if field.value.ty.optional => {
            column.push_none();
            Ok(())
        }
        _ => Err(Problem::missing(field)),
    }
}

/// Where a value goes: to a field of a record, or into a list.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Slot<'d> {
    Field(&'d FieldDecoder),
    Element(&'d ValueDecoder),
}

/// The values of a record that are none although something is there: the index of the field, and why.
pub(crate) type Notes = Vec<(usize, NoneReason)>;

impl<'d> Slot<'d> {
    pub(crate) fn decoder(self) -> &'d ValueDecoder {
        match self {
            Slot::Field(field) => &field.value,
            Slot::Element(element) => element,
        }
    }

    /// Whether a float that is not finite may stand there.
    fn has_none(self) -> bool {
        match self {
            Slot::Field(field) => field.row_type.optional,
            Slot::Element(element) => element.ty.optional,
        }
    }

    /// Appends what stands for a value that is absent or null.
    pub(crate) fn absent(self, column: &mut Column) -> Result<(), Problem> {
        match self {
            Slot::Field(field) => absent(field, column),
            Slot::Element(element) if element.ty.optional => {
                column.push_none();
                Ok(())
            }
            Slot::Element(_) => Err(Problem::new("null in a list whose elements are not optional", "null")),
        }
    }

    /// Appends what a value decodes to. The note of one that is none is of no field yet, see
    /// [`Before::settle`].
    pub(crate) fn put(
        self,
        column: &mut Column,
        decoded: Decoded<'_>,
        notes: &mut Notes,
    ) -> Result<(), Problem> {
        match decoded {
            Decoded::Value(scalar) => column.push(scalar),
            Decoded::Absent => return self.absent(column),
            Decoded::NotFinite if self.has_none() => {
                column.push_none();
                notes.push((0, NoneReason::NotFinite));
            }
            Decoded::NotFinite => return Err(Problem::new(NOT_FINITE, "")),
        }
        Ok(())
    }
}

/// Where a column and its notes ended before a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Before {
    length: usize,
    n_notes: usize,
}

impl Before {
    pub(crate) fn of(column: &Column, notes: &Notes) -> Self {
        Before { length: column.len(), n_notes: notes.len() }
    }

    /// Ends the value of a field: its notes are those of the field, and one that does not decode is none
    /// where that is declared.
    pub(crate) fn settle(
        self,
        (index, field): (usize, &FieldDecoder),
        column: &mut Column,
        notes: &mut Notes,
        problem: Option<Problem>,
    ) -> Option<Problem> {
        if problem.is_some() && field.value.rules.invalid_is_none() {
            column.truncate(self.length);
            column.push_none();
            notes.truncate(self.n_notes);
            notes.push((index, NoneReason::Invalid));
            return None;
        }
        notes.iter_mut().skip(self.n_notes).for_each(|(field, _)| *field = index);
        problem
    }
}

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
