//! Versions of the package of a node: one is live, others are kept, and one may be on its way.
//!
//! A version that is deployed is planned beside the live one. The states that it shares with versions that
//! are there already are found by their hash; all others are computed from the log. When the answers have the
//! states of all its metrics, it becomes live in one step. The version before it is kept: its states are
//! followed until it is retired, so going back is the same step again.
//!
//! Invariants: what is live is durable before it is served. A state is kept as long as a version needs it. No
//! answer mixes versions, since a request is resolved by one of them.

mod changes;
mod comparison;
mod error;
mod going;
#[cfg(test)]
mod new_source_tests;
mod new_sources;
mod planned;
mod questions;
mod start;
mod status;
mod steps;
mod store;
#[cfg(test)]
mod store_tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use metricc_compiler::{MetricPlan, SourcePlan, StateHash};
use metricc_ir::Source;
use metricc_ir::user_defined::Imports;
use metricc_jobs::PackageText;
use metricc_runtime_serve::{LocalServing, ServedVersion};

pub use error::DeployError;
pub use planned::{Effect, MetricEffect};
pub use status::{Changes, Deployed, PackageStatus, VersionStatus};
pub use store::{Step, StepKind, VersionRecord, VersionState};

pub(crate) use comparison::{Counts, Pair, Wanted};
pub(crate) use planned::Planned;
pub(crate) use start::{DeclaredSource, Start, start};
pub(crate) use status::Stepped;
pub(crate) use store::{VersionStore, Versions};

use crate::changed::{Changed, PacedWait};
use crate::config::DeployConfig;
use crate::package::NodePackage;
use crate::source::NodeSource;
use crate::source_start::SourceStarts;
use crate::sources::Sources;

/// A version of the package.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) record: VersionRecord,
    pub(crate) planned: Planned,
}

/// The versions of a node.
pub(crate) struct Deployments {
    sources: Sources,
    starts: Arc<SourceStarts>,
    /// Held by the one deployment that opens sources.
    opening: Mutex<()>,
    serving: LocalServing,
    imports: Imports,
    keep: DeployConfig,
    has_cluster: bool,
    state: Mutex<State>,
    /// Is told of each version that becomes live.
    on_promotion: Box<dyn Fn(&Planned) + Send + Sync>,
}

struct State {
    /// Newest first; exactly one is live, and at most one is building or a preview.
    versions: Vec<Arc<Version>>,
    stored: Option<(VersionStore, Versions)>,
    /// What the start has changed, until the live version is answered: a start that fails changes nothing. The
    /// text is that of the live version, if it is new.
    unwritten: Option<Option<PackageText>>,
}

impl State {
    fn with(&self, is_wanted: impl Fn(VersionState) -> bool) -> Option<&Arc<Version>> {
        self.versions.iter().find(|version| is_wanted(version.record.state))
    }

    fn live(&self) -> &Arc<Version> {
        self.with(|state| state == VersionState::Live).expect("a version is live")
    }

    /// The one that is building, or a preview.
    fn candidate(&self) -> Option<&Arc<Version>> {
        self.with(|state| matches!(state, VersionState::Building | VersionState::Preview))
    }

    fn kept(&self) -> impl Iterator<Item = &Arc<Version>> {
        self.versions.iter().filter(|version| version.record.state == VersionState::Kept)
    }

    fn of(&self, number: u64) -> Result<&Arc<Version>, DeployError> {
        let found = self.versions.iter().find(|version| version.record.number == number);
        found.ok_or_else(|| DeployError::Unknown {
            version: number,
            known: self.versions.iter().map(|version| version.record.number).collect(),
        })
    }
}

pub(crate) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Whether rows that come in as the first declaration says can be read as the second one does, with those that
/// the log has.
type CheckDeclared<'a> = dyn Fn(&Source, &Source) -> Result<(), String> + 'a;

/// The versions that cannot read what comes in as another one declares its sources, and why.
fn unreadable(live: &Planned, others: &[Arc<Version>], check: &CheckDeclared<'_>) -> Vec<(u64, String)> {
    let problem = |version: &Arc<Version>| {
        version.planned.sources.iter().find_map(|reader| {
            let name = &reader.source.name;
            let declared = live.sources.iter().find(|plan| plan.source.name == *name)?;
            let problem = check(&declared.source, &reader.source).err()?;
            Some((version.record.number, format!("source `{name}`, {problem}")))
        })
    };
    others.iter().filter_map(problem).collect()
}

/// Why a version cannot read the log of a source, if so: as it is, or when it is live.
fn source_problem(source: &NodeSource, wanted: &Source) -> Option<DeployError> {
    let (name, log) = (source.name(), source.log.snapshot());
    // The log is about to come to the declaration of the live version.
    let (now, live) = (log.decoder(name)?.source(), source.wanted_declaration());
    let time = |source: &Source| source.fields[source.time].name.clone();
    if time(&live) != time(wanted) && log.end(name).n_positions() > 0 {
        // By it was decided which events are too old to be duplicates.
        let (before, now) = (time(&live), time(wanted));
        let problem = format!("its event time was `{before}` and is `{now}`");
        return Some(DeployError::Source { origin: name.to_owned(), problem });
    }
    let mut readable = [now, &live, wanted].map(|declared| log.check_declared(declared, wanted)).into_iter();
    let (origin, problem) = (name.to_owned(), readable.find_map(Result::err)?);
    Some(match log.end(name).n_positions() {
        0 => DeployError::NoEvents { origin, problem },
        _ => DeployError::Source { origin, problem },
    })
}

