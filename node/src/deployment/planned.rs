//! A version of the package, planned, and what deploying it changes, metric by metric.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metricc_comparison::diff::PartChange;
use metricc_compiler::{CompileError, DerivedPlan, MetricPlan, SourcePlan, StateHash};
use metricc_ir::{AnyMetric, base_metrics};
use metricc_runtime_serve::ServedVersion;
use serde::Serialize;

use super::DeployError;
use crate::package::NodePackage;
use crate::reader_rights::{ReaderRights, Readers};

/// A package whose metrics are planned.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    /// The metrics that it lists.
    pub(crate) metrics: Vec<AnyMetric>,
    /// One for each source that it reads.
    pub(crate) sources: Vec<Arc<SourcePlan>>,
    pub(crate) served: ServedVersion,
    /// Why restricted readers could not read what their settings say.
    pub(crate) reader_problems: Vec<String>,
}

impl Planned {
    /// # Errors
    /// If a metric cannot be planned.
    pub(crate) fn new(package: &NodePackage) -> Result<Self, CompileError> {
        let NodePackage { metrics, calendars, imports, .. } = package;
        let sources = SourcePlan::of_package(&base_metrics(metrics), imports)?;
        let sources: Vec<Arc<SourcePlan>> = sources.into_iter().map(Arc::new).collect();
        let base: Vec<Arc<MetricPlan>> =
            sources.iter().flat_map(|plan| plan.metrics.iter().cloned()).collect();
        let known: Vec<&Arc<MetricPlan>> = base.iter().collect();
        let derived = metrics.iter().filter_map(|metric| match metric {
            AnyMetric::Derived(derived) => Some(derived),
            AnyMetric::Base(_) => None,
        });
        let derived = derived.map(|derived| DerivedPlan::new(derived, &known, imports).map(Arc::new));
        let derived = derived.collect::<Result<Vec<_>, _>>()?;
        let calendars = calendars.clone();
        let served = ServedVersion { base, derived, calendars, ..ServedVersion::default() };
        Ok(Planned { metrics: metrics.clone(), sources, served, reader_problems: Vec::new() })
    }

    /// The same, with what readers may read of it.
    #[must_use]
    pub(crate) fn for_readers(mut self, readers: &Readers) -> Self {
        let ReaderRights { readers, problems } = ReaderRights::new(readers, &self.served);
        (self.served.readers, self.reader_problems) = (readers, problems);
        self
    }

    /// Checks that readers can read of it what their settings say.
    ///
    /// # Errors
    /// [`DeployError::Readers`].
    pub(super) fn check_readers(&self) -> Result<(), DeployError> {
        match self.reader_problems.is_empty() {
            true => Ok(()),
            false => Err(DeployError::Readers(self.reader_problems.join("\n"))),
        }
    }

    /// The base metrics over a source.
    pub(crate) fn base_over<'a>(&'a self, source: &'a str) -> impl Iterator<Item = &'a Arc<MetricPlan>> {
        self.served.base.iter().filter(move |plan| plan.metric.source.name == source)
    }

    /// The base metrics that a metric reads: itself, or its operands.
    pub(super) fn bases_of(&self, metric: &str) -> Vec<&Arc<MetricPlan>> {
        let listed = self.listed().into_iter().find(|listed| listed.name == metric);
        listed.map(|listed| listed.base).unwrap_or_default()
    }

    /// Names and hashes of the metrics that it lists: what readers can tell apart.
    pub(crate) fn hashes(&self) -> Vec<(String, String)> {
        self.listed().into_iter().map(|metric| (metric.name.to_owned(), metric.hash)).collect()
    }

    /// The metrics that it lists, as they are told apart.
    fn listed(&self) -> Vec<Listed<'_>> {
        let of = |metric: &'_ AnyMetric| -> Option<Listed<'_>> {
            let name = metric.name();
            match metric {
                AnyMetric::Base(metric) => {
                    let plan = self.served.base.iter().find(|plan| plan.metric == *metric)?;
                    Some(Listed { name: &plan.metric.name, hash: plan.hash.to_string(), base: vec![plan] })
                }
                AnyMetric::Derived(_) => {
                    let plan = self.served.derived.iter().find(|plan| plan.derived.name == name)?;
                    let base = plan.operands.iter().collect();
                    Some(Listed { name: &plan.derived.name, hash: plan.hash.to_string(), base })
                }
            }
        };
        self.metrics.iter().filter_map(of).collect()
    }
}

