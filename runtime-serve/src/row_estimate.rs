//! How many rows a read would have, before any of them is computed.
//!
//! A read has at most a row for each group of its states, but for windows that overlap: a group is a pane,
//! and in as many windows as it has panes. So few events can have many rows, which are counted from the panes
//! alone.

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use metricc_compiler::{CompileError, DerivedPlan, MetricPlan, Segment, Spread};

use crate::derived_metrics::kept_of_operand;
use crate::roll_up::{in_range, starts};
use crate::{ReadOptions, ServeError};

/// Rows whose groups are looked at together.
const ROWS_AT_A_TIME: usize = 8192;

/// Bytes of a session in a state, at least: its first and last event, and its row count.
const SESSION_BYTES: usize = 24;

/// Rows that [`read`](crate::read) would have: exact for windows that overlap, at most for others.
///
/// # Errors
/// If the states are not those of the plan.
pub fn estimated_rows(
    plan: &MetricPlan,
    states: &RecordBatch,
    options: &ReadOptions,
) -> Result<u64, CompileError> {
    let name = &plan.metric.name;
    match &plan.spread {
        Some(Spread::Panes { step, n_panes }) => {
            let n_keys = plan.metric.keys.len();
            let all = &states.columns()[plan.form.n_group_columns - n_keys..plan.form.n_group_columns];
            let keys: Vec<ArrayRef> = match &options.keys {
                Some(kept) => kept.iter().map(|key| all[*key].clone()).collect(),
                None => all.to_vec(),
            };
            let windows = PaneWindows { step: *step, n_panes: *n_panes, from: options.from, to: options.to };
            windows.count(name, starts(name, states.column(0))?, &keys)
        }
        Some(Spread::Sessions { .. }) => {
            let sessions = states.column(plan.form.n_group_columns + 1);
            let n_bytes = match sessions.data_type() {
                DataType::FixedSizeBinary(n_bytes) => sessions.len() * n_bytes.unsigned_abs() as usize,
                _ => sessions.get_array_memory_size(),
            };
            Ok((n_bytes / SESSION_BYTES).max(states.num_rows()) as u64)
        }
        None if plan.metric.window.has_start() => {
            Ok(in_range(name, states, options.from, options.to)?.num_rows() as u64)
        }
        None => Ok(states.num_rows() as u64),
    }
}

/// As [`estimated_rows`], where few groups by fewer keys are expected, which are counted.
///
/// # Errors
/// As [`estimated_rows`].
pub(crate) fn counted_rows(
    plan: &MetricPlan,
    states: &RecordBatch,
    options: &ReadOptions,
) -> Result<u64, CompileError> {
    match &options.keys {
        Some(kept) if plan.spread.is_none() && plan.metric.window.has_start() => {
            let states = in_range(&plan.metric.name, states, options.from, options.to)?;
            n_groups(plan, &states, kept)
        }
        Some(kept) if plan.spread.is_none() => n_groups(plan, states, kept),
        _ => estimated_rows(plan, states, options),
    }
}

/// The groups of states by some of their keys.
fn n_groups(plan: &MetricPlan, states: &RecordBatch, kept: &[usize]) -> Result<u64, CompileError> {
    let name = &plan.metric.name;
    let failed = |error| CompileError::engine(name, error);
    let n_before = plan.form.n_group_columns - plan.metric.keys.len();
    let windows = (0..n_before).filter(|_| plan.metric.window.has_start());
    let columns = windows.chain(kept.iter().map(|key| n_before + key));
    let columns: Vec<ArrayRef> = columns.map(|column| states.column(column).clone()).collect();
    if columns.is_empty() {
        return Ok(1);
    }
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let converter = RowConverter::new(fields).map_err(failed)?;
    let mut groups: HashSet<Box<[u8]>> = HashSet::new();
    for first in (0..states.num_rows()).step_by(ROWS_AT_A_TIME) {
        metricc_log::yield_if_due();
        let n = ROWS_AT_A_TIME.min(states.num_rows() - first);
        let columns: Vec<ArrayRef> = columns.iter().map(|column| column.slice(first, n)).collect();
        let rows = converter.convert_columns(&columns).map_err(failed)?;
        groups.extend(rows.iter().map(|row| row.data().into()));
    }
    Ok(groups.len() as u64)
}

/// Rows that [`derive`](crate::derive) would have: at least those of the operand with the most.
///
/// # Errors
/// As [`estimated_rows`].
pub fn estimated_derived_rows(
    plan: &DerivedPlan,
    segments: &[&Segment],
    options: &ReadOptions,
) -> Result<u64, ServeError> {
    most_of_operands(plan, segments, options, estimated_rows)
}

