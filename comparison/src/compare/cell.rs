//! Values of rows: as numbers, exact where their type is; as text for people, and as JSON.

use metricc_ir::calendar::{date_text, instant_text};
use metricc_ir::text::number::decimal_text;
use metricc_ir::{Kind, Value, expression_text};
use serde_json::{Value as Json, json as object};

/// The greatest int that every reader of JSON has exactly.
const MOST_EXACT: i128 = (1 << 53) - 1;

/// Most digits after the point of an exact number.
const MOST_DIGITS: u32 = 38;

/// A number of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// An int, a duration or a decimal: so many units of 10⁻ˢᶜᵃˡᵉ.
    Exact(i128, u8),
    /// A float.
    Float(f64),
}

impl Number {
    /// The number that a value is; `None` if it is none, or something else.
    pub fn of(value: &Value, kind: &Kind) -> Option<Self> {
        Some(match (value, kind) {
            (Value::Int(value) | Value::Duration(value), _) => Number::Exact(i128::from(*value), 0),
            (Value::Decimal(units), Kind::Decimal { scale, .. }) => Number::Exact(*units, *scale),
            (Value::Decimal(units), _) => Number::Exact(*units, 0),
            (Value::Float(value), _) => Number::Float(*value),
            _ => return None,
        })
    }

    /// The nearest float.
    pub fn nearest(self) -> f64 {
        match self {
            Number::Float(value) => value,
            Number::Exact(units, 0) => units as f64,
            // A decimal number as text is rounded once.
            Number::Exact(units, scale) => {
                decimal_text(units, usize::from(scale)).parse().unwrap_or(f64::NAN)
            }
        }
    }

    /// Whether both are the same number. An exact number is a float if that float is the nearest one.
    pub fn is(self, other: Self) -> bool {
        match (self, other) {
            (Number::Exact(..), Number::Exact(..)) => match aligned(self, other) {
                Some((left, right, _)) => left == right,
                None => false,
            },
            _ => self.nearest() == other.nearest(),
        }
    }

    /// What is added to this number to make the other one.
    pub fn to(self, other: Self) -> Self {
        let exact = aligned(self, other)
            .and_then(|(from, to, scale)| Some(Number::Exact(to.checked_sub(from)?, scale)));
        exact.unwrap_or_else(|| Number::Float(other.nearest() - self.nearest()))
    }

    /// As text, with the sign of what is added.
    pub fn signed_text(self) -> String {
        let text = match self {
            Number::Float(value) => format!("{value:?}"),
            Number::Exact(units, scale) => decimal_text(units, usize::from(scale)),
        };
        if text.starts_with('-') { text } else { format!("+{text}") }
    }
}

/// Two exact numbers in the units of the finer one; `None` if there is no place for that.
fn aligned(left: Number, right: Number) -> Option<(i128, i128, u8)> {
    let (Number::Exact(left, left_scale), Number::Exact(right, right_scale)) = (left, right) else {
        return None;
    };
    let scale = left_scale.max(right_scale);
    let raised = |units: i128, from: u8| {
        let digits = u32::from(scale - from);
        if digits > MOST_DIGITS { None } else { units.checked_mul(10i128.pow(digits)) }
    };
    Some((raised(left, left_scale)?, raised(right, right_scale)?, scale))
}

/// A value as a cell of a table has it, without quotes; `None` if it is none.
pub(super) fn plain_text(value: &Value, kind: &Kind) -> Option<String> {
    Some(match (value, kind) {
        (Value::None, _) => return None,
        (Value::String(text), _) => text.clone(),
        (Value::Enum(place), Kind::Enum(names)) => {
            let name = usize::try_from(*place).ok().and_then(|place| names.get(place));
            name.cloned().unwrap_or_else(|| format!("#{place}"))
        }
        (Value::Date(days), _) => date_text(i64::from(*days)),
        (Value::Timestamp(micros), _) => instant_text(*micros, None),
        _ => expression_text::value(value, kind),
    })
}

/// A value as JSON, as all rows of metricc have it.
pub fn json(value: &Value, kind: &Kind) -> Json {
    match (value, kind) {
        (Value::None, _) => Json::Null,
        (Value::Bool(value), _) => Json::Bool(*value),
        (Value::Int(value) | Value::Duration(value), _) => int(i128::from(*value)),
        (Value::Decimal(_), Kind::Decimal { .. }) => Json::String(expression_text::value(value, kind)),
        (Value::Decimal(value), _) => int(*value),
        (Value::Float(value), _) => object!(value),
        (Value::List(values), Kind::List(element)) => {
            Json::Array(values.iter().map(|value| json(value, &element.kind)).collect())
        }
        (Value::Record(values), Kind::Record(fields)) => {
            let members = fields.iter().zip(values);
            members.map(|(field, value)| (field.name.clone(), json(value, &field.ty.kind))).collect()
        }
        _ => plain_text(value, kind).map_or(Json::Null, Json::String),
    }
}

/// A number, or beyond ±(2⁵³ − 1) a text.
fn int(value: i128) -> Json {
    match i64::try_from(value) {
        Ok(number) if value.abs() <= MOST_EXACT => object!(number),
        _ => Json::String(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_different_types_are_compared_by_what_they_are() {
        let (ten, float) = (Number::Exact(1010, 2), Number::Float(10.1));
        assert!(ten.is(Number::Exact(10_100, 3)) && ten.is(float) && float.is(ten));
        assert!(!ten.is(Number::Exact(10, 0)) && !ten.is(Number::Float(10.100000000000001)));
        assert!(!Number::Exact(i128::MAX, 0).is(Number::Exact(1, 38)));
    }

    #[test]
    fn a_difference_is_exact_where_both_numbers_are() {
        let text = |from: Number, to: Number| from.to(to).signed_text();
        assert_eq!(text(Number::Exact(1010, 2), Number::Exact(10, 0)), "-0.10");
        assert_eq!(text(Number::Exact(1, 0), Number::Exact(i128::from(i64::MAX), 0)), "+9223372036854775806");
        assert_eq!(text(Number::Exact(15, 1), Number::Float(2.0)), "+0.5");
    }

    #[test]
    fn values_are_json_as_everywhere() {
        let decimal = Kind::Decimal { precision: 10, scale: 2 };
        for (value, kind, text) in [
            (Value::None, Kind::Int, "null"),
            (Value::Int(7), Kind::Int, "7"),
            (Value::Int(i64::MAX), Kind::Int, "\"9223372036854775807\""),
            (Value::Decimal(1000), decimal, "\"10.00\""),
            (Value::Decimal(1000), Kind::Int128, "1000"),
            (Value::Float(3.0), Kind::Float, "3.0"),
            (Value::String("a".to_owned()), Kind::String, "\"a\""),
            (Value::Date(0), Kind::Date, "\"1970-01-01\""),
        ] {
            assert_eq!(json(&value, &kind).to_string(), text);
        }
    }
}
