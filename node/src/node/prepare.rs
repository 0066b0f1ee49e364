//! What a node needs before its threads start, from configuration and package.

use std::collections::BTreeMap;
use std::sync::Arc;

use metricc_durable_log::{
    Disk, DurableLog, DurableOptions, LogId, LogSnapshot, SourceOptions, TruncatedTail,
};
use metricc_ir::user_defined::Imports;
use metricc_runtime_serve::LocalServing;
use metricc_storage::Storage;
use object_store::ObjectStore;
use tokio::runtime::Handle;

use crate::archiver::{self, Archiver};
use crate::batch::Batch;
use crate::config::Config;
use crate::deployment::{self, DeclaredSource, Planned, Start, VersionStore};
use crate::derived_tables::DerivedTables;
use crate::error::NodeError;
use crate::folder_lock::{self, FolderLock};
use crate::opening_log::opened;
use crate::package::NodePackage;
use crate::restore::open_storage;
use crate::sink_start::{self, PreparedSink};
use crate::source_plans::SourcePlans;
use crate::source_start::{PlannedSource, SourceOpener, source_options};
use crate::sources::Sources;
use crate::views_at_start::{accepted_losses, drop_other_tables, view_folder};

/// What a node starts with, once its settings are checked and its folder is its own.
pub(super) struct Claimed {
    pub(super) start: Start,
    pub(super) prepared: Vec<PreparedSink>,
    pub(super) lock: Arc<FolderLock>,
}

/// Checks the settings, chooses the version of the package, and takes the data folder.
///
/// # Errors
/// [`NodeError`]. Before the folder is taken, nothing is made in it.
pub(super) fn claim(
    config: &Config,
    package: &NodePackage,
    marked: &Arc<dyn Disk>,
) -> Result<Claimed, NodeError> {
    config.check_folders().map_err(NodeError::Config)?;
    if let (Some(name), None) = (&config.batch.cluster, &config.batch_cluster) {
        let problem = "is set, and whoever starts this node gives it no cluster";
        return Err(NodeError::Config(format!("`batch.cluster = \"{name}\"` {problem}")));
    }
    let store = VersionStore::new(marked.clone());
    let mut start = deployment::start(store, package, config.batch_cluster.is_none())?;
    start.restrict(&config.readers)?;
    let prepared = sink_start::prepare(config, &start.live.planned.metrics)?;
    let lock = Arc::new(folder_lock::lock(&config.data, &config.listen.to_string())?);
    start.check_unchanged()?;
    Ok(Claimed { start, prepared, lock })
}

/// The log of a node, and where its copies and its views lie.
pub(super) struct OpenedLog {
    pub(super) log: DurableLog,
    pub(super) truncated_tail: Option<TruncatedTail>,
    /// By source.
    pub(super) archivers: BTreeMap<String, Archiver>,
    pub(super) views: Arc<dyn ObjectStore>,
    pub(super) storage: Option<Storage>,
}

/// Opens the log, unless it has lost acknowledged events.
///
/// # Errors
/// [`NodeError`]. Nothing is removed.
pub(super) fn open_log(
    config: &Config,
    start: &Start,
    disk: &Arc<dyn Disk>,
    marked: &Arc<dyn Disk>,
    runtime: &Handle,
) -> Result<OpenedLog, NodeError> {
    check_sources(config, &start.sources, &start.unread)?;
    let options: Vec<SourceOptions> =
        start.sources.iter().map(|source| source_options(config, source)).collect();
    let storage = open_storage(config)?;
    if let Some(storage) = &storage {
        archiver::not_without_log(storage, disk)?;
    }
    let fresh = LogId { id: rand::random(), seed: rand::random() };
    let durable = DurableOptions { accept_loss: config.accept_loss, ..DurableOptions::default() };
    let opening = durable.opening.clone();
    let open = || DurableLog::open(disk.clone(), durable, &options, fresh, rand::random());
    let (mut log, truncated_tail) = opened(&opening, open)?;
    start.sources.iter().for_each(|known| warn_of_gone_fields(&log, &known.source.name));
    // Before losses are looked for: views of another log, or of this one elsewhere, are no proof of one.
    let archivers = archivers(storage.as_ref(), &start.sources, &log.snapshot())?;
    let views = view_folder(config, storage.as_ref())?;
    let losses = accepted_losses(config, marked, views.clone(), &log, runtime)?;
    log.keep_mark(marked.clone(), losses.accepted);
    if !losses.said.is_empty() {
        log.begin_after_loss()?;
    }
    Ok(OpenedLog { log, truncated_tail, archivers, views, storage })
}

/// Checks that the settings of sources are of those that versions read.
fn check_sources(config: &Config, sources: &[DeclaredSource], unread: &[String]) -> Result<(), NodeError> {
    for (name, settings) in &config.sources {
        let is_read = sources.iter().any(|known| known.source.name == *name) || unread.contains(name);
        if !is_read && !settings.deployed_later {
            let known: Vec<&str> = sources.iter().map(|known| known.source.name.as_str()).collect();
            return Err(NodeError::Config(format!(
                "`sources.{name}`: no metric of the package reads source `{name}`; the sources are `{}`; if a version that reads \
                 it is deployed later, say so with `deployed_later = true`",
                known.join("`, `")
            )));
        }
    }
    Ok(())
}

