//! Which version of the package a node starts with.
//!
//! What was changed last wins: a version that was deployed stays live over restarts, until the file that the
//! node is started with gets a text that was neither there at the last start nor deployed since. Then that
//! file is a new version.

use std::sync::Arc;

use metricc_durable_log::LogSnapshot;
use metricc_ir::Source;
use metricc_ir::user_defined::Imports;
use metricc_jobs::PackageText;

use super::planned::Planned;
use super::steps::HELD_BACK;
use super::store::{StepKind, VersionRecord, VersionState, VersionStore, Versions};
use super::{Version, now_us, unreadable};
use crate::error::NodeError;
use crate::package::NodePackage;
use crate::reader_rights::{Readers, warn_of_unknown};

/// Who deploys the file that a node is started with.
const AT_START: &str = "serve";

/// The versions of a node that starts, planned.
pub(crate) struct Start {
    pub(crate) live: Arc<Version>,
    /// Versions before it, and one that is being computed.
    pub(crate) others: Vec<Arc<Version>>,
    /// The sources that any of them reads.
    pub(crate) sources: Vec<DeclaredSource>,
    /// Further sources of the file that the node is started with.
    pub(crate) unread: Vec<String>,
    found: Option<Versions>,
    /// What is to be on the disk; `None` if the metrics are those of a program.
    pub(crate) stored: Option<(VersionStore, Versions)>,
    /// Whether that is not on the disk yet, and the text that is to be written with it.
    pub(crate) unwritten: Option<Option<PackageText>>,
}

/// A source, in all the ways in which it is declared.
#[derive(Debug)]
pub(crate) struct DeclaredSource {
    /// As the live version declares it, or else the newest version that reads it.
    pub(crate) source: Arc<Source>,
    /// As versions did that were live before, the last one first: one of them has decoded what is in the journal.
    pub(crate) others: Vec<Arc<Source>>,
}

impl DeclaredSource {
    fn add(&mut self, source: &Arc<Source>) {
        if self.source != *source && !self.others.contains(source) {
            self.others.push(source.clone());
        }
    }
}

impl Start {
    /// Gives up versions that cannot read the log as the live one declares its sources.
    pub(crate) fn keep_readable(&mut self, log: &LogSnapshot) {
        let Start { live, others, stored, unwritten, .. } = self;
        let unreadable =
            unreadable(&live.planned, others, &|declared, reader| log.check_declared(declared, reader));
        for (number, problem) in &unreadable {
            tracing::warn!(
                version = number,
                "a version of the package is kept no longer: read as it declares {problem}"
            );
        }
        let is_kept = |number: u64| unreadable.iter().all(|(gone, _)| *gone != number);
        others.retain(|version| is_kept(version.record.number));
        if let (Some((_, versions)), false) = (stored, unreadable.is_empty()) {
            versions.versions.retain(|version| is_kept(version.number));
            unwritten.get_or_insert(None);
        }
    }

    /// Says of each version what readers may read of it.
    ///
    /// # Errors
    /// [`NodeError::Config`] if a condition does not fit a metric of the live version. Of other versions, such
    /// a metric is not readable, and the version does not become live.
    pub(crate) fn restrict(&mut self, readers: &Readers) -> Result<(), NodeError> {
        if readers.is_empty() {
            return Ok(());
        }
        let restricted = |version: &Version| {
            let planned = version.planned.clone().for_readers(readers);
            Arc::new(Version { record: version.record.clone(), planned })
        };
        self.live = restricted(&self.live);
        let problems = &self.live.planned.reader_problems;
        if !problems.is_empty() {
            return Err(NodeError::Config(problems.join("\n")));
        }
        warn_of_unknown(readers, &self.live.planned.served);
        for version in &mut self.others {
            *version = restricted(version);
            let number = version.record.number;
            for problem in &version.planned.reader_problems {
                tracing::warn!(version = number, "a version that cannot become live: {problem}");
            }
        }
        Ok(())
    }

