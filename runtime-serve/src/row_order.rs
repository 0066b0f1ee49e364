//! What a request makes of presented rows: which values they have, in which order they stand, and how many of
//! each window there are.
//!
//! Rows without an order stand by window, then keys; rows that are equal in it keep that order among them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::{SortColumn, SortOptions, lexsort_to_indices};
use metricc_client::ServingError;
use metricc_compiler::CompileError;
use metricc_ir::{Kind, OutputType, RowType, Window};
use serde_json::Value;

use crate::column_names::WINDOW;
use crate::condition::Condition;
use crate::{Presented, ServeError};

/// Conditions on outputs, an order, and a limit of the rows of one window.
#[derive(Debug, Default)]
pub(crate) struct RowOrder {
    /// Conditions on outputs, which are given by their indices.
    having: Vec<(usize, Condition)>,
    order: Vec<OrderBy>,
    /// Most rows of a window, the first ones in the order.
    per_window: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct OrderBy {
    by: Part,
    is_descending: bool,
}

/// A part of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    Window,
    Key(usize),
    Output(usize),
}

impl RowOrder {
    /// # Errors
    /// [`ServingError::Request`] for an unknown output or key, or a condition that it cannot have.
    pub(crate) fn new(
        row_type: &RowType,
        having: &BTreeMap<String, Value>,
        order: &[String],
        per_window: Option<u64>,
    ) -> Result<Self, ServingError> {
        let mut conditions = Vec::with_capacity(having.len());
        for (name, condition) in having {
            let Some(index) = row_type.outputs.iter().position(|output| name_of(output) == name) else {
                let known = names(&row_type.outputs);
                let problem = format!("metric `{}` has no value `{name}`; it has {known}", row_type.name);
                return Err(ServingError::Request(problem));
            };
            let what = format!("the value `{name}`");
            conditions.push((index, Condition::new(&what, &row_type.outputs[index].ty, condition)?));
        }
        let order = order.iter().map(|text| OrderBy::new(row_type, text)).collect::<Result<Vec<_>, _>>()?;
        if per_window.is_some() && row_type.window == Window::AllTime {
            let problem = format!("metric `{}` has no windows: use `limit`, not `per_window`", row_type.name);
            return Err(ServingError::Request(problem));
        }
        let per_window = per_window.map(|most| usize::try_from(most).unwrap_or(usize::MAX));
        Ok(RowOrder { having: conditions, order, per_window })
    }

    /// Whether all rows stay as they are.
    pub(crate) fn is_none(&self) -> bool {
        self.having.is_empty() && self.order.is_empty() && self.per_window.is_none()
    }

    /// The rows that are kept, in their order.
    pub(crate) fn of(&self, mut rows: Presented) -> Result<Presented, ServeError> {
        if !self.having.is_empty() {
            let mut selected = vec![true; rows.n_rows];
            for (index, condition) in &self.having {
                condition.keep(&mut selected, &rows.outputs[*index]);
            }
            rows = rows.filtered(&selected)?;
        }
        if !self.order.is_empty() {
            rows = rows.taken(&self.ordered(&rows)?)?;
        }
        let (Some(most), Some(windows)) = (self.per_window, &rows.windows) else { return Ok(rows) };
        // Totals of each sort are counted by themselves.
        let mut n_of: BTreeMap<((i64, i64), usize), usize> = BTreeMap::new();
        let is_kept = |(row, window): (usize, &(i64, i64))| {
            let n_rolled_up = rows.totals.as_ref().map_or(0, |totals| totals.n_rolled_up(row));
            let n = n_of.entry((*window, n_rolled_up)).or_default();
            *n += 1;
            *n <= most
        };
        let selected: Vec<bool> = windows.iter().enumerate().map(is_kept).collect();
        rows.filtered(&selected)
    }

    /// The indices of rows in their order. With a limit for each window, windows stand first in it.
    fn ordered(&self, rows: &Presented) -> Result<UInt32Array, CompileError> {
        let mut columns = Vec::with_capacity(self.order.len() + 2);
        let window_first = OrderBy { by: Part::Window, is_descending: false };
        let has_window = self.order.iter().any(|order| order.by == Part::Window);
        if self.per_window.is_some() && !has_window {
            columns.extend(column(rows, window_first));
        }
        columns.extend(self.order.iter().filter_map(|order| column(rows, *order)));
        // The sort is not stable by itself.
        let numbers = UInt32Array::from_iter_values(0..u32::try_from(rows.n_rows).unwrap_or(u32::MAX));
        columns.push(SortColumn { values: Arc::new(numbers), options: None });
        lexsort_to_indices(&columns, None).map_err(|error| CompileError::engine(&rows.row_type.name, error))
    }
}

/// The values by which rows are ordered. Nulls stand last in either direction.
fn column(rows: &Presented, order: OrderBy) -> Option<SortColumn> {
    let values: ArrayRef = match order.by {
        Part::Window => {
            let starts = rows.windows.as_ref()?.iter().map(|(start, _)| *start);
            Arc::new(TimestampMicrosecondArray::from_iter_values(starts))
        }
        Part::Key(index) => rows.keys[index].clone(),
        Part::Output(index) => rows.outputs[index].clone(),
    };
    let options = SortOptions { descending: order.is_descending, nulls_first: false };
    Some(SortColumn { values, options: Some(options) })
}

impl OrderBy {
    /// `NAME`, or `-NAME` for descending order.
    fn new(row_type: &RowType, text: &str) -> Result<Self, ServingError> {
        let (name, is_descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let output = row_type.outputs.iter().position(|output| name_of(output) == name);
        let key = row_type.keys.iter().position(|key| key.name == name);
        let has_windows = row_type.window != Window::AllTime;
        let (by, kind) = match (output, key) {
            (Some(output), _) => (Part::Output(output), Some(&row_type.outputs[output].ty.kind)),
            (None, Some(key)) => (Part::Key(key), Some(&row_type.keys[key].ty.kind)),
            (None, None) if name == WINDOW[0] && has_windows => (Part::Window, None),
            (None, None) => {
                let window = if has_windows { ", `window_start`" } else { "" };
                let keys: String = row_type.keys.iter().map(|key| format!(", `{}`", key.name)).collect();
                let problem = format!(
                    "the rows of `{}` are not ordered by `{name}`: they have {}{keys}{window}",
                    row_type.name,
                    names(&row_type.outputs)
                );
                return Err(ServingError::Request(problem));
            }
        };
        if let Some(Kind::List(_) | Kind::Record(_)) = kind {
            let problem = format!("`{name}` of `{}` has parts, and no order", row_type.name);
            return Err(ServingError::Request(problem));
        }
        Ok(OrderBy { by, is_descending })
    }
}

/// The name of an output in rows.
fn name_of(output: &OutputType) -> &str {
    output.name.as_deref().unwrap_or("value")
}

fn names(outputs: &[OutputType]) -> String {
    let names: Vec<String> = outputs.iter().map(|output| format!("`{}`", name_of(output))).collect();
    names.join(", ")
}
