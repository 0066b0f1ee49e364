//! Totals beside the rows: the rows of a metric without some of the keys, in the columns of all of them.
//!
//! Invariants: a total is presented from states that are merged by the keys that it has, and never a sum of
//! rows. A total has no value of a key that is rolled up, and says which ones are, so it is not taken for a
//! row of which the value of a key is missing.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, TimestampMicrosecondArray, UInt32Array, new_null_array};
use arrow::row::{RowConverter, SortField};
use metricc_compiler::CompileError;
use metricc_compiler::scalar::data_type;
use metricc_ir::RowType;

use crate::{Presented, ServeError};

/// Which rows of an answer are totals.
#[derive(Debug, Clone)]
pub struct TotalRows {
    /// The keys that are rolled up, in the order of the request: the last ones first.
    keys: Arc<[String]>,
    /// For each row, how many of them are.
    n_rolled_up: Vec<usize>,
}

impl TotalRows {
    /// Rows of which none is a total.
    pub(crate) fn none(keys: &[String], n_rows: usize) -> Self {
        TotalRows { keys: keys.into(), n_rolled_up: vec![0; n_rows] }
    }

    /// The keys that a row is the total of, in the order of the request; none if it is no total.
    pub fn of_row(&self, row: usize) -> &[String] {
        &self.keys[self.keys.len() - self.n_rolled_up[row]..]
    }

    /// How many keys are rolled up in a row.
    pub(crate) fn n_rolled_up(&self, row: usize) -> usize {
        self.n_rolled_up[row]
    }

    /// As a cell of a table: names with commas between them; `None` if it is no total.
    pub(crate) fn cell(&self, row: usize) -> Option<String> {
        let keys = self.of_row(row);
        (!keys.is_empty()).then(|| keys.join(","))
    }

    pub(crate) fn of_rows(&self, rows: impl Iterator<Item = usize>) -> Self {
        let n_rolled_up = rows.filter_map(|row| self.n_rolled_up.get(row).copied()).collect();
        TotalRows { keys: self.keys.clone(), n_rolled_up }
    }

    /// Those of pieces of one answer.
    pub(crate) fn joined<'a>(pieces: impl Iterator<Item = Option<&'a TotalRows>>) -> Option<Self> {
        let pieces: Vec<&TotalRows> = pieces.flatten().collect();
        let keys = pieces.first()?.keys.clone();
        Some(TotalRows {
            keys,
            n_rolled_up: pieces.iter().flat_map(|piece| piece.n_rolled_up.clone()).collect(),
        })
    }
}

/// The rows of a metric without the keys that are rolled up, as totals among the rows with these types.
/// `kept` has for each key of `rows` its index in `all`.
pub(crate) fn as_totals(
    rows: Presented,
    all: &Arc<RowType>,
    kept: &[usize],
    (names, n_rolled_up): (&[String], usize),
) -> Presented {
    let column = |(index, key): (usize, &metricc_ir::RecordField)| -> ArrayRef {
        match kept.iter().position(|kept| *kept == index) {
            Some(kept) => rows.keys[kept].clone(),
            None => new_null_array(&data_type(&key.ty.kind), rows.n_rows),
        }
    };
    let keys = all.keys.iter().enumerate().map(column).collect();
    let totals = Some(TotalRows { keys: names.into(), n_rolled_up: vec![n_rolled_up; rows.n_rows] });
    Presented { keys, totals, row_type: all.clone(), ..rows }
}

/// Rows and totals, by window, then keys; a total stands after the rows that it is the total of.
///
/// # Errors
/// If they are not of the same types.
pub(crate) fn in_order(pieces: &[Presented]) -> Result<Presented, ServeError> {
    let rows = Presented::concat(pieces)?;
    let (Some(totals), false) = (&rows.totals, rows.row_type.keys.is_empty()) else { return Ok(rows) };
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(1 + 2 * rows.keys.len());
    if let Some(windows) = &rows.windows {
        let starts = windows.iter().map(|(start, _)| *start);
        columns.push(Arc::new(TimestampMicrosecondArray::from_iter_values(starts)));
    }
    for (key, column) in rows.row_type.keys.iter().zip(&rows.keys) {
        let is_rolled_up = (0..rows.n_rows).map(|row| totals.of_row(row).contains(&key.name));
        let is_rolled_up: BooleanArray = is_rolled_up.map(Some).collect();
        columns.extend([Arc::new(is_rolled_up) as ArrayRef, column.clone()]);
    }
    let failed = |error| CompileError::engine(&rows.row_type.name, error);
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let converter = RowConverter::new(fields).map_err(failed)?;
    let sorted = converter.convert_columns(&columns).map_err(failed)?;
    let mut order: Vec<u32> = (0..u32::try_from(rows.n_rows).unwrap_or(u32::MAX)).collect();
    order.sort_by(|left, right| sorted.row(*left as usize).cmp(&sorted.row(*right as usize)));
    Ok(rows.taken(&UInt32Array::from(order))?)
}
