//! The rows of a query with the states behind them, from one published version.

use metricc_client::ServingError;
use metricc_compiler::Segment;
use metricc_ir::RowType;

use super::{Query, failed};
use crate::served_metrics::ServedPlan;
use crate::{DeclaredAggregate, MeasuredRows, Mergeable, Published};

impl Query {
    /// The rows of the request's range and keys, as the metric is defined: the request has no other wishes.
    ///
    /// # Errors
    /// [`ServingError`]; [`ServingError::Backfilling`] if the version lacks states.
    pub fn measured(&self, published: &Published) -> Result<MeasuredRows, ServingError> {
        let bases = self.entry.plan.base();
        let metrics: Option<Vec<_>> = bases.iter().map(|plan| published.states(plan)).collect();
        let Some(metrics) = metrics else {
            return Err(ServingError::Backfilling { metric: self.metric().to_owned() });
        };
        match &self.entry.plan {
            ServedPlan::Base(plan) => {
                let (segment, options) = self.states_of_base(plan, metrics[0]).map_err(failed)?;
                MeasuredRows::of_base(plan, &segment, &options).map_err(failed)
            }
            ServedPlan::Derived(plan) => {
                let segments = self.readable_bases(&metrics).map_err(failed)?;
                let segments: Vec<&Segment> = segments.iter().map(|segment| &**segment).collect();
                MeasuredRows::of_derived(plan, &segments, self.options()).map_err(failed)
            }
        }
    }

    /// Rows that may be merged, and the aggregates of SQL that mean an output.
    pub fn measures(&self) -> (Mergeable, Vec<Option<DeclaredAggregate>>) {
        self.entry.measures()
    }

    /// The rows as the metric defines them.
    pub fn defined_rows(&self) -> &RowType {
        &self.entry.row_type
    }
}
