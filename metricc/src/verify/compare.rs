//! Two segments of one interval, and where they differ.

use arrow::array::{Array, AsArray};
use metricc_compiler::{CompileError, MetricPlan, Segment};
use metricc_runtime_serve::{present, text_table, write_arrow};

use crate::EvaluateError;

/// Bytes of a state that are shown.
const SHOWN_BYTES: usize = 64;

/// A group on which the two sides of a comparison differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The metric.
    pub metric: String,
    /// The expected side, such as `batch over all`.
    pub expected_by: String,
    /// The other side.
    pub found_by: String,
    /// Window and keys of the first group that differs, as `name=value`.
    pub group: String,
    /// Presented value and state bytes on the expected side; `None` if the group is missing there.
    pub expected: Option<String>,
    /// The same on the other side.
    pub found: Option<String>,
}

/// Compares two segments to the byte; `None` if they are equal.
pub(super) fn compare(
    plan: &MetricPlan,
    (expected_by, expected): (&str, &Segment),
    (found_by, found): (&str, &Segment),
) -> Option<Difference> {
    let row = expected.first_difference(found)?;
    let difference = |group: String, expected: Option<String>, found: Option<String>| Difference {
        metric: plan.metric.name.clone(),
        expected_by: expected_by.to_owned(),
        found_by: found_by.to_owned(),
        group,
        expected,
        found,
    };
    // Before this row both sides have the same groups, so a group that only one side has is missing on the
    // other.
    if let Some(left) = one_group(expected, row) {
        let (group, value) = describe(plan, &left);
        let Some(right) = find_group(plan, found, &left, row) else {
            return Some(difference(group, Some(value), None));
        };
        if left.states != right.states {
            return Some(difference(group, Some(value), Some(describe(plan, &right).1)));
        }
    }
    if let Some(right) = one_group(found, row) {
        let (group, value) = describe(plan, &right);
        return Some(difference(group, None, Some(value)));
    }
    Some(difference("(interval or schema)".to_owned(), None, None))
}

/// The rows of a segment as an Arrow stream.
pub(super) fn arrow_form(plan: &MetricPlan, segment: &Segment) -> Result<Vec<u8>, EvaluateError> {
    let name = &plan.metric.name;
    let presented = present(plan, segment).map_err(|error| CompileError::engine(name, error))?;
    let mut bytes = Vec::new();
    write_arrow(&presented, &mut bytes).map_err(|error| CompileError::engine(name, error))?;
    Ok(bytes)
}

/// Compares the rows of two segments whose states are equal as Arrow streams; `None` if they are equal.
pub(super) fn compare_arrow(
    plan: &MetricPlan,
    (expected_by, expected): (&str, &[u8]),
    (found_by, found): (&str, &[u8]),
) -> Option<Difference> {
    if expected == found {
        return None;
    }
    let at = expected.iter().zip(found).position(|(left, right)| left != right);
    let at = at.unwrap_or(expected.len().min(found.len()));
    let shown = |bytes: &[u8]| format!("{} bytes, from byte {at} on other ones", bytes.len());
    Some(Difference {
        metric: plan.metric.name.clone(),
        expected_by: expected_by.to_owned(),
        found_by: found_by.to_owned(),
        group: "(all rows as an Arrow stream)".to_owned(),
        expected: Some(shown(expected)),
        found: Some(shown(found)),
    })
}

fn one_group(segment: &Segment, row: usize) -> Option<Segment> {
    (row < segment.states.num_rows())
        .then(|| Segment { states: segment.states.slice(row, 1), ..segment.clone() })
}

/// The group of `wanted` in a segment, searched from a row on.
fn find_group(plan: &MetricPlan, segment: &Segment, wanted: &Segment, from: usize) -> Option<Segment> {
    let groups = |segment: &Segment| segment.states.columns()[..plan.form.n_group_columns].to_vec();
    let wanted = groups(wanted);
    (from..segment.states.num_rows())
        .filter_map(|row| one_group(segment, row))
        .find(|candidate| groups(candidate) == wanted)
}

/// Window and keys of a single group, and its presented value with its state bytes.
fn describe(plan: &MetricPlan, group: &Segment) -> (String, String) {
    let states: Vec<String> = group.states.columns()[plan.form.n_group_columns..]
        .iter()
        .map(|column| state_bytes(column))
        .collect();
    let states = states.join(" ");
    let table = match present(plan, group) {
        Ok(presented) => text_table(&presented),
        Err(error) => return ("(not presentable)".to_owned(), format!("{error}; states {states}")),
    };
    let cells = table.rows.first().into_iter().flatten();
    let cells: Vec<String> = table
        .header
        .iter()
        .zip(cells)
        .map(|(name, cell)| format!("{name}={}", cell.as_deref().unwrap_or("none")))
        .collect();
    let (group, value) = cells.split_at(cells.len() - plan.metric.outputs.len());
    let group = if group.is_empty() { "all".to_owned() } else { group.join(", ") };
    (group, format!("{}; states {states}", value.join(", ")))
}

/// The first row's state as hex.
fn state_bytes(column: &dyn Array) -> String {
    let bytes = match column.as_fixed_size_binary_opt() {
        Some(states) => states.value(0),
        None => column.as_binary_opt::<i32>().map_or(&[][..], |states| states.value(0)),
    };
    let shown: String = bytes.iter().take(SHOWN_BYTES).map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > SHOWN_BYTES { format!("{shown}… ({} bytes)", bytes.len()) } else { shown }
}
