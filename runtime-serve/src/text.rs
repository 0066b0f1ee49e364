//! Presented values as text: for tables, for CSV, and as the scalars of JSON.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use metricc_ir as ir;
use metricc_ir::calendar::{ZoneRules, date_text, instant_text};
use metricc_ir::text::number::decimal_text;

use crate::{Presented, json};

/// Rows of text with a header, ready to be laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextTable {
    /// Column names: `window_start`, `window_end`, keys, outputs.
    pub header: Vec<String>,
    /// Per column, whether it holds numbers.
    pub is_number: Vec<bool>,
    /// Rows of cells; none where there is no value.
    pub rows: Vec<Vec<Option<String>>>,
}

/// The rows of a metric as text.
pub fn text_table(presented: &Presented) -> TextTable {
    let metric = &presented.row_type;
    let zone = window_zone(metric);
    let mut header: Vec<String> = Vec::new();
    let mut is_number = Vec::new();
    if presented.windows.is_some() {
        header.extend(["window_start".to_owned(), "window_end".to_owned()]);
        is_number.extend([false, false]);
    }
    let keys = metric.keys.iter().map(|key| (key.name.as_str(), &key.ty.kind));
    let outputs =
        metric.outputs.iter().map(|output| (output.name.as_deref().unwrap_or("value"), &output.ty.kind));
    let columns: Vec<_> = keys.chain(outputs).zip(presented.keys.iter().chain(&presented.outputs)).collect();
    for ((name, kind), _) in &columns {
        header.push((*name).to_owned());
        is_number.push(is_number_kind(kind));
    }
    let rows = (0..presented.n_rows).map(|row| {
        let window = presented.windows.iter().flat_map(|windows| {
            let (start, end) = windows[row];
            [Some(instant_text(start, zone.as_ref())), Some(instant_text(end, zone.as_ref()))]
        });
        let cells = columns.iter().map(|((_, kind), column)| cell_text(kind, column, row));
        window.chain(cells).collect()
    });
    TextTable { rows: rows.collect(), header, is_number }
}

/// The zone in which a metric's windows are written: its calendar's, else UTC.
pub(crate) fn window_zone(metric: &ir::RowType) -> Option<ZoneRules> {
    match &metric.window {
        ir::Window::Calendar(_, calendar) => ZoneRules::named(&calendar.zone),
        _ => None,
    }
}

pub(crate) fn is_number_kind(kind: &ir::Kind) -> bool {
    matches!(
        kind,
        ir::Kind::Int | ir::Kind::Int128 | ir::Kind::Decimal { .. } | ir::Kind::Float | ir::Kind::Duration
    )
}

/// One value as text, without quotes; none if it is none.
pub(crate) fn cell_text(kind: &ir::Kind, column: &ArrayRef, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    Some(match kind {
        ir::Kind::Bool => column.as_boolean().value(row).to_string(),
        ir::Kind::Int => column.as_primitive::<Int64Type>().value(row).to_string(),
        ir::Kind::Int128 => column.as_primitive::<Decimal128Type>().value(row).to_string(),
        ir::Kind::Decimal { scale, .. } => {
            decimal_text(column.as_primitive::<Decimal128Type>().value(row), usize::from(*scale))
        }
        ir::Kind::Float => float_text(column.as_primitive::<Float64Type>().value(row)),
        ir::Kind::String => column.as_string_view().value(row).to_owned(),
        ir::Kind::Enum(names) => {
            let place = column.as_primitive::<Int32Type>().value(row);
            names.get(place as usize).cloned().unwrap_or_else(|| place.to_string())
        }
        ir::Kind::Date => date_text(i64::from(column.as_primitive::<Date32Type>().value(row))),
        ir::Kind::Timestamp => {
            instant_text(column.as_primitive::<TimestampMicrosecondType>().value(row), None)
        }
        ir::Kind::Duration => column.as_primitive::<DurationMicrosecondType>().value(row).to_string(),
        // Lists and records stand in a cell as the JSON that they are elsewhere.
        ir::Kind::List(_) | ir::Kind::Record(_) => json::value(kind, column, row),
    })
}

/// The shortest decimal that reads back as the same float, with a point or an exponent.
fn float_text(value: f64) -> String {
    format!("{value:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_their_scale_and_floats_read_back() {
        assert_eq!(decimal_text(1000, 2), "10.00");
        assert_eq!(decimal_text(-5, 2), "-0.05");
        assert_eq!(decimal_text(7, 0), "7");
        assert_eq!(decimal_text(i128::MIN, 38), "-1.70141183460469231731687303715884105728");
        for value in [1.0, 0.1, 1e16, 1e21, 5e-324, f64::MAX, 123_456_789.125] {
            assert_eq!(float_text(value).parse(), Ok(value));
        }
        assert_eq!(float_text(3.0), "3.0");
    }
}
