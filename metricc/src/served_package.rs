//! A package that is served in this process, with what was evaluated of it.

use std::sync::Arc;

use metricc_compiler::{CompileError, DerivedPlan, MetricPlan, Segment, SourcePlan};
use metricc_ir::AnyMetric;
use metricc_runtime_serve::{LocalServing, ServeError, ServedVersion};

use crate::{Bound, Package};

/// Serves all metrics of a package. Those that were evaluated have rows: for each source that is bound the segments
/// of its plan's metrics over the whole log, in their order.
///
/// # Errors
/// [`ServeError`] if a metric cannot be planned, or segments are of other metrics.
pub fn serve_evaluated(
    package: &Package,
    evaluated: &[(&Bound, Vec<Segment>)],
) -> Result<LocalServing, ServeError> {
    let metrics: Vec<AnyMetric> = package.checked.package.all_metrics().collect();
    let plans = SourcePlan::of_package(&metricc_ir::base_metrics(&metrics), &package.imports)?;
    let plans: Vec<Arc<MetricPlan>> = plans.into_iter().flat_map(|plan| plan.metrics).collect();
    let known: Vec<&Arc<MetricPlan>> = plans.iter().collect();
    let derived = metrics.iter().filter_map(|metric| match metric {
        AnyMetric::Derived(derived) => {
            Some(DerivedPlan::new(derived, &known, &package.imports).map(Arc::new))
        }
        AnyMetric::Base(_) => None,
    });
    let derived = derived.collect::<Result<_, CompileError>>()?;
    let calendars = package.checked.package.calendars.clone();
    let serving = LocalServing::of_version(ServedVersion {
        base: plans,
        derived,
        calendars,
        ..ServedVersion::default()
    });
    let of_source = |(bound, segments): &(&Bound, Vec<Segment>)| {
        let metrics = bound.plan.metrics.clone();
        metrics.into_iter().zip(segments.clone()).collect::<Vec<_>>()
    };
    let segments: Vec<(Arc<MetricPlan>, Segment)> = evaluated.iter().flat_map(of_source).collect();
    let segments: Vec<(&MetricPlan, Vec<Segment>)> =
        segments.iter().map(|(plan, segment)| (&**plan, vec![segment.clone()])).collect();
    serving.publish(&segments)?;
    Ok(serving)
}
