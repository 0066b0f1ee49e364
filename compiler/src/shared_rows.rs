//! A decoded batch as several groupings prepare it: a filter that more than one of them has is evaluated
//! once, and what it keeps of a column is copied once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::{FilterBuilder, FilterPredicate};

use crate::CompileError;
use crate::scalar::WindowRule;

/// A batch, and what is known of the rows that each of the plan's filters keeps.
#[derive(Debug)]
pub struct SharedRows {
    rows: RecordBatch,
    kept: Vec<Mutex<Option<Kept>>>,
}

/// The rows that a filter keeps.
#[derive(Debug)]
pub(crate) struct Kept {
    rows: RecordBatch,
    /// None if it keeps all rows.
    predicate: Option<FilterPredicate>,
    n_rows: usize,
    columns: Vec<Option<ArrayRef>>,
    starts: Vec<(WindowRule, ArrayRef)>,
}

impl SharedRows {
    /// A batch for the groupings of a plan with this [number of filters](crate::SourcePlan::n_filters).
    pub fn new(rows: RecordBatch, n_filters: usize) -> Self {
        SharedRows { rows, kept: (0..n_filters).map(|_| Mutex::new(None)).collect() }
    }

    /// The batch.
    pub fn rows(&self) -> &RecordBatch {
        &self.rows
    }

    /// The rows that a filter keeps, by its number; evaluated if they are not known yet. None if there is no
    /// such filter. Others who want the same rows wait.
    pub(crate) fn kept(
        &self,
        filter: usize,
        evaluate: impl FnOnce(&RecordBatch) -> Result<Option<BooleanArray>, CompileError>,
    ) -> Result<Option<MutexGuard<'_, Option<Kept>>>, CompileError> {
        let Some(slot) = self.kept.get(filter) else { return Ok(None) };
        let mut kept = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.is_none() {
            *kept = Some(Kept::new(self.rows.clone(), evaluate(&self.rows)?.as_ref()));
        }
        Ok(Some(kept))
    }
}

impl Kept {
    /// All rows, or those for which the mask is true.
    pub(crate) fn new(rows: RecordBatch, mask: Option<&BooleanArray>) -> Self {
        let mask = mask.filter(|mask| mask.true_count() < mask.len());
        // Several columns are filtered by it, so that it is worth to note where its rows are.
        let predicate = mask.map(|mask| FilterBuilder::new(mask).optimize().build());
        let n_rows = predicate.as_ref().map_or(rows.num_rows(), FilterPredicate::count);
        let columns = vec![None; rows.num_columns()];
        Kept { rows, predicate, n_rows, columns, starts: Vec::new() }
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The kept rows of a column.
    pub(crate) fn column(&mut self, column: usize) -> Result<ArrayRef, CompileError> {
        let Some(predicate) = &self.predicate else { return Ok(self.rows.column(column).clone()) };
        let slot = &mut self.columns[column];
        if let Some(known) = slot {
            return Ok(known.clone());
        }
        let filtered = predicate.filter(self.rows.column(column));
        let filtered = filtered.map_err(|error| CompileError::engine("filter", error))?;
        Ok(slot.insert(filtered).clone())
    }

    /// Where the windows of the kept rows start, by the column of their times.
    pub(crate) fn starts(&mut self, rule: &WindowRule, time: usize) -> Result<ArrayRef, CompileError> {
        if let Some((_, known)) = self.starts.iter().find(|(known, _)| known == rule) {
            return Ok(known.clone());
        }
        let starts = rule.starts(&self.column(time)?)?;
        self.starts.push((rule.clone(), starts.clone()));
        Ok(starts)
    }
}
