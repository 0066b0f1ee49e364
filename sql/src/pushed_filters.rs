//! Filters of a statement as conditions of a read: on keys, and on the start of windows.
//!
//! A filter that is not understood is left to DataFusion, which applies all of them to the rows again. So a
//! condition may keep more rows than its filter, and never fewer.

use std::collections::BTreeMap;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use metricc_client::{RangeBound, ReadRequest};
use metricc_ir::{Kind, RowType, Window};
use metricc_runtime_serve::{RowColumn, ServedSnapshot};
use serde_json::{Value, json};

/// A filter that a read can apply.
enum Pushed {
    /// Windows that start at this instant (µs) or later.
    From(i64),
    /// Windows that start before this instant (µs).
    To(i64),
    /// Windows that start at this instant (µs).
    At(i64),
    /// Rows of which a key has one of these values.
    Key(String, Vec<Value>),
}

/// Whether a filter becomes a condition of a read.
pub(crate) fn can_be_pushed(row_type: &RowType, filter: &Expr) -> bool {
    pushed(row_type, filter).is_some()
}

/// A read of the rows that filters keep, and perhaps of more.
pub(crate) fn request_of(row_type: &RowType, filters: &[Expr], served: &ServedSnapshot) -> ReadRequest {
    let all = ReadRequest { metric: row_type.name.clone(), ..ReadRequest::default() };
    let mut request = all.clone();
    let (mut from, mut to): (Option<i64>, Option<i64>) = (None, None);
    let mut keys: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let least = |bound: Option<i64>, new: i64| Some(bound.map_or(new, |bound| bound.max(new)));
    let most = |bound: Option<i64>, new: i64| Some(bound.map_or(new, |bound| bound.min(new)));
    for filter in filters.iter().filter_map(|filter| pushed(row_type, filter)) {
        match filter {
            Pushed::From(instant) => from = least(from, instant),
            Pushed::To(instant) => to = most(to, instant),
            Pushed::At(instant) => {
                (from, to) = (least(from, instant), most(to, instant.saturating_add(1)));
            }
            Pushed::Key(key, values) => {
                let both = |known: &mut Vec<Value>| known.retain(|value| values.contains(value));
                keys.entry(key).and_modify(both).or_insert(values);
            }
        }
    }
    // A range of no windows, and a key of no value, are no conditions of a read.
    if from.zip(to).is_none_or(|(from, to)| from <= to) {
        (request.from, request.to) = (from.map(RangeBound::FarInstant), to.map(RangeBound::FarInstant));
    }
    keys.retain(|_, values| !values.is_empty());
    request.keys = keys.into_iter().map(|(key, values)| (key, one_or_list(values))).collect();
    // A value that a key cannot have, such as an unknown name of an enum, is no error in SQL.
    match served.query(request.clone()) {
        Ok(_) => request,
        Err(_) => all,
    }
}

/// A read of exactly the rows that conditions on the columns select; `None` if they are not conditions of a read.
pub(crate) fn exact_request(
    row_type: &RowType,
    conditions: &[(RowColumn, Operator, ScalarValue)],
) -> Option<ReadRequest> {
    let mut request = ReadRequest { metric: row_type.name.clone(), ..ReadRequest::default() };
    let (mut from, mut to): (Option<i64>, Option<i64>) = (None, None);
    for (column, op, value) in conditions {
        let name = match column {
            RowColumn::WindowStart => "window_start",
            RowColumn::Key(key) => &row_type.keys.get(*key)?.name,
            RowColumn::WindowEnd | RowColumn::Output(_) => return None,
        };
        match of_column(row_type, name, *op, value)? {
            Pushed::From(instant) => from = from.max(Some(instant)),
            Pushed::To(instant) => to = Some(to.map_or(instant, |to| to.min(instant))),
            Pushed::At(instant) => {
                from = from.max(Some(instant));
                to = Some(to.map_or(instant + 1, |to| to.min(instant + 1)));
            }
            Pushed::Key(key, mut values) => {
                let value = values.pop()?;
                if request.keys.get(&key).is_some_and(|known| *known != value) {
                    return None;
                }
                request.keys.insert(key, value);
            }
        }
    }
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return None;
    }
    (request.from, request.to) = (from.map(RangeBound::FarInstant), to.map(RangeBound::FarInstant));
    Some(request)
}

fn one_or_list(mut values: Vec<Value>) -> Value {
    if values.len() == 1 { values.remove(0) } else { Value::Array(values) }
}

fn pushed(row_type: &RowType, filter: &Expr) -> Option<Pushed> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), Expr::Literal(value, _)) => of_column(row_type, &column.name, *op, value),
            (Expr::Literal(value, _), Expr::Column(column)) => {
                of_column(row_type, &column.name, op.swap()?, value)
            }
            _ => None,
        },
        Expr::InList(InList { expr, list, negated: false }) => {
            let Expr::Column(column) = expr.as_ref() else { return None };
            let value = |item: &Expr| match item {
                Expr::Literal(value, _) => key_value(row_type, &column.name, value),
                _ => None,
            };
            let values = list.iter().map(value).collect::<Option<Vec<_>>>()?;
            Some(Pushed::Key(column.name.clone(), values))
        }
        _ => None,
    }
}

fn of_column(row_type: &RowType, column: &str, op: Operator, value: &ScalarValue) -> Option<Pushed> {
    if column == "window_start" && row_type.window != Window::AllTime {
        let ScalarValue::TimestampMicrosecond(Some(instant), _) = value else { return None };
        return match op {
            Operator::GtEq => Some(Pushed::From(*instant)),
            Operator::Gt => Some(Pushed::From(instant.checked_add(1)?)),
            Operator::Lt => Some(Pushed::To(*instant)),
            Operator::LtEq => Some(Pushed::To(instant.checked_add(1)?)),
            Operator::Eq => Some(Pushed::At(*instant)),
            _ => None,
        };
    }
    match op {
        Operator::Eq => Some(Pushed::Key(column.to_owned(), vec![key_value(row_type, column, value)?])),
        _ => None,
    }
}

/// A literal as the value of a key in a read; `None` where the two may not mean the same.
fn key_value(row_type: &RowType, key: &str, value: &ScalarValue) -> Option<Value> {
    let key = row_type.keys.iter().find(|known| known.name == key)?;
    match (&key.ty.kind, value) {
        (Kind::String | Kind::Enum(_), value) => value.try_as_str()?.map(|text| json!(text)),
        (Kind::Int, ScalarValue::Int64(Some(value))) => Some(json!(value)),
        (Kind::Bool, ScalarValue::Boolean(Some(value))) => Some(json!(value)),
        _ => None,
    }
}