impl std::fmt::Debug for Deployments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deployments").field("keep", &self.keep).finish_non_exhaustive()
    }
}

impl Deployments {
    pub(crate) fn new(
        start: Start,
        starts: &Arc<SourceStarts>,
        on_promotion: Box<dyn Fn(&Planned) + Send + Sync>,
    ) -> Self {
        start.log_changes();
        let versions = std::iter::once(start.live).chain(start.others).collect();
        let state = State { versions, stored: start.stored, unwritten: start.unwritten };
        let deployments = Deployments {
            sources: starts.sources.clone(),
            starts: starts.clone(),
            opening: Mutex::default(),
            serving: starts.opener.serving.clone(),
            imports: starts.opener.imports.clone(),
            keep: starts.opener.config.deploy.clone(),
            has_cluster: starts.opener.config.batch_cluster.is_some(),
            state: Mutex::new(state),
            on_promotion,
        };
        let state = deployments.lock();
        deployments.serve(&state);
        drop(state);
        deployments
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The metric of a version whose states the answers do not have yet, or are about to lose.
    fn waits_for(&self, planned: &Planned) -> Option<String> {
        let is_held = |plan: &Arc<MetricPlan>| {
            let name = &plan.metric.source.name;
            self.source(name).is_some_and(|source| source.holds(plan))
        };
        let missing = planned.served.plans().find(|plan| !is_held(plan));
        missing.map(|plan| plan.metric.name.clone())
    }

    /// The metric of a kept version whose states the answers do not have. They are wanted as long as it is kept.
    fn lacks(&self, planned: &Planned) -> Option<String> {
        let published = self.serving.published();
        let missing = planned.served.plans().find(|plan| !published.has(plan));
        missing.map(|plan| plan.metric.name.clone())
    }

    /// Serves what is live, and all other versions to requests that name their hashes.
    fn serve(&self, state: &State) {
        let others = state.versions.iter().filter(|version| version.record.state != VersionState::Live);
        let served = |version: &Arc<Version>| ServedVersion {
            number: Some(version.record.number),
            ..version.planned.served.clone()
        };
        let others: Vec<ServedVersion> = others.map(served).collect();
        self.serving.serve_version(served(state.live()), &others);
        self.sources.now().iter().for_each(|source| source.count_groups());
    }

    /// Has all states kept that a version needs, those of the live one first.
    fn want(&self, state: &State) -> Result<(), DeployError> {
        for source in self.sources.now().iter() {
            let metrics = wanted(state.live(), &state.versions, source.name());
            let wanted = source.wanted();
            let hashes = |metrics: &[Arc<MetricPlan>]| -> Vec<StateHash> {
                let mut hashes: Vec<StateHash> = metrics.iter().map(|metric| metric.state_hash).collect();
                hashes.sort();
                hashes.dedup();
                hashes
            };
            // A source that no version reads keeps its states until the node is started again.
            if !metrics.is_empty() && hashes(&metrics) != hashes(&wanted.metrics) {
                source.want(&metrics)?;
            }
        }
        Ok(())
    }

    fn planned(&self, text: PackageText) -> Result<Planned, DeployError> {
        let package = NodePackage::of_text(text, &self.imports).map_err(DeployError::Package)?;
        let planned = Planned::new(&package)?.for_readers(&self.starts.opener.config.readers);
        planned.check_readers()?;
        self.check_sources(&planned)?;
        Ok(planned)
    }

    /// Checks that a version can read the logs of its sources that the node has.
    fn check_sources(&self, planned: &Planned) -> Result<(), DeployError> {
        for SourcePlan { source: wanted, .. } in planned.sources.iter().map(|plan| &**plan) {
            let known = self.source(&wanted.name);
            if let Some(problem) = known.and_then(|source| source_problem(&source, wanted)) {
                return Err(problem);
            }
        }
        Ok(())
    }

    fn source(&self, name: &str) -> Option<Arc<NodeSource>> {
        self.sources.find(name)
    }

    /// The versions that are given up when another one becomes live, and why: they could not read the events
    /// that come in then.
    fn given_up(&self, state: &State, next: &Planned) -> Vec<(u64, String)> {
        let check = |declared: &Source, reader: &Source| match self.source(&declared.name) {
            Some(source) => source.log.snapshot().check_declared(declared, reader),
            None => Ok(()),
        };
        unreadable(next, &state.versions, &check)
    }

    /// Has events decoded as the live version declares its sources.
    fn declare(&self, state: &State) {
        for SourcePlan { source: wanted, .. } in state.live().planned.sources.iter().map(|plan| &**plan) {
            if let Some(source) = self.source(&wanted.name) {
                source.want_declared(wanted);
            }
        }
    }
}

/// The base metrics of all versions over a source, those of the live one first.
pub(crate) fn wanted(live: &Version, versions: &[Arc<Version>], source: &str) -> Vec<Arc<MetricPlan>> {
    let others = versions.iter().filter(|version| version.record.number != live.record.number);
    let planned = std::iter::once(&live.planned).chain(others.map(|version| &version.planned));
    planned.flat_map(|planned| planned.base_over(source)).cloned().collect()
}

impl Deployments {
    /// Takes steps until the node is shutting down.
    pub(crate) fn run(&self, changed: &Changed) {
        let mut changes = PacedWait::new();
        while !self.sources.are_stopping() {
            self.advance();
            let most = if self.lock().candidate().is_some() { SOON } else { LATER };
            changes.wait(changed, most);
        }
    }
}

/// How often the versions are looked at while one is on its way, and else.
const SOON: Duration = Duration::from_millis(100);
const LATER: Duration = Duration::from_secs(1);
