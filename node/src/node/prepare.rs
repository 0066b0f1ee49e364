//! What a node needs before its threads start, from configuration and package.

use std::collections::BTreeMap;
use std::sync::Arc;

use metricc_compiler::{DerivedPlan, MetricPlan, SourcePlan};
use metricc_durable_log::{
    Disk, DurableLog, DurableOptions, LogId, LogSnapshot, SourceOptions, TruncatedTail,
};
use metricc_ir::AnyMetric;
use metricc_ir::user_defined::Imports;
use metricc_storage::Storage;
use object_store::ObjectStore;
use tokio::runtime::Handle;

use crate::archiver::{self, Archiver};
use crate::config::{Config, SourceConfig};
use crate::error::NodeError;
use crate::restore::open_storage;
use crate::views_at_start::{accepted_losses, view_folder};

/// The log of a node, and where its copies and its views lie.
pub(super) struct OpenedLog {
    pub(super) log: DurableLog,
    pub(super) truncated_tail: Option<TruncatedTail>,
    /// By source.
    pub(super) archivers: BTreeMap<String, Archiver>,
    pub(super) views: Arc<dyn ObjectStore>,
}

/// Opens the log, unless it has lost acknowledged events.
///
/// # Errors
/// [`NodeError`]. Nothing is removed.
pub(super) fn open_log(
    config: &Config,
    plans: &[Arc<SourcePlan>],
    disk: &Arc<dyn Disk>,
    marked: &Arc<dyn Disk>,
    runtime: &Handle,
) -> Result<OpenedLog, NodeError> {
    let options = source_options(config, plans)?;
    let storage = open_storage(config)?;
    if let Some(storage) = &storage {
        archiver::not_without_log(storage, disk)?;
    }
    let fresh = LogId { id: rand::random(), seed: rand::random() };
    let durable = DurableOptions { accept_loss: config.accept_loss, ..DurableOptions::default() };
    let (mut log, truncated_tail) = DurableLog::open(disk.clone(), durable, &options, fresh, rand::random())?;
    plans.iter().for_each(|plan| warn_of_gone_fields(&log, plan));
    // Before losses are looked for: views of another log, or of this one elsewhere, are no proof of one.
    let archivers = archivers(storage.as_ref(), plans, &log.snapshot())?;
    let views = view_folder(config, storage.as_ref())?;
    let losses = accepted_losses(config, marked, views.clone(), &log, runtime)?;
    log.keep_mark(marked.clone(), losses.accepted);
    if !losses.said.is_empty() {
        log.begin_after_loss()?;
    }
    Ok(OpenedLog { log, truncated_tail, archivers, views })
}

fn source_options(config: &Config, plans: &[Arc<SourcePlan>]) -> Result<Vec<SourceOptions>, NodeError> {
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
fn warn_of_gone_fields(log: &DurableLog, plan: &SourcePlan) {
    for field in log.gone_fields(&plan.source) {
        tracing::warn!(
            source = plan.source.name,
            "events have a field `{field}` that the source does not declare any more: those that are flushed from \
             now on lose it; declare it again to keep it"
        );
    }
}

/// Who copies what is flushed of each source, if it is copied.
fn archivers(
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
