//! Evaluated segments of base metrics, and reading any metric that they suffice for.

use std::sync::Arc;

use metricc_compiler::{CompileError, DerivedPlan, MetricPlan, Segment, SourcePlan};
use metricc_ir::AnyMetric;
use metricc_ir::user_defined::Imports;
use metricc_runtime_serve::{Presented, ReadOptions, ServeError, derive, read};

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

    /// Presents a base metric that was added, or a metric derived from such ones. `options` choose windows and
    /// range.
    ///
    /// # Errors
    /// If it is neither, or cannot be read by these windows.
    pub fn read(
        &self,
        metric: &AnyMetric,
        imports: &Imports,
        options: &ReadOptions,
    ) -> Result<Presented, ServeError> {
        let missing = || CompileError::form(metric.name(), "was not evaluated");
        match metric {
            AnyMetric::Base(metric) => {
                let found = self.segments.iter().find(|(plan, _)| plan.metric == *metric);
                let (plan, segment) = found.ok_or_else(missing)?;
                read(plan, segment, options)
            }
            AnyMetric::Derived(derived) => {
                let plans: Vec<&Arc<MetricPlan>> = self.segments.iter().map(|(plan, _)| plan).collect();
                let plan = DerivedPlan::new(derived, &plans, imports)?;
                let segment_of = |plan: &Arc<MetricPlan>| {
                    let found = self.segments.iter().find(|(known, _)| Arc::ptr_eq(known, plan));
                    found.map(|(_, segment)| segment).ok_or_else(missing)
                };
                let segments = plan.operands.iter().map(segment_of).collect::<Result<Vec<_>, _>>()?;
                derive(&plan, &segments, options)
            }
        }
    }
}
