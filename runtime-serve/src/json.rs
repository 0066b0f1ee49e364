//! The JSON lines of `run --output json`: one object per row, a contract with readers.
//!
//! `{"metric":"revenue","key":{"country":"IN"},"window":{"start":"…","end":"…"},"value":"10.00"}`:
//! ints are numbers with all digits, decimals are strings with their scale, floats are the shortest
//! that reads back, timestamps are RFC 3339 (windows in the calendar's zone, all else in UTC), dates
//! `YYYY-MM-DD`, durations µs, none is null, a list is an array, a record an object, no window is null.

use arrow::array::{Array, ArrayRef, AsArray};
use metricc_ir as ir;
use metricc_ir::calendar::instant_text;

use crate::Presented;
use crate::text::{cell_text, window_zone};

/// One JSON object per row, without line ends, in row order.
pub fn json_lines(presented: &Presented) -> impl Iterator<Item = String> + '_ {
    let metric = &presented.row_type;
    let zone = window_zone(metric);
    let head = format!("{{\"metric\":{}", quoted(&metric.name));
    (0..presented.n_rows).map(move |row| {
        let mut line = head.clone();
        let keys = metric.keys.iter().zip(&presented.keys);
        let keys = keys.map(|(key, column)| (key.name.as_str(), value(&key.ty.kind, column, row)));
        line.push_str(&format!(",\"key\":{}", object(keys)));
        match presented.windows.as_ref().map(|windows| windows[row]) {
            None => line.push_str(",\"window\":null"),
            Some((start, end)) => {
                let instant = |at| quoted(&instant_text(at, zone.as_ref()));
                line.push_str(&format!(
                    ",\"window\":{{\"start\":{},\"end\":{}}}",
                    instant(start),
                    instant(end)
                ));
            }
        }
        let outputs = metric.outputs.iter().zip(&presented.outputs);
        let mut outputs = outputs.map(|(output, column)| (&output.name, value(&output.ty.kind, column, row)));
        let text = match metric.outputs.as_slice() {
            [ir::OutputType { name: None, .. }] => outputs.next().map(|(_, value)| value).unwrap_or_default(),
            _ => object(outputs.map(|(name, value)| (name.as_deref().unwrap_or("value"), value))),
        };
        line.push_str(&format!(",\"value\":{text}}}"));
        line
    })
}

fn object<'a>(members: impl Iterator<Item = (&'a str, String)>) -> String {
    let members: Vec<String> = members.map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
    format!("{{{}}}", members.join(","))
}

/// One value as JSON.
pub(crate) fn value(kind: &ir::Kind, column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "null".to_owned();
    }
    match kind {
        ir::Kind::List(element) => {
            let elements = column.as_list::<i32>().value(row);
            let all: Vec<String> =
                (0..elements.len()).map(|place| value(&element.kind, &elements, place)).collect();
            return format!("[{}]", all.join(","));
        }
        ir::Kind::Record(fields) => {
            let columns = fields.iter().zip(column.as_struct().columns());
            let member = |(field, column): (&'_ ir::RecordField, &ArrayRef)| {
                (field.name.clone(), value(&field.ty.kind, column, row))
            };
            let members: Vec<(String, String)> = columns.map(member).collect();
            return object(members.iter().map(|(name, value)| (name.as_str(), value.clone())));
        }
        _ => {}
    }
    match (kind, cell_text(kind, column, row)) {
        (_, None) => "null".to_owned(),
        (
            ir::Kind::Bool | ir::Kind::Int | ir::Kind::Int128 | ir::Kind::Float | ir::Kind::Duration,
            Some(text),
        ) => text,
        (_, Some(text)) => quoted(&text),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