/// The rows of the operand with the most.
pub(crate) fn most_of_operands(
    plan: &DerivedPlan,
    segments: &[&Segment],
    options: &ReadOptions,
    rows_of: fn(&MetricPlan, &RecordBatch, &ReadOptions) -> Result<u64, CompileError>,
) -> Result<u64, ServeError> {
    let mut most = 0;
    for (index, (operand, segment)) in plan.derived.operands.iter().zip(segments).enumerate() {
        // As `derive` reads its operands: a range is applied to the joined rows.
        let keys = kept_of_operand(operand, options);
        let has_grain = options.grain.is_some();
        let (from, to) = (options.from.filter(|_| has_grain), options.to.filter(|_| has_grain));
        let of_operand = ReadOptions { from, to, keys, grain: None };
        most = most.max(rows_of(&plan.operands[index], &segment.states, &of_operand)?);
    }
    Ok(most)
}

/// The windows of a range, each of some panes.
struct PaneWindows {
    step: i64,
    n_panes: i64,
    from: Option<i64>,
    to: Option<i64>,
}

impl PaneWindows {
    /// The windows of all groups of panes, which start at these instants, in order.
    fn count(&self, name: &str, starts: &[i64], keys: &[ArrayRef]) -> Result<u64, CompileError> {
        let failed = |error| CompileError::engine(name, error);
        let fields = keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
        let converter = RowConverter::new(fields).map_err(failed)?;
        let mut last_of: HashMap<Box<[u8]>, i64> = HashMap::new();
        let mut n_windows = 0_u64;
        for first in (0..starts.len()).step_by(ROWS_AT_A_TIME) {
            metricc_log::yield_if_due();
            let n = ROWS_AT_A_TIME.min(starts.len() - first);
            let columns: Vec<ArrayRef> = keys.iter().map(|key| key.slice(first, n)).collect();
            let rows = match columns.is_empty() {
                true => None,
                false => Some(converter.convert_columns(&columns).map_err(failed)?),
            };
            for (row, start) in starts[first..first + n].iter().enumerate() {
                let key = rows.as_ref().map_or(&[][..], |rows| rows.row(row).data());
                let before = match last_of.get_mut(key) {
                    Some(last) => Some(std::mem::replace(last, *start)),
                    None => last_of.insert(key.into(), *start),
                };
                n_windows += self.added_by(*start, before);
            }
        }
        Ok(n_windows)
    }

    /// Windows that a pane is in, and the pane of the same keys before it is not.
    fn added_by(&self, start: i64, before: Option<i64>) -> u64 {
        let step = i128::from(self.step.max(1));
        let all = i128::from(start) - step * i128::from(self.n_panes - 1);
        // The first and the last of their starts, of the range.
        let first = before.map_or(all, |before| all.max(i128::from(before) + step));
        let first = self.from.map_or(first, |from| {
            let from = i128::from(from);
            if from <= first { first } else { first + (from - first + step - 1).div_euclid(step) * step }
        });
        let last = match self.to {
            Some(to) if i128::from(to) <= i128::from(start) => {
                // The last start before the end of the range.
                i128::from(start) - (i128::from(start) - i128::from(to)).div_euclid(step) * step - step
            }
            _ => i128::from(start),
        };
        if first > last { 0 } else { u64::try_from((last - first) / step + 1).unwrap_or(u64::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use arrow::array::StringArray;

    use super::*;

    /// The windows one by one.
    fn naive(windows: &PaneWindows, panes: &[(i64, &str)]) -> u64 {
        let mut all = BTreeSet::new();
        for (start, key) in panes {
            for n in 0..windows.n_panes {
                let start = start - n * windows.step;
                if windows.from.is_none_or(|from| from <= start) && windows.to.is_none_or(|to| start < to) {
                    all.insert((start, *key));
                }
            }
        }
        all.len() as u64
    }

    #[test]
    fn windows_of_panes_are_counted_without_making_them() {
        let panes: Vec<(i64, &str)> =
            vec![(-20, "a"), (-10, "b"), (0, "a"), (0, "b"), (10, "a"), (70, "a"), (70, "b"), (300, "a")];
        let starts: Vec<i64> = panes.iter().map(|(start, _)| *start).collect();
        let keys = panes.iter().map(|(_, key)| *key);
        let keys: Vec<ArrayRef> = vec![Arc::new(StringArray::from_iter_values(keys))];
        for n_panes in [1, 2, 3, 7, 40] {
            for from in [None, Some(-100), Some(-15), Some(0), Some(5), Some(70), Some(1000)] {
                for to in [None, Some(-100), Some(-10), Some(0), Some(1), Some(69), Some(71), Some(1000)] {
                    let windows = PaneWindows { step: 10, n_panes, from, to };
                    let expected = naive(&windows, &panes);
                    assert_eq!(
                        windows.count("m", &starts, &keys).unwrap(),
                        expected,
                        "{n_panes} {from:?} {to:?}"
                    );
                    let of_all: Vec<(i64, &str)> = panes.iter().map(|(start, _)| (*start, "")).collect();
                    let expected = naive(&windows, &of_all);
                    assert_eq!(
                        windows.count("m", &starts, &[]).unwrap(),
                        expected,
                        "{n_panes} {from:?} {to:?}"
                    );
                }
            }
        }
    }
}
