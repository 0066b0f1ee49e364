//! The values of the interpreter, and their order.

use std::cmp::Ordering;

use metricc_ir::{Field, Kind, Value};
use num_bigint::BigInt;

use super::Event;
use super::exact::{self, Rational};

/// One value. Integers of any width are exact; a decimal carries its scale.
#[derive(Debug, Clone)]
pub(super) enum Datum {
    /// No value.
    None,
    /// A value that left its type, where that is told apart from none ([`super::expression`]).
    Lost,
    /// `bool`.
    Bool(bool),
    /// `int` and `int128`.
    Int(BigInt),
    /// `decimal`: digits, and the number of decimal places.
    Decimal(BigInt, u8),
    /// `float`; finite, not -0.0.
    Float(f64),
    /// `string`.
    Text(String),
    /// `enum`: index in the declared list.
    Enum(u32),
    /// `date`: days since 1970-01-01.
    Date(i64),
    /// `timestamp`: µs since the epoch.
    Timestamp(i64),
    /// `duration`: µs.
    Duration(i64),
    /// `list<T>`.
    List(Vec<Datum>),
    /// A record: names and values.
    Record(Vec<(String, Datum)>),
}

impl Datum {
    /// A constant or a decoded value of the given kind.
    pub(super) fn of(value: &Value, kind: &Kind) -> Datum {
        match (value, kind) {
            (Value::None, _) => Datum::None,
            (Value::Bool(value), _) => Datum::Bool(*value),
            (Value::Int(value), _) => Datum::Int(BigInt::from(*value)),
            (Value::Decimal(digits), Kind::Decimal { scale, .. }) => {
                Datum::Decimal(BigInt::from(*digits), *scale)
            }
            (Value::Decimal(digits), _) => Datum::Int(BigInt::from(*digits)),
            (Value::Float(value), _) => Datum::float(*value),
            (Value::String(text), _) => Datum::Text(text.clone()),
            (Value::Enum(index), _) => Datum::Enum(*index),
            (Value::Date(days), _) => Datum::Date(i64::from(*days)),
            (Value::Timestamp(micros), _) => Datum::Timestamp(*micros),
            (Value::Duration(micros), _) => Datum::Duration(*micros),
            (Value::List(elements), Kind::List(element)) => {
                Datum::List(elements.iter().map(|value| Datum::of(value, &element.kind)).collect())
            }
            (Value::Record(values), Kind::Record(fields)) if values.len() == fields.len() => {
                let named = fields.iter().zip(values);
                Datum::Record(
                    named
                        .map(|(field, value)| (field.name.clone(), Datum::of(value, &field.ty.kind)))
                        .collect(),
                )
            }
            (Value::List(_) | Value::Record(_), kind) => {
                panic!("a list or record for the declared `{kind}`")
            }
        }
    }

    /// A float in its canonical form: none where it is not finite, and one zero.
    pub(super) fn float(value: f64) -> Datum {
        if !value.is_finite() {
            Datum::None
        } else if value == 0.0 {
            Datum::Float(0.0)
        } else {
            Datum::Float(value)
        }
    }

    /// Whether there is no value.
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Datum::None)
    }

    /// Whether a condition holds: none does not.
    pub(super) fn is_true(&self) -> bool {
        matches!(self, Datum::Bool(true))
    }

    /// The exact value of a number; of a duration its µs.
    pub(super) fn exact(&self) -> Rational {
        match self {
            Datum::Int(value) => exact::of_integer(value.clone()),
            Datum::Decimal(digits, scale) => exact::of_decimal(digits, *scale),
            Datum::Float(value) => exact::of_float(*value),
            Datum::Duration(micros) | Datum::Timestamp(micros) => exact::of_integer(*micros),
            other => panic!("{other:?} is no number"),
        }
    }
}

/// The decoded value of a field: its default replaces an absent or null value.
pub(super) fn field_of(event: &Event, field: &Field) -> Datum {
    let given = event.get(&field.name).unwrap_or(&Value::None);
    match (given, &field.default) {
        (Value::None, Some(default)) => Datum::of(default, &field.ty.kind),
        (value, _) => Datum::of(value, &field.ty.kind),
    }
}

impl PartialEq for Datum {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Datum {}

impl PartialOrd for Datum {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Datum {
    /// None first, then the natural order of the kind: false before true, numbers by value, strings by
    /// bytes, enums as declared. Values of two kinds are never compared by a checked metric.
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Datum::None, Datum::None) => Ordering::Equal,
            (Datum::None, _) => Ordering::Less,
            (_, Datum::None) => Ordering::Greater,
            (Datum::Bool(left), Datum::Bool(right)) => left.cmp(right),
            (Datum::Int(left), Datum::Int(right)) => left.cmp(right),
            (Datum::Decimal(..), Datum::Decimal(..)) => self.exact().cmp(&other.exact()),
            (Datum::Float(left), Datum::Float(right)) => left.total_cmp(right),
            (Datum::Text(left), Datum::Text(right)) => left.as_bytes().cmp(right.as_bytes()),
            (Datum::Enum(left), Datum::Enum(right)) => left.cmp(right),
            (Datum::Date(left), Datum::Date(right)) => left.cmp(right),
            (Datum::Timestamp(left), Datum::Timestamp(right)) => left.cmp(right),
            (Datum::Duration(left), Datum::Duration(right)) => left.cmp(right),
            (Datum::List(left), Datum::List(right)) => left.cmp(right),
            (Datum::Record(left), Datum::Record(right)) => left.cmp(right),
            (left, right) => panic!("{left:?} and {right:?} are of two kinds"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_comes_first_and_false_before_true() {
        let mut values = vec![Datum::Bool(true), Datum::None, Datum::Bool(false)];
        values.sort();
        assert_eq!(values, vec![Datum::None, Datum::Bool(false), Datum::Bool(true)]);
    }

    #[test]
    fn c65_numbers_are_ordered_by_value_and_texts_by_bytes() {
        assert!(Datum::Int(9.into()) < Datum::Int(10.into()));
        assert!(Datum::Text("10".into()) < Datum::Text("9".into()));
        assert!(Datum::Text("Z".into()) < Datum::Text("a".into()));
    }

    #[test]
    fn c41_there_is_one_zero_and_no_infinity() {
        assert_eq!(Datum::float(-0.0), Datum::Float(0.0));
        assert!(Datum::float(f64::INFINITY).is_none());
        assert!(Datum::float(f64::NAN).is_none());
    }
}
