//! Which rows of an answer a request selects: by their keys, and perhaps only the latest window.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use metricc_algebra::{ValueBytes, value_bytes};
use metricc_client::ServingError;
use metricc_compiler::{CompileError, MetricPlan};
use metricc_ir::{RecordField, Type};
use metricc_log::parse_value;
use serde_json::Value;

use crate::{Presented, ServeError};

/// A selection of rows, resolved against the keys of a metric. The range of windows is not part of it: reads
/// have it already.
#[derive(Debug)]
pub(crate) struct RowSelection {
    keys: Keys,
    /// Only the latest window of the rows with these keys.
    is_latest: bool,
}

/// The selected keys: bytes of values, `None` for null.
#[derive(Debug)]
enum Keys {
    /// A value for every key, in their order: an index has the rows.
    All(Vec<Option<Vec<u8>>>),
    /// A value for some keys, given by their indices.
    Some(Vec<(usize, Option<Vec<u8>>)>),
}

impl RowSelection {
    /// # Errors
    /// [`ServingError::Request`] for an unknown key, or a value that is not of its type.
    pub(crate) fn new(
        metric: &str,
        keys: &[RecordField],
        selected: &BTreeMap<String, Value>,
        is_latest: bool,
    ) -> Result<Self, ServingError> {
        let mut values = Vec::with_capacity(selected.len());
        for (name, value) in selected {
            let index = keys.iter().position(|key| key.name == *name);
            let index = index.ok_or_else(|| unknown_key(metric, name, keys))?;
            values.push((index, value_bytes_of(name, &keys[index].ty, value)?));
        }
        let keys = if values.len() == keys.len() && !keys.is_empty() {
            values.sort_unstable_by_key(|(index, _)| *index);
            Keys::All(values.into_iter().map(|(_, value)| value).collect())
        } else {
            Keys::Some(values)
        };
        Ok(RowSelection { keys, is_latest })
    }

    /// The value of each key, if the request gives all of them.
    pub(crate) fn all_keys(&self) -> Option<&[Option<Vec<u8>>]> {
        match &self.keys {
            Keys::All(values) => Some(values),
            Keys::Some(_) => None,
        }
    }

    /// Whether it selects the latest window of all rows.
    pub(crate) fn is_latest_of_all(&self) -> bool {
        self.is_latest && matches!(&self.keys, Keys::Some(values) if values.is_empty())
    }

    /// Whether it leaves out any rows.
    pub(crate) fn selects(&self) -> bool {
        match &self.keys {
            Keys::All(_) => true,
            Keys::Some(values) => !values.is_empty(),
        }
    }

    /// The states of the groups with the selected keys; `None` if those are all.
    pub(crate) fn states_of(
        &self,
        plan: &MetricPlan,
        states: &RecordBatch,
    ) -> Result<Option<RecordBatch>, CompileError> {
        let Keys::Some(values) = &self.keys else { return Ok(None) };
        if values.is_empty() {
            return Ok(None);
        }
        let first = plan.form.n_group_columns - plan.metric.keys.len();
        let mut flags = vec![true; states.num_rows()];
        for (index, wanted) in values {
            keep(&mut flags, states.column(first + index), wanted);
        }
        let selected = filter_record_batch(states, &BooleanArray::from(flags));
        selected.map(Some).map_err(|error| CompileError::engine(&plan.metric.name, error))
    }

    /// The selected rows.
    pub(crate) fn of(&self, presented: Presented) -> Result<Presented, ServeError> {
        let mut selected = vec![true; presented.n_rows];
        let mut keep =
            |index: usize, wanted: &Option<Vec<u8>>| keep(&mut selected, &presented.keys[index], wanted);
        match &self.keys {
            Keys::All(values) => values.iter().enumerate().for_each(|(index, value)| keep(index, value)),
            Keys::Some(values) => values.iter().for_each(|(index, value)| keep(*index, value)),
        }
        self.keep_latest(&presented, &mut selected);
        presented.filtered(&selected)
    }

    /// The selected rows of those that an index has found by all keys.
    pub(crate) fn of_indexed(&self, presented: Presented) -> Result<Presented, ServeError> {
        let mut selected = vec![true; presented.n_rows];
        self.keep_latest(&presented, &mut selected);
        presented.filtered(&selected)
    }

    fn keep_latest(&self, presented: &Presented, selected: &mut [bool]) {
        let Some(windows) = presented.windows.as_ref().filter(|_| self.is_latest) else { return };
        let starts = windows.iter().zip(&*selected).filter(|(_, is_selected)| **is_selected);
        let latest = starts.map(|((start, _), _)| *start).max();
        for (is_selected, (start, _)) in selected.iter_mut().zip(windows) {
            *is_selected &= Some(*start) == latest;
        }
    }
}

/// Of the rows those with a value in a column.
fn keep(selected: &mut [bool], column: &ArrayRef, wanted: &Option<Vec<u8>>) {
    let values = ValueBytes::of(column);
    for (row, is_selected) in selected.iter_mut().enumerate() {
        *is_selected = *is_selected && values.with(row, |value| value == wanted.as_deref());
    }
}

/// The bytes of the value of a key; `None` for null. It is read as a cell of a record is.
fn value_bytes_of(name: &str, ty: &Type, value: &Value) -> Result<Option<Vec<u8>>, ServingError> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => {
            return Err(ServingError::Request(format!(
                "the key `{name}` takes a string, a number, a bool or null, not {value}"
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

    fn bytes(kind: Kind, value: &Value) -> Result<Option<Vec<u8>>, String> {
        value_bytes_of("k", &Type::of(kind), value).map_err(|error| error.to_string())
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
}
