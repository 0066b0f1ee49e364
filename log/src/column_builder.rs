//! Columns under construction. Unlike Arrow's builders they can be cut back to a length, so a record
//! that turns out not to decode leaves no trace in the columns it was already written to.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DurationMicrosecondArray, Float64Array, Int32Array,
    Int64Array, ListArray, StringArray, StringViewArray, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::DataType;
use metricc_ir::{Kind, Type, Value};

use crate::schema::element_field;

/// A decoded value that is there, by its layout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar<'a> {
    Bool(bool),
    /// int, timestamp, duration.
    Long(i64),
    /// The index of an enum name, or a date.
    Short(i32),
    /// decimal.
    Wide(i128),
    Float(f64),
    Text(&'a str),
}

/// A growing column of one type.
#[derive(Debug)]
pub(crate) struct Column {
    ty: Type,
    values: Values,
    /// One flag per value where the type is optional; else empty.
    valid: Vec<bool>,
}

#[derive(Debug)]
enum Values {
    Bool(Vec<bool>),
    Long(Vec<i64>),
    Short(Vec<i32>),
    Wide(Vec<i128>),
    Float(Vec<f64>),
    /// All texts, and where each ends.
    Text(String, Vec<i32>),
    /// All elements, and where each list ends.
    List(Box<Column>, Vec<i32>),
    /// The fields of the records, and how many records there are.
    Record(Vec<Column>, usize),
}