/// A metric of a version.
struct Listed<'a> {
    name: &'a str,
    hash: String,
    /// The base metrics that it reads.
    base: Vec<&'a Arc<MetricPlan>>,
}

impl Listed<'_> {
    fn states(&self) -> BTreeSet<StateHash> {
        self.base.iter().map(|plan| plan.state_hash).collect()
    }
}

/// What a deployment does to a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Its definition is the same.
    Kept,
    /// Its definition is the same under another name.
    Renamed,
    /// The same states are presented in another way.
    Presentation,
    /// Its states are others.
    Changed,
    /// There was no metric of that name.
    Added,
    /// It is served no longer.
    Removed,
}

/// A metric of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MetricEffect {
    /// Its name; the new one if it was renamed.
    pub metric: String,
    /// Its old name, if it was renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// What happens.
    pub effect: Effect,
    /// Positions of the log that are evaluated for it, together with the other metrics of its source; none if
    /// its states are there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positions: Option<u64>,
    /// About how many seconds that takes, by what batch took last; none if it has not evaluated much yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// The parts of its definition that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartChange>,
}

/// What it takes to evaluate the log of a source.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LogCost {
    pub(crate) positions: u64,
    pub(crate) seconds: Option<u64>,
}

/// What deploying a version in place of another one does: first the metrics of the new version in its order,
/// then those that are removed. `is_kept` says of states whether they are kept already, `cost` what it takes
/// to evaluate the log of a source for those of a metric that are not, and `parts` which parts of a
/// definition differ.
pub(crate) fn effects(
    live: &Planned,
    next: &Planned,
    is_kept: &dyn Fn(&StateHash) -> bool,
    cost: &dyn Fn(&str, &[StateHash]) -> LogCost,
    parts: &dyn Fn(&str) -> Vec<PartChange>,
) -> Vec<MetricEffect> {
    let (old, new) = (live.listed(), next.listed());
    let mut renamed: BTreeSet<&str> = BTreeSet::new();
    let mut effects = Vec::with_capacity(new.len());
    for metric in &new {
        let same_name = old.iter().find(|known| known.name == metric.name);
        let is_free = |known: &&Listed<'_>| {
            known.hash == metric.hash
                && !new.iter().any(|other| other.name == known.name)
                && !renamed.contains(known.name)
        };
        let was = match same_name {
            Some(_) => None,
            None => old.iter().find(is_free).map(|known| known.name),
        };
        renamed.extend(was);
        let mut missing: BTreeMap<&str, Vec<StateHash>> = BTreeMap::new();
        for plan in metric.base.iter().filter(|plan| !is_kept(&plan.state_hash)) {
            missing.entry(plan.metric.source.name.as_str()).or_default().push(plan.state_hash);
        }
        let effect = match same_name {
            Some(known) if known.hash == metric.hash => Effect::Kept,
            Some(known) if known.states() == metric.states() => Effect::Presentation,
            Some(_) => Effect::Changed,
            None if was.is_some() => Effect::Renamed,
            None => Effect::Added,
        };
        let costs: Vec<LogCost> = missing.iter().map(|(source, hashes)| cost(source, hashes)).collect();
        let positions = (!costs.is_empty()).then(|| costs.iter().map(|cost| cost.positions).sum());
        // Sources are evaluated side by side.
        let seconds = costs.iter().map(|cost| cost.seconds).collect::<Option<Vec<u64>>>();
        let seconds = seconds.and_then(|seconds| seconds.into_iter().max());
        let parts = parts(metric.name);
        let (metric, was) = (metric.name.to_owned(), was.map(str::to_owned));
        effects.push(MetricEffect { metric, was, effect, positions, seconds, parts });
    }
    let is_gone = |known: &&Listed<'_>| {
        !new.iter().any(|metric| metric.name == known.name) && !renamed.contains(known.name)
    };
    let removed = old.iter().filter(is_gone).map(|known| MetricEffect {
        metric: known.name.to_owned(),
        was: None,
        effect: Effect::Removed,
        positions: None,
        seconds: None,
        parts: Vec::new(),
    });
    effects.extend(removed);
    effects
}
