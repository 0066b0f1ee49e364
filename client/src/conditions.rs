//! Conditions on keys and values, as parameters and command lines write them.
//!
//! `NAME=VALUE` names a value, and repeated one of several. `NAME.from`, `NAME.to`, `NAME.prefix` and `NAME.not`
//! are conditions of that kind; all of them hold. [`ReadRequest::keys`](crate::ReadRequest::keys) says how
//! they stand in a request.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{ServingError, key_value};

/// The conditions that are written after a dot.
const TESTS: [&str; 4] = ["from", "to", "prefix", "not"];

/// Adds a condition to those of a request: `name` is that of a key or value, perhaps with `.from`, `.to`,
/// `.prefix` or `.not` after it.
///
/// # Errors
/// [`ServingError::Request`] if it is given twice, or beside one that says which values there may be.
pub fn add_condition(
    conditions: &mut BTreeMap<String, Value>,
    name: &str,
    text: &str,
) -> Result<(), ServingError> {
    let value = key_value(text);
    let test = name.rsplit_once('.').filter(|(_, test)| TESTS.contains(test));
    let Some((name, test)) = test else {
        return match conditions.get_mut(name) {
            None => {
                conditions.insert(name.to_owned(), value);
                Ok(())
            }
            Some(Value::Object(_)) => Err(two_kinds(name)),
            Some(known) => {
                let mut values = several(known.take());
                values.extend(several(value));
                *known = Value::Array(values);
                Ok(())
            }
        };
    };
    let tests = conditions.entry(name.to_owned()).or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(tests) = tests else { return Err(two_kinds(name)) };
    match tests.get_mut(test) {
        None => {
            tests.insert(test.to_owned(), value);
        }
        Some(known) if test == "not" => {
            let mut values = several(known.take());
            values.extend(several(value));
            *known = Value::Array(values);
        }
        Some(_) => {
            let problem = format!("`{name}.{test}` is given twice: a range has one");
            return Err(ServingError::Request(problem));
        }
    }
    Ok(())
}

fn several(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        value => vec![value],
    }
}

fn two_kinds(name: &str) -> ServingError {
    let problem =
        format!("`{name}` is given with values and with a range: one of them says which rows are meant");
    ServingError::Request(problem)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn conditions(written: &[(&str, &str)]) -> Result<Value, String> {
        let mut conditions = BTreeMap::new();
        for (name, text) in written {
            add_condition(&mut conditions, name, text).map_err(|error| error.to_string())?;
        }
        Ok(json!(conditions))
    }

    #[test]
    fn a_repeated_name_is_one_of_several_values() {
        assert_eq!(conditions(&[("a", "x")]), Ok(json!({"a": "x"})));
        assert_eq!(
            conditions(&[("a", "x"), ("b", "1"), ("a", "null")]),
            Ok(json!({"a": ["x", null], "b": "1"}))
        );
        assert_eq!(conditions(&[("a", "[\"x\",\"y\"]"), ("a", "z")]), Ok(json!({"a": ["x", "y", "z"]})));
    }

    #[test]
    fn ranges_are_written_by_their_ends() {
        let range = conditions(&[("a.from", "1"), ("a.to", "3"), ("a.not", "2"), ("a.not", "0")]);
        assert_eq!(range, Ok(json!({"a": {"from": "1", "to": "3", "not": ["2", "0"]}})));
        assert_eq!(conditions(&[("a.b", "1")]), Ok(json!({"a.b": "1"})), "a name with a dot");
        for twice in
            [[("a.from", "1"), ("a.from", "2")], [("a", "1"), ("a.to", "2")], [("a.to", "2"), ("a", "1")]]
        {
            assert!(conditions(&twice).is_err(), "{twice:?}");
        }
    }
}
