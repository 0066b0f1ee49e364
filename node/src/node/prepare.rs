//! What a node needs before its threads start, from configuration and package.

use std::collections::BTreeMap;
use std::sync::Arc;

use metricc_compiler::{DerivedPlan, MetricPlan, SourcePlan};
use metricc_durable_log::{DurableLog, LogSnapshot, SourceOptions};
use metricc_ir::AnyMetric;
use metricc_ir::user_defined::Imports;
use metricc_storage::Storage;

use crate::archiver::{self, Archiver};
use crate::config::{Config, SourceConfig};
use crate::error::NodeError;

pub(super) fn source_options(
    config: &Config,
    plans: &[Arc<SourcePlan>],
) -> Result<Vec<SourceOptions>, NodeError> {
    for name in config.sources.keys() {
        if !plans.iter().any(|plan| plan.source.name == *name) {
            let known: Vec<&str> = plans.iter().map(|plan| plan.source.name.as_str()).collect();
            return Err(NodeError::Config(format!(
                "`sources.{name}`: no metric of the package reads source `{name}`; the sources are `{}`",
                known.join("`, `")
            )));
        }
    }
    let options = |plan: &Arc<SourcePlan>| {
        let SourceConfig { partitions, duplicates_within, .. } =
            config.sources.get(&plan.source.name).cloned().unwrap_or_default();
        SourceOptions { source: plan.source.clone(), n_partitions: partitions, window: duplicates_within }
    };
    Ok(plans.iter().map(options).collect())
}

/// The plans of all base metrics, and of all derived ones.
pub(super) type MetricPlans = (Vec<Arc<MetricPlan>>, Vec<Arc<DerivedPlan>>);

pub(super) fn metric_plans(
    plans: &[Arc<SourcePlan>],
    metrics: &[AnyMetric],
    imports: &Imports,
) -> Result<MetricPlans, NodeError> {
    let all: Vec<Arc<MetricPlan>> = plans.iter().flat_map(|plan| plan.metrics.iter().cloned()).collect();
    let known: Vec<&Arc<MetricPlan>> = all.iter().collect();
    let derived = metrics.iter().filter_map(|metric| match metric {
        AnyMetric::Derived(derived) => Some(derived),
        AnyMetric::Base(_) => None,
    });
    let derived = derived.map(|derived| DerivedPlan::new(derived, &known, imports).map(Arc::new));
    let derived = derived.collect::<Result<Vec<_>, _>>()?;
    Ok((all, derived))
}

/// What a source does not declare is not written to flushed files, and so is gone for good.
pub(super) fn warn_of_gone_fields(log: &DurableLog, plan: &SourcePlan) {
    for field in log.gone_fields(&plan.source) {
        tracing::warn!(
            source = plan.source.name,
            "events have a field `{field}` that the source does not declare any more: those that are flushed from \
             now on lose it; declare it again to keep it"
        );
    }
}

/// Who copies what is flushed of each source, if it is copied.
pub(super) fn archivers(
    storage: Option<&Storage>,
    plans: &[Arc<SourcePlan>],
    log: &LogSnapshot,
) -> Result<BTreeMap<String, Archiver>, NodeError> {
    let Some(storage) = storage else { return Ok(BTreeMap::new()) };
    archiver::own(storage, log.id())?;
    let of_plan = |plan: &Arc<SourcePlan>| {
        let name = plan.source.name.clone();
        let archiver = Archiver::open(storage, &name, log)?;
        Ok((name, archiver))
    };
    plans.iter().map(of_plan).collect()
}
