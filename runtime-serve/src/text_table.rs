//! Presented rows as text, for tables and CSV.

use metricc_ir as ir;
use metricc_ir::calendar::{date_text, instant_text};
use metricc_ir::text::number::decimal_text;

use crate::Presented;
use crate::column_names::{PARTIAL, ROLLED_UP, WINDOW};
use crate::json_rows::cell_json;
use crate::presented_cell::{Cell, float_text};

/// Rows of text with a header, ready to be laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextTable {
    /// Column names: `window_start`, `window_end`, `partial` if a range may cut windows, `rolled_up` if there
    /// are totals, keys, outputs.
    pub header: Vec<String>,
    /// Per column, whether it holds numbers.
    pub is_number: Vec<bool>,
    /// Rows of cells; `None` where there is no value.
    pub rows: Vec<Vec<Option<String>>>,
}

/// The rows of a metric as text.
pub fn text_table(presented: &Presented) -> TextTable {
    let metric = &presented.row_type;
    let zone = presented.window_zone();
    let mut header: Vec<String> = Vec::new();
    let mut is_number = Vec::new();
    if presented.windows.is_some() {
        header.extend(WINDOW.map(str::to_owned));
        is_number.extend([false, false]);
    }
    if presented.partial.is_some() {
        header.push(PARTIAL.to_owned());
        is_number.push(false);
    }
    if presented.totals.is_some() {
        header.push(ROLLED_UP.to_owned());
        is_number.push(false);
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
        let partial = presented.partial.iter().map(|partial| Some(partial[row].to_string()));
        let cells = columns.iter().map(|((_, kind), column)| Cell::of(kind, column, row).text());
        let total = presented.totals.iter().map(|totals| totals.cell(row));
        window.chain(partial).chain(total).chain(cells).collect()
    });
    TextTable { rows: rows.collect(), header, is_number }
}

fn is_number_kind(kind: &ir::Kind) -> bool {
    matches!(
        kind,
        ir::Kind::Int | ir::Kind::Int128 | ir::Kind::Decimal { .. } | ir::Kind::Float | ir::Kind::Duration
    )
}

impl Cell<'_> {
    /// The value as text, without quotes; `None` if it is null.
    fn text(&self) -> Option<String> {
        Some(match *self {
            Cell::Null => return None,
            Cell::Bool(value) => value.to_string(),
            Cell::Int(value) | Cell::Duration(value) => value.to_string(),
            Cell::Int128(value) => value.to_string(),
            Cell::Decimal(value, scale) => decimal_text(value, scale),
            Cell::Float(value) => float_text(value),
            Cell::String(value) => value.to_owned(),
            Cell::Enum(index, names) => {
                names.get(index as usize).cloned().unwrap_or_else(|| index.to_string())
            }
            Cell::Date(value) => date_text(i64::from(value)),
            Cell::Timestamp(value) => instant_text(value, None),
            // A list or a record is a cell with its JSON.
            Cell::List(..) | Cell::Record(..) => cell_json(self),
        })
    }
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
