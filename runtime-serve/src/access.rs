//! What a reader may read: which metrics, and which of their rows.
//!
//! A rule about rows is a condition over keys. It is applied to the states of each base metric before any of
//! them are merged, so whatever is computed from them, coarser windows, fewer keys, derived metrics, is that
//! of a log without the other events.
//!
//! Invariant: a metric that a reader may not read answers as one that is not there.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use metricc_compiler::{CompileError, KeyCondition, MetricPlan};
use metricc_ir::Expr;

/// Who reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Access {
    /// A reader without restrictions.
    #[default]
    Everything,
    /// The reader of that name, who sees what [`ServedVersion::readers`](crate::ServedVersion) says.
    Reader(Arc<str>),
}

impl Access {
    /// The name of a restricted reader.
    pub fn reader(&self) -> Option<&str> {
        match self {
            Access::Everything => None,
            Access::Reader(name) => Some(name),
        }
    }
}

/// The metrics of one version that a reader may read, each with the rows of it; `None` is all rows.
pub type Readable = BTreeMap<String, Option<Arc<RowFilter>>>;

/// Which rows of a metric a reader may read.
#[derive(Debug)]
pub struct RowFilter {
    text: String,
    /// By the name of the base metric.
    conditions: BTreeMap<String, KeyCondition>,
}

impl RowFilter {
    /// The filter of a metric: its text, and that text checked against the keys of each base metric that the
    /// metric is computed from.
    ///
    /// # Errors
    /// If a condition was not checked against the keys of its metric.
    pub fn new(text: &str, checked: &[(&MetricPlan, Expr)]) -> Result<Self, CompileError> {
        let condition = |(plan, expr): &(&MetricPlan, Expr)| {
            Ok((plan.metric.name.clone(), KeyCondition::new(plan, expr)?))
        };
        let conditions = checked.iter().map(condition).collect::<Result<_, CompileError>>()?;
        Ok(RowFilter { text: text.to_owned(), conditions })
    }

    /// The condition, as it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The states of the groups that may be read.
    pub(crate) fn states_of(
        &self,
        plan: &MetricPlan,
        states: &RecordBatch,
    ) -> Result<RecordBatch, CompileError> {
        let kept = self.kept(plan, states)?;
        filter_record_batch(states, &kept).map_err(|error| CompileError::engine(&plan.metric.name, error))
    }

    /// How many groups may be read.
    pub(crate) fn n_kept(&self, plan: &MetricPlan, states: &RecordBatch) -> Result<usize, CompileError> {
        Ok(self.kept(plan, states)?.true_count())
    }

    fn kept(&self, plan: &MetricPlan, states: &RecordBatch) -> Result<BooleanArray, CompileError> {
        let name = &plan.metric.name;
        // A metric without its condition is one that nobody has checked: none of it may be read.
        match self.conditions.get(name) {
            Some(condition) => condition.kept(plan, states),
            None => Err(CompileError::form(name, "has no condition for a restricted reader")),
        }
    }
}
