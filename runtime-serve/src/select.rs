//! Which rows of an answer a request asks for.

use metricc_algebra::value_bytes;
use metricc_client::{ReadRequest, ServingError};
use metricc_ir::{Key, RecordField, Type};
use metricc_log::parse_value;
use serde_json::Value;

use crate::Presented;

/// One flag per row.
pub(crate) fn select(presented: &Presented, request: &ReadRequest) -> Result<Vec<bool>, ServingError> {
    let mut selected = vec![true; presented.n_rows];
    for (name, wanted) in &request.keys {
        let keys = &presented.row_type.keys;
        let Some(place) = keys.iter().position(|key| key.name == *name) else {
            return Err(unknown_key(&request.metric, name, keys));
        };
        let wanted = wanted_bytes(name, &keys[place].ty, wanted)?;
        let column = &presented.keys[place];
        for (row, is_selected) in selected.iter_mut().enumerate() {
            *is_selected &= value_bytes(column, row) == wanted;
        }
    }
    by_window(presented, request, &mut selected);
    Ok(selected)
}

/// The bytes of the values of all keys of a metric, if a request asks for one combination of them.
pub(crate) fn wanted_keys(
    keys: &[Key],
    request: &ReadRequest,
) -> Result<Option<Vec<Option<Vec<u8>>>>, ServingError> {
    if keys.is_empty() || keys.iter().any(|key| !request.keys.contains_key(&key.name)) {
        return Ok(None);
    }
    let wanted = keys.iter().map(|key| wanted_bytes(&key.name, &key.expr.ty, &request.keys[&key.name]));
    wanted.collect::<Result<_, _>>().map(Some)
}

/// The range is read already; of what is in it, and has these keys, perhaps only the latest window.
fn by_window(presented: &Presented, request: &ReadRequest, selected: &mut [bool]) {
    let Some(windows) = &presented.windows else { return };
    if request.latest {
        let starts = windows.iter().zip(&*selected).filter(|(_, is_selected)| **is_selected);
        let latest = starts.map(|((start, _), _)| *start).max();
        for (is_selected, (start, _)) in selected.iter_mut().zip(windows) {
            *is_selected &= Some(*start) == latest;
        }
    }
}

/// The bytes of the value that is asked for; none for null. It is read as a cell of a record is.
fn wanted_bytes(name: &str, ty: &Type, wanted: &Value) -> Result<Option<Vec<u8>>, ServingError> {
    let text = match wanted {
        Value::Null => return Ok(None),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => wanted.to_string(),
        Value::Array(_) | Value::Object(_) => {
            return Err(ServingError::Request(format!(
                "the key `{name}` is one value: a string, a number, a bool or null"
            )));
        }
    };
    let column = parse_value(ty, &text).map_err(|problem| {
        ServingError::Request(format!("the key `{name}` is `{ty}`, not {text:?}: {problem}"))
    })?;
    Ok(value_bytes(&column, 0))
}

fn unknown_key(metric: &str, name: &str, keys: &[RecordField]) -> ServingError {
    let known: Vec<String> = keys.iter().map(|key| format!("`{}`", key.name)).collect();
    let known =
        if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
    ServingError::Request(format!("metric `{metric}` has no key `{name}`; {known}"))
}

#[cfg(test)]
mod tests {
    use metricc_ir::Kind;
    use serde_json::json;

    use super::*;

    fn wanted(kind: Kind, value: &Value) -> Result<Option<Vec<u8>>, String> {
        wanted_bytes("k", &Type::of(kind), value).map_err(|error| error.to_string())
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
            let bytes = wanted(kind.clone(), &left).expect("a value");
            assert!(bytes.is_some());
            assert_eq!(wanted(kind.clone(), &right), Ok(bytes), "{kind}");
        }
        assert_eq!(wanted(Kind::Int, &Value::Null), Ok(None));
    }

    #[test]
    fn what_is_no_value_of_the_key_is_an_error_and_not_an_empty_answer() {
        let kind = Kind::Enum(["low".to_owned(), "high".to_owned()].into());
        let problem = wanted(kind, &json!("hgih")).expect_err("a typo");
        assert!(problem.contains("the key `k` is `enum(\"low\", \"high\")`, not \"hgih\""), "{problem}");
        assert!(wanted(Kind::Int, &json!(1.5)).is_err());
        assert!(wanted(Kind::Float, &json!("NaN")).is_err());
        assert!(wanted(Kind::Date, &json!("2026-02-30")).is_err());
        assert!(wanted(Kind::Int, &json!([1])).is_err());
    }
}