    /// Says in the log what the start changes: only once nothing is left that it could fail for.
    pub(super) fn log_changes(&self) {
        let record = &self.live.record;
        let Some(before) = &self.found else { return };
        let replaced = before.live().filter(|before| before.number != record.number);
        if let Some(replaced) = replaced {
            tracing::info!(
                version = record.number,
                replaced = replaced.number,
                "`{}` was changed since the node was started last, and is a new version of the package",
                record.name
            );
        }
        let was_building = |version: &VersionRecord| {
            before.of(version.number).is_some_and(|before| before.state == VersionState::Building)
        };
        let others = self.others.iter().map(|version| &version.record);
        for held_back in others.filter(|record| record.state == VersionState::Preview && was_building(record))
        {
            tracing::info!(version = held_back.number, "{HELD_BACK}");
        }
    }

    /// Checks that nobody has changed the versions since they were read. From now on nobody does.
    ///
    /// # Errors
    /// [`NodeError`] if somebody has.
    pub(crate) fn check_unchanged(&self) -> Result<(), NodeError> {
        let Some((store, _)) = &self.stored else { return Ok(()) };
        match store.read().map_err(NodeError::Versions)? == self.found {
            true => Ok(()),
            false => {
                let problem =
                    "another node has changed the versions of the package meanwhile: start this one again";
                Err(NodeError::Config(problem.to_owned()))
            }
        }
    }
}

/// Chooses the version that is live. Without `keeps_others`, no other version is kept. Nothing is written: a
/// start that fails changes nothing.
///
/// # Errors
/// [`NodeError`] if the file of the versions cannot be read, or a package cannot be planned.
pub(crate) fn start(
    store: VersionStore,
    given: &NodePackage,
    keeps_others: bool,
) -> Result<Start, NodeError> {
    let planned = Planned::new(given)?;
    let Some(text) = &given.text else {
        let live = Arc::new(Version { record: of_program(), planned });
        let sources = declared_sources(std::iter::once(&live.planned), &[]);
        let (others, unread) = (Vec::new(), Vec::new());
        return Ok(Start { live, others, sources, unread, found: None, stored: None, unwritten: None });
    };
    let hash = text.hash();
    let found = store.read().map_err(NodeError::Versions)?;
    let mut versions = found.clone().unwrap_or_else(|| Versions::new(String::new()));
    let is_changed = versions.started_with != hash && !versions.deployed_since.contains(&hash);
    let (mut given_sources, mut new_text) = (planned.sources.clone(), None);
    let (record, planned) = match versions.live().cloned() {
        Some(live) if live.hash == hash => (live, planned),
        Some(live) if !is_changed => {
            let stored = planned_of(&store, &live.hash, &given.imports);
            let stored = stored.map_err(|problem| unusable(&live, &text.name, &problem))?;
            tracing::warn!(
                version = live.number,
                by = live.by,
                "`{}` is not what is served: the version that is live stays, until the file is changed or deployed",
                text.name
            );
            (live, stored)
        }
        live => {
            let before = live.and_then(|live| planned_of(&store, &live.hash, &given.imports).ok());
            let is_other = before.is_some_and(|before| before.hashes() != planned.hashes());
            new_text = Some(text.clone());
            (of_file(&mut versions, &hash, &text.name, is_other), planned)
        }
    };
    versions.started_with = hash;
    versions.deployed_since.clear();
    if !keeps_others {
        versions.versions.retain(|version| version.state == VersionState::Live);
    }
    let others = others(&store, &mut versions, &given.imports);
    let unwritten = (found.as_ref() != Some(&versions)).then_some(new_text);
    let live = Arc::new(Version { record, planned });
    let all = std::iter::once(&live).chain(&others).map(|version| &version.planned);
    let earlier = versions.earlier.iter();
    let earlier: Vec<Planned> =
        earlier.filter_map(|hash| planned_of(&store, hash, &given.imports).ok()).collect();
    let sources = declared_sources(all, &earlier);
    given_sources.retain(|given| sources.iter().all(|known| known.source.name != given.source.name));
    let unread = given_sources.iter().map(|plan| plan.source.name.clone()).collect();
    Ok(Start { live, others, sources, unread, found, stored: Some((store, versions)), unwritten })
}

