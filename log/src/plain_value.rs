//! Values in the plain form that nearly all have, from the text to their column in one step.
//!
//! What is not of that form is left to the general rules in [`decode_value`](crate::decode_value), which
//! alone say why a value does not decode. They give the same value for what is read here: a test compares
//! them.

use metricc_ir::TimeUnit;
use metricc_ir::text::{TextRules, leading, timestamp};

use crate::column_builder::{Column, Scalar};
use crate::field_decoder::ValueFormat;
use crate::scan::{skip_ordinary, skip_unquoted};

/// How plain values of one field are read.
#[derive(Debug, Clone)]
pub(crate) struct PlainForm {
    kind: PlainKind,
    /// Whether a JSON value without quotes may be one.
    is_literal: bool,
    /// Whether a JSON string may be one.
    is_string: bool,
    /// Whether a cell of CSV may be one.
    is_cell: bool,
}

#[derive(Debug, Clone, Copy)]
enum PlainKind {
    None,
    Bool,
    Int,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Float,
    Text,
    Enum,
    Date,
    /// What numbers count.
    Timestamp(Option<TimeUnit>),
}

impl PlainForm {
    pub(crate) fn new(format: &ValueFormat, rules: &TextRules) -> Self {
        // A text may be declared to be none, or to have another spelling.
        let is_text = !rules.has_nulls();
        let is_number_text = is_text && !rules.has_number_format();
        let is_time_text = is_text && !rules.has_formats();
        let is_bool_text = is_text && !rules.has_bools();
        let (kind, is_literal, is_string, is_cell) = match format {
            ValueFormat::Bool => (PlainKind::Bool, true, false, is_bool_text),
            ValueFormat::Int => (PlainKind::Int, true, is_number_text, is_number_text),
            ValueFormat::Decimal { precision, scale } => {
                let kind = PlainKind::Decimal { precision: *precision, scale: *scale };
                (kind, true, is_number_text, is_number_text)
            }
            ValueFormat::Float => (PlainKind::Float, true, is_number_text, is_number_text),
            ValueFormat::Text => (PlainKind::Text, false, is_text, is_text),
            ValueFormat::Enum(_) => (PlainKind::Enum, false, is_text, is_text),
            ValueFormat::Date => (PlainKind::Date, false, is_time_text, is_time_text),
            ValueFormat::Timestamp => {
                let unit = rules.unit();
                (PlainKind::Timestamp(unit), unit.is_some(), is_time_text, is_time_text)
            }
            ValueFormat::Duration => (PlainKind::Int, true, is_text, is_text),
            ValueFormat::List(_) | ValueFormat::Record(_) => (PlainKind::None, false, false, false),
        };
        PlainForm { kind, is_literal, is_string, is_cell }
    }

