//! What a node says of the versions of its package.

use super::planned::MetricEffect;
use super::store::{Step, VersionRecord, VersionState};
use super::{Deployments, Version};

/// What deploying a package changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Metric by metric.
    pub effects: Vec<MetricEffect>,
    /// What else there is to know: sources that are declared otherwise, and versions that are kept no longer.
    pub notes: Vec<String>,
    /// The live version, if it has this text already: there is nothing to do.
    pub live_as: Option<u64>,
}

/// The outcome of a step with a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stepped {
    /// The number of the version.
    pub version: u64,
    /// What it is now.
    pub state: VersionState,
    /// What else has changed, or will: versions that are kept no longer, and one that was on its way.
    pub notes: Vec<String>,
}

/// The outcome of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// The number of the version.
    pub version: u64,
    /// What it is now.
    pub state: VersionState,
    /// What it changes.
    pub changes: Changes,
}

/// A version, and what it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionStatus {
    /// Its record.
    pub record: VersionRecord,
    /// Names and hashes of its metrics.
    pub metrics: Vec<(String, String)>,
    /// A metric whose states the answers do not have yet, or a source whose events are not decoded yet as the live
    /// version declares it; `None` if there is neither.
    pub waits_for: Option<String>,
}

/// The versions of the package of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageStatus {
    /// Whether other versions can be deployed; the metrics of a program cannot be replaced.
    pub is_deployable: bool,
    /// Newest first.
    pub versions: Vec<VersionStatus>,
    /// The version that rolling back makes live, if there is one.
    pub rollback: Option<u64>,
    /// The last steps, oldest first.
    pub steps: Vec<Step>,
}

impl Deployments {
    /// The versions.
    pub(crate) fn status(&self) -> PackageStatus {
        let state = self.lock();
        let mut versions: Vec<VersionStatus> =
            state.versions.iter().map(|version| self.status_of(version)).collect();
        versions.sort_by_key(|version| std::cmp::Reverse(version.record.number));
        let steps = state.stored.as_ref().map(|(_, versions)| versions.steps.clone());
        PackageStatus {
            is_deployable: state.stored.is_some(),
            versions,
            rollback: state.before_live().map(|version| version.record.number),
            steps: steps.unwrap_or_default(),
        }
    }

    /// The number of metrics that the live version lists.
    pub(crate) fn n_metrics(&self) -> usize {
        self.lock().live().planned.metrics.len()
    }

    /// The source whose events are not decoded yet as the live version declares it.
    fn undeclared(&self, version: &Version) -> Option<String> {
        let is_live = version.record.state == VersionState::Live;
        let is_behind = |name: &str| self.source(name).is_some_and(|source| !source.is_declared());
        let mut read = version.planned.sources.iter().map(|plan| plan.source.name.clone());
        read.find(|name| is_live && is_behind(name))
    }

    fn status_of(&self, version: &Version) -> VersionStatus {
        let served = &version.planned.served;
        let base = served.base.iter().map(|plan| (plan.metric.name.clone(), plan.hash.to_string()));
        let derived = served.derived.iter().map(|plan| (plan.derived.name.clone(), plan.hash.to_string()));
        VersionStatus {
            record: version.record.clone(),
            metrics: base.chain(derived).collect(),
            waits_for: self.lacks(&version.planned).or_else(|| self.undeclared(version)),
        }
    }
}