fn unusable(live: &VersionRecord, file: &str, problem: &str) -> NodeError {
    let number = live.number;
    NodeError::Config(format!(
        "version {number} of the package, which is live, cannot be used: {problem}; restore the folder `packages` in the data \
         folder, or change `{file}`, which then takes its place"
    ))
}

/// The record of the metrics of a program.
fn of_program() -> VersionRecord {
    VersionRecord {
        number: 1,
        hash: String::new(),
        name: "the program".to_owned(),
        by: AT_START.to_owned(),
        at: now_us(),
        state: VersionState::Live,
        served: false,
        replaced_at: None,
    }
}

/// Makes the file the live version. The one before it is kept if it has other metrics, and was ever answered.
fn of_file(versions: &mut Versions, hash: &str, name: &str, is_other: bool) -> VersionRecord {
    let (number, at) = (versions.next, now_us());
    versions.note_earlier();
    for version in &mut versions.versions {
        if version.state == VersionState::Live {
            (version.state, version.replaced_at) = (VersionState::Kept, Some(at));
        }
    }
    versions.hold_back();
    let is_lost = |version: &VersionRecord| version.replaced_at == Some(at) && !(is_other && version.served);
    versions.versions.retain(|version| !is_lost(version));
    versions.next += 1;
    let (hash, name, by) = (hash.to_owned(), name.to_owned(), AT_START.to_owned());
    let state = VersionState::Live;
    let record = VersionRecord { number, hash, name, by, at, state, served: false, replaced_at: None };
    versions.versions.insert(0, record.clone());
    versions.step(number, StepKind::Promoted, AT_START, at);
    record
}

/// A stored version, planned.
///
/// # Errors
/// Why that is not possible any more.
pub(super) fn planned_of(store: &VersionStore, hash: &str, imports: &Imports) -> Result<Planned, String> {
    let text = store.text(hash).map_err(|error| error.to_string())?;
    let package = NodePackage::of_text(text, imports)?;
    Planned::new(&package).map_err(|error| error.to_string())
}

/// The versions beside the live one; those that cannot be planned any more are forgotten.
fn others(store: &VersionStore, versions: &mut Versions, imports: &Imports) -> Vec<Arc<Version>> {
    let mut others = Vec::new();
    versions.versions.retain(|record| {
        if record.state == VersionState::Live {
            return true;
        }
        match planned_of(store, &record.hash, imports) {
            Ok(planned) => {
                others.push(Arc::new(Version { record: record.clone(), planned }));
                true
            }
            Err(problem) => {
                tracing::warn!(
                    version = record.number,
                    problem,
                    "a version of the package is kept no longer"
                );
                false
            }
        }
    });
    others
}

/// The sources that versions read, the live one first, and how earlier ones declared them.
pub(super) fn declared_sources<'a>(
    versions: impl Iterator<Item = &'a Planned>,
    earlier: &[Planned],
) -> Vec<DeclaredSource> {
    let sources_of = |planned: &'_ Planned| -> Vec<Arc<Source>> {
        planned.sources.iter().map(|plan| plan.source.clone()).collect()
    };
    let mut sources: Vec<DeclaredSource> = Vec::new();
    for source in versions.flat_map(sources_of) {
        if sources.iter().all(|known| known.source.name != source.name) {
            sources.push(DeclaredSource { source, others: Vec::new() });
        }
    }
    for source in earlier.iter().flat_map(sources_of) {
        let known = sources.iter_mut().find(|known| known.source.name == source.name);
        known.into_iter().for_each(|known| known.add(&source));
    }
    sources
}
