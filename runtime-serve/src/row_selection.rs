//! Which rows of an answer a request selects: by their keys, and perhaps only the latest window.

use std::collections::BTreeMap;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use metricc_client::ServingError;
use metricc_compiler::{CompileError, MetricPlan};
use metricc_ir::RecordField;
use serde_json::Value;

use crate::condition::{Condition, KeyBytes};
use crate::{Presented, ServeError};

/// A selection of rows, resolved against the keys of a metric. The range of windows is not part of it: reads
/// have it already.
#[derive(Debug, Default)]
pub(crate) struct RowSelection {
    /// Conditions on keys, which are given by their indices.
    keys: Vec<(usize, Condition)>,
    /// The value of each key, if each has to have one: an index has the rows.
    all_keys: Option<Vec<KeyBytes>>,
    /// Only the latest window of the rows with these keys.
    is_latest: bool,
}

impl RowSelection {
    /// # Errors
    /// [`ServingError::Request`] for an unknown key, or a condition that it cannot have.
    pub(crate) fn new(
        metric: &str,
        keys: &[RecordField],
        selected: &BTreeMap<String, Value>,
        is_latest: bool,
    ) -> Result<Self, ServingError> {
        let mut conditions = Vec::with_capacity(selected.len());
        for (name, condition) in selected {
            let index = index_of_key(metric, name, keys)?;
            let what = format!("the key `{name}`");
            conditions.push((index, Condition::new(&what, &keys[index].ty, condition)?));
        }
        conditions.sort_unstable_by_key(|(index, _)| *index);
        let values = conditions.iter().map(|(_, condition)| condition.only().cloned());
        let all_keys = (conditions.len() == keys.len() && !keys.is_empty()).then(|| values.collect());
        Ok(RowSelection { keys: conditions, all_keys: all_keys.flatten(), is_latest })
    }

    /// The value of each key, if the request gives all of them.
    pub(crate) fn all_keys(&self) -> Option<&[KeyBytes]> {
        self.all_keys.as_deref()
    }

    /// Whether it selects the latest window of all rows.
    pub(crate) fn is_latest_of_all(&self) -> bool {
        self.is_latest && self.keys.is_empty()
    }

    /// Whether it leaves out any rows.
    pub(crate) fn selects(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The states of the groups with the selected keys; `None` if those are all.
    pub(crate) fn states_of(
        &self,
        plan: &MetricPlan,
        states: &RecordBatch,
    ) -> Result<Option<RecordBatch>, CompileError> {
        self.states_by(plan, states, |key| key)
    }

    /// As [`RowSelection::states_of`], of an operand that has each key at another index.
    pub(crate) fn states_by(
        &self,
        plan: &MetricPlan,
        states: &RecordBatch,
        index_of: impl Fn(usize) -> usize,
    ) -> Result<Option<RecordBatch>, CompileError> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let first = plan.form.n_group_columns - plan.metric.keys.len();
        let mut flags = vec![true; states.num_rows()];
        for (index, condition) in &self.keys {
            condition.keep(&mut flags, states.column(first + index_of(*index)));
        }
        let selected = filter_record_batch(states, &BooleanArray::from(flags));
        selected.map(Some).map_err(|error| CompileError::engine(&plan.metric.name, error))
    }

    /// The selected rows.
    pub(crate) fn of(&self, presented: Presented) -> Result<Presented, ServeError> {
        let mut selected = vec![true; presented.n_rows];
        for (index, condition) in &self.keys {
            condition.keep(&mut selected, &presented.keys[*index]);
        }
        self.keep_latest(&presented, &mut selected);
        presented.filtered(&selected)
    }

    /// The selected rows of those that have the selected keys.
    pub(crate) fn latest_of(&self, presented: Presented) -> Result<Presented, ServeError> {
        if !self.is_latest {
            return Ok(presented);
        }
        let mut selected = vec![true; presented.n_rows];
        self.keep_latest(&presented, &mut selected);
        presented.filtered(&selected)
    }

    fn keep_latest(&self, presented: &Presented, selected: &mut [bool]) {
        let Some(windows) = presented.windows.as_ref().filter(|_| self.is_latest) else { return };
        let starts = windows.iter().zip(&*selected).filter(|(_, is_selected)| **is_selected);
        let latest = starts.map(|((start, _), _)| *start).max();
        for (is_selected, (start, _)) in selected.iter_mut().zip(windows) {
            *is_selected &= Some(*start) == latest;
        }
    }
}

/// The indices of the keys that rows keep, in their order; `None` if they keep all in the order of the
/// metric.
///
/// # Errors
/// [`ServingError::Request`] for an unknown key, or one that is named twice.
pub(crate) fn kept_keys(
    metric: &str,
    keys: &[RecordField],
    by: Option<&[String]>,
) -> Result<Option<Vec<usize>>, ServingError> {
    let Some(by) = by else { return Ok(None) };
    let mut kept = Vec::with_capacity(by.len());
    for name in by {
        let index = index_of_key(metric, name, keys)?;
        if kept.contains(&index) {
            let problem = format!("`by` names the key `{name}` twice: a row has each key once");
            return Err(ServingError::Request(problem));
        }
        kept.push(index);
    }
    let is_as_defined = kept.iter().copied().eq(0..keys.len());
    Ok((!is_as_defined).then_some(kept))
}

fn index_of_key(metric: &str, name: &str, keys: &[RecordField]) -> Result<usize, ServingError> {
    let index = keys.iter().position(|key| key.name == name);
    index.ok_or_else(|| {
        let known: Vec<String> = keys.iter().map(|key| format!("`{}`", key.name)).collect();
        let known =
            if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
        ServingError::Request(format!("metric `{metric}` has no key `{name}`; {known}"))
    })
}
