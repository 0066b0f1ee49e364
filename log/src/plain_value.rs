//! Values in the plain form that nearly all have, from the text to their column in one step.
//!
//! What is not of that form is left to the general rules in [`decode_value`](crate::decode_value), which alone
//! say why a value does not decode. They give the same value for what is read here: a test compares them.

use metricc_ir::TimeUnit;
use metricc_ir::text::{TextRules, leading, timestamp};

use crate::column_builder::Scalar;
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

    /// Reads the JSON value that stands at a place of a text, if it is plain. Returns the place behind it.
    #[inline(always)]
    pub(crate) fn json<'t>(
        &self,
        text: &'t str,
        at: usize,
        format: &ValueFormat,
        put: impl FnOnce(Scalar<'t>),
    ) -> Option<usize> {
        let bytes = text.as_bytes();
        let is_quoted = bytes.get(at) == Some(&b'"');
        if !(if is_quoted { self.is_string } else { self.is_literal }) {
            return None;
        }
        let close = |end: usize| match bytes.get(end) {
            _ if !is_quoted => Some(end),
            Some(b'"') => Some(end.wrapping_add(1)),
            _ => None,
        };
        let start = at.wrapping_add(usize::from(is_quoted));
        self.read(text, start, is_quoted, format, |at| skip_ordinary(bytes, at), close, put)
    }

    /// Reads the cell of CSV that stands at a place of a text, if it is plain. Returns the place behind it: that
    /// of a delimiter, or the end of the text.
    #[inline(always)]
    pub(crate) fn cell<'t>(
        &self,
        text: &'t str,
        at: usize,
        delimiter: u8,
        format: &ValueFormat,
        put: impl FnOnce(Scalar<'t>),
    ) -> Option<usize> {
        if !self.is_cell {
            return None;
        }
        let bytes = text.as_bytes();
        let close = |end: usize| bytes.get(end).is_none_or(|next| *next == delimiter).then_some(end);
        self.read(text, at, true, format, |at| skip_unquoted(bytes, at, delimiter), close, put)
    }

    /// As [`PlainForm::cell`], of a cell in quotes that is this text. Whether it was read.
    #[inline]
    pub(crate) fn quoted_cell<'t>(
        &self,
        text: &'t str,
        format: &ValueFormat,
        put: impl FnOnce(Scalar<'t>),
    ) -> bool {
        let close = |end: usize| (end == text.len()).then_some(end);
        self.is_cell && self.read(text, 0, true, format, |_| text.len(), close, put).is_some()
    }

    /// `end` finds the place behind a text; `close` says where a value ends that was read up to some place, if
    /// it may end there.
    #[inline(always)]
    fn read<'t>(
        &self,
        text: &'t str,
        at: usize,
        is_text: bool,
        format: &ValueFormat,
        end: impl FnOnce(usize) -> usize,
        close: impl FnOnce(usize) -> Option<usize>,
        put: impl FnOnce(Scalar<'t>),
    ) -> Option<usize> {
        let bytes = text.as_bytes();
        let (scalar, end) = match self.kind {
            PlainKind::Int => of_long(leading::int(bytes, at)?),
            PlainKind::Text => {
                let end = end(at);
                let close = close(end)?;
                put(Scalar::Text(text.get(at..end)?));
                return Some(close);
            }
            PlainKind::Float => {
                let (value, end) = leading::float(bytes, at)?;
                let close = close(end)?;
                put(Scalar::Float(value));
                return Some(close);
            }
            PlainKind::Enum => {
                let end = end(at);
                let ValueFormat::Enum(names) = format else { return None };
                (Scalar::Short(names.get(text.get(at..end)?)?), end)
            }
            PlainKind::Decimal { precision, scale } => {
                let (units, end) = leading::decimal(bytes, at, precision, scale)?;
                (Scalar::Wide(units.into()), end)
            }
            PlainKind::Timestamp(_) if is_text && bytes.get(at.wrapping_add(4)) == Some(&b'-') => {
                of_long(leading::instant(bytes, at)?)
            }
            PlainKind::Timestamp(unit) => {
                let (count, end) = leading::int(bytes, at)?;
                (Scalar::Long(timestamp::from_unit(count, unit?).ok()?), end)
            }
            PlainKind::Date => {
                let (day, end) = leading::day(bytes, at)?;
                (Scalar::Short(day), end)
            }
            PlainKind::Bool => match bytes.get(at..)? {
                [b't', b'r', b'u', b'e', ..] => (Scalar::Bool(true), at + 4),
                [b'f', b'a', b'l', b's', b'e', ..] => (Scalar::Bool(false), at + 5),
                _ => return None,
            },
            PlainKind::None => return None,
        };
        let close = close(end)?;
        put(scalar);
        Some(close)
    }
}

#[inline]
fn of_long<'t>((value, end): (i64, usize)) -> (Scalar<'t>, usize) {
    (Scalar::Long(value), end)
}