/// The sources that versions read, planned.
///
/// # Errors
/// If they cannot be planned together.
fn plans_of(start: &Start, log: &LogSnapshot, imports: &Imports) -> Result<Vec<PlannedSource>, NodeError> {
    let mut planned = Vec::with_capacity(start.sources.len());
    for DeclaredSource { source, .. } in &start.sources {
        let of_live = start.live.planned.sources.iter().find(|plan| plan.source == *source);
        let wanted = deployment::wanted(&start.live, &start.others, &source.name);
        let plans = match of_live.filter(|_| start.others.is_empty()) {
            Some(plan) => SourcePlans::of_one(plan.clone()),
            None if wanted.is_empty() => continue,
            None => SourcePlans::new(&wanted, imports)?,
        };
        // What the live version does not read goes on as it is.
        let now = log.decoder(&source.name).map(|decoder| decoder.source().clone());
        let declared = now.filter(|_| of_live.is_none()).unwrap_or_else(|| source.clone());
        planned.push(PlannedSource { declared, plans });
    }
    Ok(planned)
}

/// Where sources are opened.
pub(super) struct Opening<'a> {
    pub(super) config: &'a Config,
    pub(super) imports: &'a Imports,
    pub(super) disk: &'a Arc<dyn Disk>,
    pub(super) views: Arc<dyn ObjectStore>,
    pub(super) runtime: &'a Handle,
}

/// Opens the sources that a node starts with, and lists them.
///
/// # Errors
/// [`NodeError`] if they cannot be planned, a view cannot be read, or a place of copies be taken over.
pub(super) fn open_sources(
    Opening { config, imports, disk, views, runtime }: Opening<'_>,
    (start, sources): (&Start, &Sources),
    (log, mut archivers): (&DurableLog, BTreeMap<String, Archiver>),
) -> Result<(SourceOpener, Vec<Batch>), NodeError> {
    let planned = plans_of(start, &log.snapshot(), imports)?;
    let version = &start.live.planned.served;
    let tables = || Arc::new(DerivedTables::new(sources, &views));
    let opener = SourceOpener {
        config: config.clone(),
        imports: imports.clone(),
        log: log.reader().clone(),
        serving: LocalServing::of_version(version.clone()),
        changed: Arc::default(),
        counters: Arc::default(),
        tables: config.batch.tables.then(tables),
        views,
        disk: disk.clone(),
        runtime: runtime.clone(),
    };
    let names = planned.iter().map(|source| source.declared.name.clone()).collect();
    drop_other_tables(config, &names, &opener.views, runtime);
    let mut batches = Vec::with_capacity(planned.len());
    for source in planned {
        let archiver = archivers.remove(&source.declared.name);
        batches.push(opener.open(source, archiver)?);
    }
    for batch in &batches {
        if let Some(archiver) = &batch.archive {
            archiver.take_over(log.archive(batch.source.name()).as_ref(), disk)?;
        }
        sources.add(batch.source.clone());
    }
    opener.tables.iter().for_each(|tables| tables.replace(&version.derived));
    Ok((opener, batches))
}

/// What a version that becomes live changes besides answers: the tables.
pub(super) fn on_promotion(
    sources: &Sources,
    tables: Option<Arc<DerivedTables>>,
) -> Box<dyn Fn(&Planned) + Send + Sync> {
    let sources = sources.clone();
    Box::new(move |planned| {
        tables.iter().for_each(|tables| tables.replace(&planned.served.derived));
        sources.now().iter().for_each(|source| source.tables_changed());
    })
}

/// What a source does not declare is not written to flushed files, and so is gone for good.
fn warn_of_gone_fields(log: &DurableLog, source: &str) {
    let snapshot = log.snapshot();
    let declared = snapshot.decoder(source).map(|decoder| decoder.source());
    for field in declared.into_iter().flat_map(|declared| log.gone_fields(declared)) {
        tracing::warn!(
            source,
            "events have a field `{field}` that the source does not declare any more: those that are flushed from \
             now on lose it; declare it again to keep it"
        );
    }
}

/// Who copies what is flushed of each source, if it is copied.
fn archivers(
    storage: Option<&Storage>,
    sources: &[DeclaredSource],
    log: &LogSnapshot,
) -> Result<BTreeMap<String, Archiver>, NodeError> {
    let Some(storage) = storage else { return Ok(BTreeMap::new()) };
    archiver::own(storage, log.id())?;
    let of_source = |known: &DeclaredSource| {
        let name = known.source.name.clone();
        let archiver = Archiver::open(storage, &name, log)?;
        Ok((name, archiver))
    };
    sources.iter().map(of_source).collect()
}
