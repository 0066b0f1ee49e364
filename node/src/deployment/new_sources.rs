//! Sources that a version brings along: the node opens them when the version is deployed.
//!
//! Invariant: nobody sees them, and none of their events is taken, before the version is on the disk. So a
//! node that is killed comes up without them, or in a version that reads them, with which a start opens them.

use std::sync::{Arc, MutexGuard, PoisonError};

use metricc_durable_log::DurableError;
use metricc_ir::Source;

use super::planned::Planned;
use super::start::{declared_sources, planned_of};
use super::steps::is_free;
use super::{DeclaredSource, DeployError, Deployments, source_problem};
use crate::error::NodeError;
use crate::source_plans::SourcePlans;
use crate::source_start::{OpenError, ReadySource, SourceStarts};
use crate::writer::IngestError;

/// Sources that are open and that nobody sees. Those that are not begun are left again.
pub(super) struct NewSources<'a> {
    starts: &'a SourceStarts,
    ready: Vec<ReadySource>,
    /// One deployment opens sources at a time.
    _opening: Option<MutexGuard<'a, ()>>,
}

impl NewSources<'_> {
    /// Shows and starts them: the version is on the disk.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub(super) fn begin(mut self) -> Result<(), DeployError> {
        for ready in &self.ready {
            tracing::info!(source = ready.name(), "the events of a new source are taken from here on");
        }
        self.starts
            .begin(std::mem::take(&mut self.ready))
            .map_err(|error| DeployError::Thread(error.to_string()))
    }
}

impl Drop for NewSources<'_> {
    fn drop(&mut self) {
        self.ready.iter().for_each(|ready| self.starts.leave(ready.name()));
    }
}

impl Deployments {
    /// Opens the sources of a version that the node does not have.
    ///
    /// # Errors
    /// [`DeployError`] if one cannot be opened, or another version is on its way. All is as it was then.
    pub(super) fn open_new(&self, planned: &Planned) -> Result<NewSources<'_>, DeployError> {
        let mut new = NewSources { starts: &self.starts, ready: Vec::new(), _opening: None };
        if planned.sources.iter().all(|plan| self.source(&plan.source.name).is_some()) {
            return Ok(new);
        }
        new._opening = Some(self.opening.lock().unwrap_or_else(PoisonError::into_inner));
        // Another deployment may have brought one of them meanwhile.
        self.check_sources(planned)?;
        let declared = self.declared(planned)?;
        for (plan, declared) in planned.sources.iter().zip(&declared) {
            let name = &plan.source.name;
            if self.source(name).is_some() {
                continue;
            }
            let opened = self.starts.open_new(declared, SourcePlans::of_one(plan.clone()));
            new.ready.push(opened.map_err(|error| refusal(name, error))?);
            let opened = new.ready.last().map(ReadySource::source);
            if let Some(problem) = opened.and_then(|source| source_problem(source, &plan.source)) {
                return Err(problem);
            }
        }
        Ok(new)
    }

    /// The sources of a version, with the ways in which the log may have them from before.
    fn declared(&self, planned: &Planned) -> Result<Vec<DeclaredSource>, DeployError> {
        let state = self.lock();
        is_free(&state)?;
        let Some((store, versions)) = &state.stored else { return Err(DeployError::Program) };
        let (store, earlier) = (store.clone(), versions.earlier.clone());
        drop(state);
        let earlier = earlier.iter().filter_map(|hash| planned_of(&store, hash, &self.imports).ok());
        Ok(declared_sources(std::iter::once(planned), &earlier.collect::<Vec<Planned>>()))
    }

    /// What it means that the node does not have a source, if so.
    pub(super) fn new_source_note(&self, wanted: &Arc<Source>) -> Option<String> {
        let name = &wanted.name;
        let n_known = self.n_known(name);
        match (self.source(name), n_known) {
            (Some(_), _) => None,
            (None, 0) => Some(format!(
                "source `{name}` is new: the node takes its events as soon as this version is deployed"
            )),
            (None, n_known) => Some(format!(
                "source `{name}` comes back, and the log has {n_known} events of it: the node takes more as soon as this version \
                 is deployed"
            )),
        }
    }

    /// Positions of a source in the log, whether or not the node has it open.
    pub(super) fn n_known(&self, source: &str) -> u64 {
        self.starts.opener.log.snapshot().end(source).n_positions()
    }
}

fn refusal(name: &str, error: OpenError) -> DeployError {
    let origin = name.to_owned();
    let problem = error.line();
    match error {
        OpenError::Ingest(IngestError::Log(cause)) => match &*cause {
            DurableError::Declaration { problem, .. } => {
                DeployError::Source { origin, problem: problem.clone() }
            }
            _ => DeployError::Opening { origin, problem },
        },
        OpenError::Node(NodeError::Config(_)) => DeployError::NewSource { origin, problem },
        _ => DeployError::Opening { origin, problem },
    }
}
