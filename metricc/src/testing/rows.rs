//! Comparison of expected and found rows.

use metricc_ir::calendar::{BucketRule, date_text, instant_text};
use metricc_ir::expression_text;
use metricc_ir::{Expected, ExpectedRow, RowType, Value, Window};
use metricc_runtime_serve::{Presented, value_at};

/// An expected and a found row of one group that differ, in the syntax of tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowDifference {
    /// Line of the expected row in the file.
    pub line: Option<usize>,
    /// The expected row; `None` if the group is not expected.
    pub expected: Option<String>,
    /// The found row; `None` if the group was not found.
    pub found: Option<String>,
}

/// A presented row.
struct FoundRow {
    window: Option<(i64, i64)>,
    keys: Vec<Value>,
    outputs: Vec<Value>,
}

/// First the expected rows that were not found, in their order, then the found rows that are not expected.
pub(super) fn differences(expected: &Expected, presented: &Presented) -> Vec<RowDifference> {
    let metric = &presented.row_type;
    let mut found: Vec<Option<FoundRow>> =
        (0..presented.n_rows).map(|row| Some(found_row(presented, row))).collect();
    let mut different = Vec::new();
    for row in &expected.rows {
        let index = found.iter().position(|found| found.as_ref().is_some_and(|found| is_group(row, found)));
        let found = index.and_then(|index| found[index].take());
        let is_equal = |found: &FoundRow| {
            let pairs = row.outputs.iter().zip(&found.outputs);
            pairs
                .filter_map(|(expected, found)| expected.as_ref().map(|expected| expected == found))
                .all(|same| same)
        };
        if found.as_ref().is_some_and(is_equal) {
            continue;
        }
        different.push(RowDifference {
            line: Some(row.line),
            expected: Some(expected_text(metric, row)),
            found: found.map(|found| found_text(metric, &found, Some(row))),
        });
    }
    let rest = found.iter().flatten().map(|found| RowDifference {
        line: None,
        expected: None,
        found: Some(found_text(metric, found, None)),
    });
    different.extend(rest);
    different
}

fn found_row(presented: &Presented, row: usize) -> FoundRow {
    let metric = &presented.row_type;
    let keys = metric.keys.iter().zip(&presented.keys);
    let outputs = metric.outputs.iter().zip(&presented.outputs);
    FoundRow {
        window: presented.windows.as_ref().map(|windows| windows[row]),
        keys: keys.map(|(key, column)| value_at(&key.ty.kind, column, row)).collect(),
        outputs: outputs.map(|(output, column)| value_at(&output.ty.kind, column, row)).collect(),
    }
}

/// A presented row in the syntax of tests.
#[cfg(feature = "cli")]
pub(crate) fn presented_row_text(presented: &Presented, row: usize) -> String {
    found_text(&presented.row_type, &found_row(presented, row), None)
}

fn is_group(row: &ExpectedRow, found: &FoundRow) -> bool {
    let (start, end) = found.window.unzip();
    (row.start.is_none() || row.start == start)
        && (row.end.is_none() || row.end == end)
        && row.keys == found.keys
}

fn expected_text(metric: &RowType, row: &ExpectedRow) -> String {
    row_text(metric, (row.start, row.end), &row.keys, row.outputs.iter().map(Option::as_ref))
}

/// With the outputs that the expected row names; with all if there is no expected row.
fn found_text(metric: &RowType, found: &FoundRow, expected: Option<&ExpectedRow>) -> String {
    let (start, end) = found.window.unzip();
    let is_named = |index: usize| expected.is_none_or(|row| row.outputs[index].is_some());
    let outputs = found.outputs.iter().enumerate().map(|(index, value)| is_named(index).then_some(value));
    let ends = match (expected, &metric.window) {
        (Some(row), _) => (start.filter(|_| row.start.is_some()), end.filter(|_| row.end.is_some())),
        (None, Window::Sliding { .. } | Window::Session { .. }) => (start, end),
        (None, _) => (start, None),
    };
    row_text(metric, ends, &found.keys, outputs)
}

fn row_text<'a>(
    metric: &RowType,
    (start, end): (Option<i64>, Option<i64>),
    keys: &[Value],
    outputs: impl Iterator<Item = Option<&'a Value>>,
) -> String {
    let mut cells = Vec::new();
    cells.extend(start.map(|start| start_text(metric, start)));
    cells.extend(end.map(|end| format!("end: \"{}\"", instant_text(end, None))));
    for (key, value) in metric.keys.iter().zip(keys) {
        cells.push(format!("{}: {}", key.name, expression_text::value(value, &key.ty.kind)));
    }
    for (output, value) in metric.outputs.iter().zip(outputs) {
        let name = output.name.as_deref().unwrap_or("value");
        cells
            .extend(value.map(|value| format!("{name}: {}", expression_text::value(value, &output.ty.kind))));
    }
    format!("{{ {} }}", cells.join(", "))
}

/// Calendar windows are named by their first date.
fn start_text(metric: &RowType, start: i64) -> String {
    let date = match &metric.window {
        Window::Calendar(unit, calendar) => BucketRule::new(*unit, calendar)
            .map(|rule| (expression_text::unit_name(*unit), date_text(rule.zone().local_time(start).days))),
        _ => None,
    };
    match date {
        Some((unit, date)) if !metric.keys.iter().any(|key| key.name == unit) => {
            format!("{unit}: \"{date}\"")
        }
        _ => format!("start: \"{}\"", instant_text(start, None)),
    }
}