    /// None: so a test has the general rules alone.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        PlainForm { kind: PlainKind::None, is_literal: false, is_string: false, is_cell: false }
    }

    /// Reads the JSON value that stands at a place of a text, if it is plain. Returns the place behind it.
    #[inline(always)]
    pub(crate) fn json(
        &self,
        text: &str,
        at: usize,
        format: &ValueFormat,
        column: &mut Column,
    ) -> Option<usize> {
        let is_quoted = text.as_bytes().get(at) == Some(&b'"');
        if !(if is_quoted { self.is_string } else { self.is_literal }) {
            return None;
        }
        let start = at.wrapping_add(usize::from(is_quoted));
        self.read(text, start, &JsonEnds { is_quoted }, format, column)
    }

    /// Reads the cell of CSV that stands at a place of a text, if it is plain. Returns the place behind it:
    /// that of a delimiter, or the end of the text.
    #[inline(always)]
    pub(crate) fn cell(
        &self,
        text: &str,
        at: usize,
        delimiter: u8,
        format: &ValueFormat,
        column: &mut Column,
    ) -> Option<usize> {
        if self.is_cell { self.read(text, at, &CellEnds { delimiter }, format, column) } else { None }
    }

    /// As [`PlainForm::cell`], of a cell in quotes that is this text. Whether it was read.
    pub(crate) fn quoted_cell(&self, text: &str, format: &ValueFormat, column: &mut Column) -> bool {
        self.is_cell && self.read(text, 0, &WholeText, format, column).is_some()
    }

    /// Reads what is there most often; it is part of the loops that call it.
    #[inline(always)]
    fn read(
        &self,
        text: &str,
        at: usize,
        ends: &impl Ends,
        format: &ValueFormat,
        column: &mut Column,
    ) -> Option<usize> {
        let bytes = text.as_bytes();
        match self.kind {
            PlainKind::Int => {
                let (value, end) = leading::int(bytes, at)?;
                let end = ends.close(bytes, end)?;
                column.push(Scalar::Long(value));
                Some(end)
            }
            PlainKind::Text => {
                let text = text.get(at..ends.of_text(bytes, at))?;
                let end = ends.close(bytes, at.wrapping_add(text.len()))?;
                column.push(Scalar::Text(text));
                Some(end)
            }
            PlainKind::Float => {
                let (value, end) = leading::float(bytes, at)?;
                let end = ends.close(bytes, end)?;
                column.push(Scalar::Float(value));
                Some(end)
            }
            PlainKind::Timestamp(_) if ends.is_text() && bytes.get(at.wrapping_add(4)) == Some(&b'-') => {
                let (value, end) = leading::instant(bytes, at)?;
                let end = ends.close(bytes, end)?;
                column.push(Scalar::Long(value));
                Some(end)
            }
            _ => self.read_other(text, at, ends, format, column),
        }
    }

    fn read_other(
        &self,
        text: &str,
        at: usize,
        ends: &impl Ends,
        format: &ValueFormat,
        column: &mut Column,
    ) -> Option<usize> {
        let bytes = text.as_bytes();
        let (scalar, end) = match (self.kind, format) {
            (PlainKind::Enum, ValueFormat::Enum(names)) => {
                let end = ends.of_text(bytes, at);
                (Scalar::Short(names.get(text.get(at..end)?)?), end)
            }
            (PlainKind::Decimal { precision, scale }, _) => {
                let (units, end) = leading::decimal(bytes, at, precision, scale)?;
                (Scalar::Wide(units.into()), end)
            }
            (PlainKind::Timestamp(unit), _) => {
                let (count, end) = leading::int(bytes, at)?;
                (Scalar::Long(timestamp::from_unit(count, unit?).ok()?), end)
            }
            (PlainKind::Date, _) => {
                let (day, end) = leading::day(bytes, at)?;
                (Scalar::Short(day), end)
            }
            (PlainKind::Bool, _) => match bytes.get(at..)? {
                [b't', b'r', b'u', b'e', ..] => (Scalar::Bool(true), at + 4),
                [b'f', b'a', b'l', b's', b'e', ..] => (Scalar::Bool(false), at + 5),
                _ => return None,
            },
            _ => return None,
        };
        let end = ends.close(bytes, end)?;
        column.push(scalar);
        Some(end)
    }
}

/// Where values may end.
trait Ends {
    /// Whether a value is a text.
    fn is_text(&self) -> bool;
    /// The place behind the text that stands at a place.
    fn of_text(&self, text: &[u8], at: usize) -> usize;
    /// The place behind a value that was read up to one, if it ends there.
    fn close(&self, text: &[u8], end: usize) -> Option<usize>;
}

struct JsonEnds {
    is_quoted: bool,
}

impl Ends for JsonEnds {
    #[inline(always)]
    fn is_text(&self) -> bool {
        self.is_quoted
    }

    #[inline(always)]
    fn of_text(&self, text: &[u8], at: usize) -> usize {
        skip_ordinary(text, at)
    }

    #[inline(always)]
    fn close(&self, text: &[u8], end: usize) -> Option<usize> {
        match text.get(end) {
            _ if !self.is_quoted => Some(end),
            Some(b'"') => Some(end.wrapping_add(1)),
            _ => None,
        }
    }
}

struct CellEnds {
    delimiter: u8,
}

impl Ends for CellEnds {
    #[inline(always)]
    fn is_text(&self) -> bool {
        true
    }

    #[inline(always)]
    fn of_text(&self, text: &[u8], at: usize) -> usize {
        skip_unquoted(text, at, self.delimiter)
    }

    #[inline(always)]
    fn close(&self, text: &[u8], end: usize) -> Option<usize> {
        text.get(end).is_none_or(|next| *next == self.delimiter).then_some(end)
    }
}

/// A value is all of a text.
struct WholeText;

impl Ends for WholeText {
    #[inline(always)]
    fn is_text(&self) -> bool {
        true
    }

    #[inline(always)]
    fn of_text(&self, text: &[u8], _: usize) -> usize {
        text.len()
    }

    #[inline(always)]
    fn close(&self, text: &[u8], end: usize) -> Option<usize> {
        (end == text.len()).then_some(end)
    }
}
