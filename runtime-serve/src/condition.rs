//! Conditions on the values of a key or of an output, resolved against its type.
//!
//! A condition is JSON: a value, a list of values, or an object with `from` (at least), `to` (less than),
//! `prefix` and `not` (none of these), all of which hold. Values compare as the bytes in which states hold
//! them, whose order is that of the values.

use arrow::array::ArrayRef;
use metricc_algebra::{ValueBytes, value_bytes};
use metricc_client::ServingError;
use metricc_ir::{Kind, Type};
use metricc_log::parse_value;
use serde_json::Value;

/// The bytes of a value; `None` for null.
pub(crate) type KeyBytes = Option<Vec<u8>>;

/// What holds of a value: all of these tests.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition(Vec<Test>);

/// A null is among others or not, and passes no other test.
#[derive(Debug, Clone, PartialEq)]
enum Test {
    OneOf(Vec<KeyBytes>),
    NoneOf(Vec<KeyBytes>),
    From(Vec<u8>),
    Before(Vec<u8>),
    StartsWith(Vec<u8>),
}

impl Test {
    fn holds(&self, value: Option<&[u8]>) -> bool {
        let is_among = |values: &[KeyBytes]| values.iter().any(|known| known.as_deref() == value);
        match self {
            Test::OneOf(values) => is_among(values),
            Test::NoneOf(values) => !is_among(values),
            Test::From(least) => value.is_some_and(|value| value >= &least[..]),
            Test::Before(end) => value.is_some_and(|value| value < &end[..]),
            Test::StartsWith(prefix) => value.is_some_and(|value| value.starts_with(prefix)),
        }
    }
}

impl Condition {
    /// A condition on something of a type, which messages call `what`.
    ///
    /// # Errors
    /// [`ServingError::Request`] for a value that is not of the type, or a test that it does not have.
    pub(crate) fn new(what: &str, ty: &Type, condition: &Value) -> Result<Self, ServingError> {
        if matches!(ty.kind, Kind::List(_) | Kind::Record(_)) {
            return Err(refused(what, ty, "has parts, and no condition is about them"));
        }
        let bytes = |value: &Value| bytes_of(what, ty, value);
        match condition {
            Value::Array(values) if values.is_empty() => {
                Err(refused(what, ty, "is one of no values: name some"))
            }
            Value::Array(values) => Ok(Condition(vec![Test::OneOf(all(values, bytes)?)])),
            Value::Object(tests) if tests.is_empty() => Err(no_test(what, "{}")),
            Value::Object(tests) => {
                let tests = tests.iter().map(|(name, value)| test(what, ty, name, value));
                Ok(Condition(tests.collect::<Result<_, _>>()?))
            }
            value => Ok(Condition(vec![Test::OneOf(vec![bytes(value)?])])),
        }
    }

    /// The value, if only one passes.
    pub(crate) fn only(&self) -> Option<&KeyBytes> {
        match &self.0[..] {
            [Test::OneOf(values)] if values.len() == 1 => values.first(),
            _ => None,
        }
    }

    /// Clears the flags of the rows whose value in a column does not pass.
    pub(crate) fn keep(&self, selected: &mut [bool], column: &ArrayRef) {
        let values = ValueBytes::of(column);
        for (row, is_selected) in selected.iter_mut().enumerate() {
            *is_selected =
                *is_selected && values.with(row, |value| self.0.iter().all(|test| test.holds(value)));
        }
    }
}

fn test(what: &str, ty: &Type, name: &str, value: &Value) -> Result<Test, ServingError> {
    let some = |value: &Value| {
        let not_null = || refused(what, ty, &format!("takes a value as `{name}`, not null"));
        bytes_of(what, ty, value)?.ok_or_else(not_null)
    };
    match name {
        "from" => Ok(Test::From(some(value)?)),
        "to" => Ok(Test::Before(some(value)?)),
        "prefix" if ty.kind == Kind::String => Ok(Test::StartsWith(some(value)?)),
        "prefix" => Err(refused(what, ty, "has no prefix: only strings have")),
        "not" => {
            let values = match value {
                Value::Array(values) => values,
                value => std::slice::from_ref(value),
            };
            Ok(Test::NoneOf(all(values, |value| bytes_of(what, ty, value))?))
        }
        other => Err(no_test(what, other)),
    }
}

fn all<T>(values: &[Value], one: impl Fn(&Value) -> Result<T, ServingError>) -> Result<Vec<T>, ServingError> {
    values.iter().map(one).collect()
}

/// The bytes of a value. It is read as a cell of a record is.
fn bytes_of(what: &str, ty: &Type, value: &Value) -> Result<KeyBytes, ServingError> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => {
            let problem = format!("{what} takes a string, a number, a bool or null there, not {value}");
            return Err(ServingError::Request(problem));
        }
    };
    let column = parse_value(ty, &text)
        .map_err(|problem| ServingError::Request(format!("{what} is `{ty}`, not {text:?}: {problem}")))?;
    Ok(value_bytes(&column, 0))
}

