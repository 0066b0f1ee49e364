//! Which rows of an answer a request asks for.

use arrow::array::{Array, ArrayRef};
use metricc_client::{ReadRequest, ServingError};
use metricc_dsl::ir::{Key, Kind};
use serde_json::Value;

use crate::Presented;
use crate::text::cell_text;

/// One flag per row.
pub(crate) fn select(presented: &Presented, request: &ReadRequest) -> Result<Vec<bool>, ServingError> {
    let mut selected = vec![true; presented.n_rows];
    for (name, wanted) in &request.keys {
        let keys = &presented.metric.keys;
        let Some(place) = keys.iter().position(|key| key.name == *name) else {
            return Err(unknown_key(&request.metric, name, keys));
        };
        let wanted = wanted_text(name, wanted)?;
        let (kind, column) = (&keys[place].expr.ty.kind, &presented.keys[place]);
        for (row, is_selected) in selected.iter_mut().enumerate() {
            *is_selected &= is_equal(kind, column, row, wanted.as_deref());
        }
    }
    by_window(presented, request, &mut selected)?;
    Ok(selected)
}

fn by_window(
    presented: &Presented,
    request: &ReadRequest,
    selected: &mut [bool],
) -> Result<(), ServingError> {
    let Some(windows) = &presented.windows else {
        if request.from.is_some() || request.to.is_some() {
            let metric = &request.metric;
            return Err(ServingError::Request(format!(
                "metric `{metric}` is of all time: it has no windows to choose from"
            )));
        }
        return Ok(());
    };
    let from = request.from.map_or(i64::MIN, |instant| instant.as_microsecond());
    let to = request.to.map_or(i64::MAX, |instant| instant.as_microsecond());
    for (is_selected, (start, _)) in selected.iter_mut().zip(windows) {
        *is_selected &= (from..to).contains(start);
    }
    if request.latest {
        let starts = windows.iter().zip(&*selected).filter(|(_, is_selected)| **is_selected);
        let latest = starts.map(|((start, _), _)| *start).max();
        for (is_selected, (start, _)) in selected.iter_mut().zip(windows) {
            *is_selected &= Some(*start) == latest;
        }
    }
    Ok(())
}

/// The text of a key's value as it is presented; none for null.
fn wanted_text(name: &str, wanted: &Value) -> Result<Option<String>, ServingError> {
    match wanted {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Bool(_) | Value::Number(_) => Ok(Some(wanted.to_string())),
        Value::Array(_) | Value::Object(_) => Err(ServingError::Request(format!(
            "the key `{name}` is one value: a string, a number, a bool or null"
        ))),
    }
}

fn is_equal(kind: &Kind, column: &ArrayRef, row: usize, wanted: Option<&str>) -> bool {
    let Some(wanted) = wanted else { return column.is_null(row) };
    let found = cell_text(kind, column, row);
    match kind {
        // One number has many spellings.
        Kind::Float => {
            found.and_then(|text| text.parse::<f64>().ok()) == wanted.parse::<f64>().ok()
                && column.is_valid(row)
        }
        Kind::Decimal { .. } => {
            let decimal = |text: &str| text.parse::<metricc_client::Decimal>().ok();
            found.is_some_and(|text| decimal(&text).is_some() && decimal(&text) == decimal(wanted))
        }
        Kind::Timestamp => {
            let instant = |text: &str| text.parse::<jiff::Timestamp>().ok();
            found.is_some_and(|text| {
                text == wanted || (instant(&text).is_some() && instant(&text) == instant(wanted))
            })
        }
        _ => found.as_deref() == Some(wanted),
    }
}

fn unknown_key(metric: &str, name: &str, keys: &[Key]) -> ServingError {
    let known: Vec<String> = keys.iter().map(|key| format!("`{}`", key.name)).collect();
    let known =
        if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
    ServingError::Request(format!("metric `{metric}` has no key `{name}`; {known}"))
}