impl Column {
    pub(crate) fn new(ty: &Type) -> Self {
        let values = match &ty.kind {
            Kind::Bool => Values::Bool(Vec::new()),
            Kind::Int | Kind::Timestamp | Kind::Duration => Values::Long(Vec::new()),
            Kind::Enum(_) | Kind::Date => Values::Short(Vec::new()),
            Kind::Int128 | Kind::Decimal { .. } => Values::Wide(Vec::new()),
            Kind::Float => Values::Float(Vec::new()),
            Kind::String => Values::Text(String::new(), Vec::new()),
            Kind::List(element) => Values::List(Box::new(Column::new(element)), Vec::new()),
            Kind::Record(fields) => {
                Values::Record(fields.iter().map(|field| Column::new(&field.ty)).collect(), 0)
            }
        };
        Column { ty: ty.clone(), values, valid: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.values {
            Values::Bool(values) => values.len(),
            Values::Long(values) => values.len(),
            Values::Short(values) => values.len(),
            Values::Wide(values) => values.len(),
            Values::Float(values) => values.len(),
            Values::Text(_, ends) | Values::List(_, ends) => ends.len(),
            Values::Record(_, length) => *length,
        }
    }

    /// Appends a value. The value has the layout of the column: decoder and columns come from one type.
    #[inline(always)]
    pub(crate) fn push(&mut self, scalar: Scalar<'_>) {
        match (&mut self.values, scalar) {
            (Values::Bool(values), Scalar::Bool(value)) => values.push(value),
            (Values::Long(values), Scalar::Long(value)) => values.push(value),
            (Values::Short(values), Scalar::Short(value)) => values.push(value),
            (Values::Wide(values), Scalar::Wide(value)) => values.push(value),
            (Values::Float(values), Scalar::Float(value)) => values.push(value),
            (Values::Text(text, ends), Scalar::Text(value)) => {
                text.push_str(value);
                ends.push(end(text.len()));
            }
            _ => unreachable!("a rule decodes to the layout of the column of its own type"),
        }
        self.mark(true);
    }

    /// Appends null, also where the type has none: such a value is never read.
    pub(crate) fn push_none(&mut self) {
        match &mut self.values {
            Values::Bool(values) => values.push(false),
            Values::Long(values) => values.push(0),
            Values::Short(values) => values.push(0),
            Values::Wide(values) => values.push(0),
            Values::Float(values) => values.push(0.0),
            Values::Text(text, ends) => ends.push(end(text.len())),
            Values::List(child, ends) => ends.push(end(child.len())),
            Values::Record(parts, length) => {
                parts.iter_mut().for_each(Column::push_none);
                *length += 1;
            }
        }
        self.mark(false);
    }

    /// The elements of a list column; a list is written by pushing them and then [`Column::end_list`].
    pub(crate) fn elements(&mut self) -> Option<&mut Column> {
        match &mut self.values {
            Values::List(child, _) => Some(child),
            _ => None,
        }
    }

    /// Ends the list of the elements that were pushed since the last.
    pub(crate) fn end_list(&mut self) {
        if let Values::List(child, ends) = &mut self.values {
            ends.push(end(child.len()));
            self.mark(true);
        }
    }

    /// The fields of a record column; a record is written by pushing to each and then [`Column::end_record`].
    pub(crate) fn parts(&mut self) -> Option<&mut [Column]> {
        match &mut self.values {
            Values::Record(parts, _) => Some(parts),
            _ => None,
        }
    }

    /// Ends the record of the values that were pushed to the fields since the last.
    pub(crate) fn end_record(&mut self) {
        if let Values::Record(_, length) = &mut self.values {
            *length += 1;
            self.mark(true);
        }
    }

    /// Appends a constant; false, with the column in an unknown state, if it is of another type.
    pub(crate) fn push_value(&mut self, value: &Value) -> bool {
        let scalar = match (value, &self.ty.kind) {
            (Value::None, _) if self.ty.optional => {
                self.push_none();
                return true;
            }
            (Value::List(values), Kind::List(_)) => {
                let all =
                    self.elements().is_some_and(|child| values.iter().all(|value| child.push_value(value)));
                self.end_list();
                return all;
            }
            (Value::Record(values), Kind::Record(_)) => {
                let all = self.parts().is_some_and(|parts| {
                    parts.len() == values.len()
                        && parts.iter_mut().zip(values).all(|(part, value)| part.push_value(value))
                });
                self.end_record();
                return all;
            }
            (Value::Bool(value), Kind::Bool) => Scalar::Bool(*value),
            (Value::Int(value), Kind::Int) => Scalar::Long(*value),
            (Value::Timestamp(value), Kind::Timestamp) => Scalar::Long(*value),
            (Value::Duration(value), Kind::Duration) => Scalar::Long(*value),
            (Value::Date(value), Kind::Date) => Scalar::Short(*value),
            (Value::Enum(index), Kind::Enum(names)) if (*index as usize) < names.len() => {
                match i32::try_from(*index) {
                    Ok(index) => Scalar::Short(index),
                    Err(_) => return false,
                }
            }
            (Value::Decimal(value), Kind::Decimal { .. } | Kind::Int128) => Scalar::Wide(*value),
            (Value::Float(value), Kind::Float) if value.is_finite() => Scalar::Float(*value + 0.0),
            (Value::String(value), Kind::String) => Scalar::Text(value),
            _ => return false,
        };
        self.push(scalar);
        true
    }

    #[inline]
    fn mark(&mut self, valid: bool) {
        if self.ty.optional {
            self.valid.push(valid);
        }
    }

    /// Cuts the column back to a length it had before.
    pub(crate) fn truncate(&mut self, length: usize) {
        match &mut self.values {
            Values::Bool(values) => values.truncate(length),
            Values::Long(values) => values.truncate(length),
            Values::Short(values) => values.truncate(length),
            Values::Wide(values) => values.truncate(length),
            Values::Float(values) => values.truncate(length),
            Values::Text(text, ends) => {
                ends.truncate(length);
                text.truncate(last_end(ends));
            }
            Values::List(child, ends) => {
                ends.truncate(length);
                child.truncate(last_end(ends));
            }
            Values::Record(parts, n_records) => {
                *n_records = (*n_records).min(length);
                parts.iter_mut().for_each(|part| part.truncate(*n_records));
            }
        }
        self.valid.truncate(length);
    }

    /// The column as an Arrow array. It is empty afterwards.
    pub(crate) fn take(&mut self) -> ArrayRef {
        let nulls = self.ty.optional.then(|| NullBuffer::from(renew(&mut self.valid)));
        match (&mut self.values, &self.ty.kind) {
            (Values::Bool(values), _) => Arc::new(BooleanArray::new(renew(values).into(), nulls)),
            (Values::Long(values), Kind::Timestamp) => {
                Arc::new(TimestampMicrosecondArray::new(scalars(values), nulls))
            }
            (Values::Long(values), Kind::Duration) => {
                Arc::new(DurationMicrosecondArray::new(scalars(values), nulls))
            }
            (Values::Long(values), _) => Arc::new(Int64Array::new(scalars(values), nulls)),
            (Values::Short(values), Kind::Date) => Arc::new(Date32Array::new(scalars(values), nulls)),
            (Values::Short(values), _) => Arc::new(Int32Array::new(scalars(values), nulls)),
            (Values::Wide(values), kind) => {
                let array = Decimal128Array::new(scalars(values), nulls);
                Arc::new(array.with_data_type(crate::arrow_type(kind)))
            }
            (Values::Float(values), _) => Arc::new(Float64Array::new(scalars(values), nulls)),
            (Values::Text(text, ends), _) => {
                let next = String::with_capacity(text.len());
                let text = std::mem::replace(text, next).into_bytes();
                let texts = StringArray::new(offsets(ends), Buffer::from_vec(text), nulls);
                Arc::new(StringViewArray::from(&texts))
            }
            (Values::List(child, ends), _) => {
                let field = Arc::new(element_field(&child.ty));
                Arc::new(ListArray::new(field, offsets(ends), child.take(), nulls))
            }
            (Values::Record(parts, length), kind) => {
                *length = 0;
                let DataType::Struct(fields) = crate::arrow_type(kind) else {
                    unreachable!("a column of records is of a record type")
                };
                Arc::new(StructArray::new(fields, parts.iter_mut().map(Column::take).collect(), nulls))
            }
        }
    }
}

/// Where a text or list ends. A batch of text is closed far below 2³¹ bytes, see `text_reader`.
fn end(length: usize) -> i32 {
    i32::try_from(length).expect("a batch holds less than 2 GiB of text and list elements")
}

fn last_end(ends: &[i32]) -> usize {
    ends.last().map_or(0, |&end| usize::try_from(end).unwrap_or(0))
}

/// Takes a vector and leaves an empty one of the same capacity.
fn renew<T>(values: &mut Vec<T>) -> Vec<T> {
    let next = Vec::with_capacity(values.len());
    std::mem::replace(values, next)
}

fn scalars<T: arrow::datatypes::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    ScalarBuffer::from(renew(values))
}

fn offsets(ends: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let mut starts = Vec::with_capacity(ends.len() + 1);
    starts.push(0);
    starts.append(ends);
    OffsetBuffer::new(ScalarBuffer::from(starts))
}