fn refused(what: &str, ty: &Type, problem: &str) -> ServingError {
    ServingError::Request(format!("{what}, which is `{ty}`, {problem}"))
}

fn no_test(what: &str, name: &str) -> ServingError {
    let problem =
        format!("{what} has no condition `{name}`: the conditions are `from`, `to`, `prefix` and `not`");
    ServingError::Request(problem)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringViewArray};
    use serde_json::json;

    use super::*;

    fn bytes(kind: Kind, value: &Value) -> Result<KeyBytes, String> {
        bytes_of("the key `k`", &Type::of(kind), value).map_err(|error| error.to_string())
    }

    fn kept(kind: Kind, condition: &Value, column: &ArrayRef) -> Vec<bool> {
        let condition = Condition::new("the key `k`", &Type::of(kind), condition).expect("a condition");
        let mut selected = vec![true; column.len()];
        condition.keep(&mut selected, column);
        selected
    }

    #[test]
    fn one_value_has_many_spellings() {
        let decimal = Kind::Decimal { precision: 12, scale: 2 };
        for (kind, left, right) in [
            (Kind::Float, json!("1e0"), json!(1.0)),
            (Kind::Float, json!("-0.0"), json!(0)),
            (decimal, json!("1.5"), json!("1.50")),
            (Kind::Int, json!("7"), json!(7)),
            (Kind::Timestamp, json!("2026-04-25T10:00:00Z"), json!("2026-04-25T12:00:00+02:00")),
            (Kind::Bool, json!("true"), json!(true)),
        ] {
            let expected = bytes(kind.clone(), &left).expect("a value");
            assert!(expected.is_some());
            assert_eq!(bytes(kind.clone(), &right), Ok(expected), "{kind}");
        }
        assert_eq!(bytes(Kind::Int, &Value::Null), Ok(None));
    }

    #[test]
    fn what_is_no_value_of_the_key_is_an_error_and_not_an_empty_answer() {
        let kind = Kind::Enum(["low".to_owned(), "high".to_owned()].into());
        let problem = bytes(kind, &json!("hgih")).expect_err("a typo");
        assert!(problem.contains("the key `k` is `enum(\"low\", \"high\")`, not \"hgih\""), "{problem}");
        assert!(bytes(Kind::Int, &json!(1.5)).is_err());
        assert!(bytes(Kind::Float, &json!("NaN")).is_err());
        assert!(bytes(Kind::Date, &json!("2026-02-30")).is_err());
        assert!(bytes(Kind::Int, &json!([1])).is_err());
    }

    #[test]
    fn ranges_lists_and_prefixes_keep_what_they_say_and_a_null_only_where_it_is_named() {
        let ints: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(-5), Some(0), Some(3), Some(10)]));
        for (condition, expected) in [
            (json!({"from": -5, "to": 3}), [false, true, true, false, false]),
            (json!({"from": "0"}), [false, false, true, true, true]),
            (json!({"to": 0}), [false, true, false, false, false]),
            (json!([10, null]), [true, false, false, false, true]),
            (json!({"not": [0, 3]}), [true, true, false, false, true]),
            (json!({"not": null}), [false, true, true, true, true]),
            (json!({"from": 0, "not": 3}), [false, false, true, false, true]),
            (json!(null), [true, false, false, false, false]),
        ] {
            assert_eq!(kept(Kind::Int, &condition, &ints), expected, "{condition}");
        }
        let texts: ArrayRef =
            Arc::new(StringViewArray::from(vec![Some("app"), Some("apple"), Some("b"), None]));
        assert_eq!(kept(Kind::String, &json!({"prefix": "app"}), &texts), [true, true, false, false]);
        assert_eq!(kept(Kind::String, &json!({"from": "apple"}), &texts), [false, true, true, false]);
    }

    #[test]
    fn a_test_that_the_type_does_not_have_is_refused() {
        for (kind, condition, expected) in [
            (Kind::Int, json!({"prefix": 1}), "has no prefix"),
            (Kind::Int, json!({"form": 1}), "has no condition `form`: the conditions are `from`"),
            (Kind::Int, json!({"from": null}), "takes a value as `from`, not null"),
            (Kind::Int, json!({}), "has no condition `{}`"),
            (Kind::Int, json!([]), "is one of no values"),
            (Kind::List(Box::new(Type::of(Kind::Int))), json!(1), "has parts"),
        ] {
            let problem = Condition::new("the key `k`", &Type::of(kind), &condition).expect_err("refused");
            assert!(problem.to_string().contains(expected), "{problem}");
        }
    }
}
