//! Evaluated segments of base metrics, and reading any metric that they suffice for.

use std::sync::Arc;

use metricc_compiler::{CompileError, DerivedPlan, MetricPlan, Segment, SourcePlan, Spread};
use metricc_ir::user_defined::Imports;
use metricc_ir::{AnyMetric, Derived, Metric};
use metricc_runtime_serve::{
    Presented, ReadOptions, ServeError, derive, estimated_derived_rows, estimated_rows, read,
};

/// Segments of base metrics, one each, up to one frontier per source.
#[derive(Debug, Default)]
pub struct Evaluated {
    segments: Vec<(Arc<MetricPlan>, Segment)>,
}

impl Evaluated {
    /// Adds the segments of all metrics of one source, in the order of its plan.
    pub fn add(&mut self, plan: &SourcePlan, segments: Vec<Segment>) {
        self.segments.extend(plan.metrics.iter().cloned().zip(segments));
    }

    /// Presents a base metric that was added, or a metric derived from such ones. `options` choose windows
    /// and range.
    ///
    /// # Errors
    /// If it is neither, or cannot be read by these windows.
    pub fn read(
        &self,
        metric: &AnyMetric,
        imports: &Imports,
        options: &ReadOptions,
    ) -> Result<Presented, ServeError> {
        match metric {
            AnyMetric::Base(metric) => {
                let (plan, segment) = self.base(metric)?;
                read(plan, segment, options)
            }
            AnyMetric::Derived(derived) => {
                let (plan, segments) = self.operands(derived, imports)?;
                derive(&plan, &segments, options)
            }
        }
    }

    /// About how many rows a metric has whose windows overlap, before they are made; `None` for other
    /// metrics, which have at most a row for each group.
    ///
    /// # Errors
    /// As [`Evaluated::read`].
    pub fn overlapping_rows(
        &self,
        metric: &AnyMetric,
        imports: &Imports,
        options: &ReadOptions,
    ) -> Result<Option<u64>, ServeError> {
        let overlap = |plan: &MetricPlan| matches!(plan.spread, Some(Spread::Panes { .. }));
        match metric {
            AnyMetric::Base(metric) => {
                let (plan, segment) = self.base(metric)?;
                let n_rows = overlap(plan).then(|| estimated_rows(plan, &segment.states, options));
                Ok(n_rows.transpose()?)
            }
            AnyMetric::Derived(derived) => {
                let (plan, segments) = self.operands(derived, imports)?;
                let any = plan.operands.iter().any(|operand| overlap(operand));
                any.then(|| estimated_derived_rows(&plan, &segments, options)).transpose()
            }
        }
    }

    fn base(&self, metric: &Arc<Metric>) -> Result<(&Arc<MetricPlan>, &Segment), ServeError> {
        let found = self.segments.iter().find(|(plan, _)| plan.metric == *metric);
        let (plan, segment) = found.ok_or_else(|| missing(&metric.name))?;
        Ok((plan, segment))
    }

    /// The plan of a derived metric, and the segment of each operand.
    fn operands(
        &self,
        derived: &Arc<Derived>,
        imports: &Imports,
    ) -> Result<(DerivedPlan, Vec<&Segment>), ServeError> {
        let plans: Vec<&Arc<MetricPlan>> = self.segments.iter().map(|(plan, _)| plan).collect();
        let plan = DerivedPlan::new(derived, &plans, imports)?;
        let segment_of = |plan: &Arc<MetricPlan>| {
            let found = self.segments.iter().find(|(known, _)| Arc::ptr_eq(known, plan));
            found.map(|(_, segment)| segment).ok_or_else(|| missing(&derived.name))
        };
        let segments = plan.operands.iter().map(segment_of).collect::<Result<Vec<_>, _>>()?;
        Ok((plan, segments))
    }
}

fn missing(metric: &str) -> CompileError {
    CompileError::form(metric, "was not evaluated")
}
