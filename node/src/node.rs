//! The node: starts all threads, gives access to ingestion, serving, status and audits, and stops.

mod prepare;
mod report;

pub use report::SourceStatus;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metricc_compiler::EngineOptions;
use metricc_durable_log::{Disk, LocalDisk, TruncatedTail};
use metricc_log::{EventDecoder, FileOptions};
use metricc_runtime_serve::LocalServing;

use crate::answer_limits::Answering;
use crate::audit::{self, AuditError};
use crate::audit_line::AuditLine;
use crate::batch::Batch;
use crate::changed::Changed;
use crate::config::Config;
use crate::deployment::Deployments;
use crate::derived_tables::DerivedTables;
use crate::error::NodeError;
use crate::package::NodePackage;
use crate::reading::NodeServing;
use crate::sink_start::{self, PreparedSink};
use crate::sink_status::SinkState;
use crate::source::NodeSource;
use crate::status::Counters;
use crate::tail::TailOptions;
use crate::thread_priority::{Pool, Priority, lower_priority};
use crate::topic_start::{self, Sink};
use crate::views_at_start::open_sources;
use crate::watched_folder::WatchedFolder;
use crate::writer::Ingest;
use crate::{folder_lock, tail};

use prepare::{Claimed, OpenedLog, PlannedSource, claim, on_promotion, open_log, plans_of};

/// How long to wait for the layers when the node stops.
const STOP: Duration = Duration::from_secs(5);

/// A running node.
#[derive(Debug)]
pub struct Node {
    sources: Vec<Arc<NodeSource>>,
    serving: NodeServing,
    local: LocalServing,
    ingest: Ingest,
    counters: Arc<Counters>,
    /// The writer is the first.
    threads: Mutex<Vec<JoinHandle<()>>>,
    truncated_tail: Option<TruncatedTail>,
    audits: Arc<tokio::sync::Mutex<()>>,
    comparisons: Arc<tokio::sync::Mutex<()>>,
    decoding: Pool,
    /// What batch does to its stores. A runtime starts threads for files as children of whoever needs them, so
    /// on the runtime of the answers, these would keep the priority of batch.
    storing: Pool,
    sinks: Vec<Arc<SinkState>>,
    deployments: Arc<Deployments>,
    _lock: Arc<folder_lock::FolderLock>,
}

impl Node {
    /// Starts a node for a package. If another version was deployed to its data folder since the package was
    /// changed, that version is live. Returns when log and views are open. The node answers after it has read
    /// the tail, see [`Node::is_ready`]. Must be called in a tokio runtime, which opens the views and
    /// reads those of the past.
    ///
    /// # Errors
    /// [`NodeError`]. No thread is left running.
    pub fn start(config: &Config, package: &NodePackage) -> Result<Self, NodeError> {
        folder_lock::allow_files();
        folder_lock::keep_files_private();
        let (log, marked) = (LocalDisk::new(config.data.join("log")), LocalDisk::new(&config.data));
        let (log, marked): (Arc<dyn Disk>, Arc<dyn Disk>) = (Arc::new(log), Arc::new(marked));
        Node::start_on(&log, &marked, config, package)
    }

    /// As [`Node::start`], with the log, and the mark beside it, on given disks.
    pub(crate) fn start_on(
        disk: &Arc<dyn Disk>,
        marked: &Arc<dyn Disk>,
        config: &Config,
        package: &NodePackage,
    ) -> Result<Self, NodeError> {
        let runtime = tokio::runtime::Handle::try_current()?;
        let imports = &package.imports;
        let Claimed { mut start, prepared, lock } = claim(config, package, marked)?;
        let OpenedLog { log, truncated_tail, mut archivers, views } =
            open_log(config, &start, disk, marked, &runtime)?;
        start.keep_readable(&log.snapshot());
        let plans = plans_of(&start, &log.snapshot(), imports)?;
        let (changed, counters) = (Arc::new(Changed::default()), Arc::new(Counters::default()));
        let version = start.live.planned.served.clone();
        let derived = version.derived.clone();
        let serving = LocalServing::of_version(version);
        let source = |PlannedSource { declared, plans }: PlannedSource| {
            let (log, serving) = (log.reader().clone(), serving.clone());
            let (changed, counters) = (changed.clone(), counters.clone());
            Arc::new(NodeSource::new(&declared, plans, imports.clone(), log, serving, changed, counters))
        };
        let sources: Vec<Arc<NodeSource>> = plans.into_iter().map(source).collect();
        let mut batches = open_sources(config, &sources, &views, disk, &runtime)?;
        let tables = config.batch.tables.then(|| Arc::new(DerivedTables::new(&derived, &sources, &views)));
        let promoted = on_promotion(&sources, tables.clone());
        let deployments = Arc::new(Deployments::new(start, &sources, &serving, imports, config, promoted));
        for batch in &mut batches {
            batch.derived.clone_from(&tables);
            let name = batch.source.name();
            if let Some(archiver) = archivers.remove(name) {
                archiver.take_over(log.archive(name).as_ref(), disk)?;
                archiver.show(&batch.source);
                batch.archive = Some(archiver);
            }
        }
        // Before the writer: a failure from here on would leave its thread running.
        let n_cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let decoding = Pool::start("metricc-decode", n_cores, Priority::Decoding)?;
        let storing = Pool::start("metricc-store", n_cores.max(2), Priority::Batch)?;
        let answering = Answering::start(config.reading.max_rows)?;
        let (ingest, writer) = Ingest::start(log, &lock, config, &sources, &changed, &counters)?;
        let threads = Mutex::new(vec![writer]);
        let local = serving;
        let serving = NodeServing::new(local.clone(), sources.clone(), answering, &config.past);
        let audits = Arc::default();
        let node = Node {
            sources,
            serving,
            local,
            ingest,
            counters,
            threads,
            truncated_tail,
            audits,
            comparisons: Arc::default(),
            decoding,
            storing,
            sinks: prepared.iter().map(PreparedSink::state).collect(),
            deployments,
            _lock: lock,
        };
        node.start_threads(config, batches, prepared, &runtime)?;
        node.start_deployments(&changed)?;
        Ok(node)
    }

    /// Starts the layers of each source, the watched folders, the topics and the sinks.
    fn start_threads(
        &self,
        config: &Config,
        batches: Vec<Batch>,
        sinks: Vec<PreparedSink>,
        runtime: &tokio::runtime::Handle,
    ) -> Result<(), NodeError> {
        for batch in batches {
            self.start_layers(config, batch)?;
        }
        for (name, source) in &config.sources {
            if let Some(folder) = &source.watch {
                let options = source.file_options().map_err(NodeError::Config)?;
                self.start_watch(config, name, folder, options, runtime)?;
            }
            if let Some(topic) = &source.kafka {
                let source = self.sources.iter().find(|source| source.name() == name);
                let Some(source) = source else { continue };
                let into = Sink { source, ingest: &self.ingest, runtime };
                let thread = topic_start::start(topic, &into)?;
                self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
            }
        }
        for sink in sinks {
            let thread = sink_start::start(sink, &self.serving, runtime)?;
            self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(())
    }

    /// Starts the thread that makes versions live.
    fn start_deployments(&self, changed: &Arc<Changed>) -> Result<(), NodeError> {
        let (deployments, changed) = (self.deployments.clone(), changed.clone());
        let thread = std::thread::Builder::new().name("metricc-deploy".to_owned());
        let thread = thread.spawn(move || deployments.run(&changed))?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    fn start_watch(
        &self,
        config: &Config,
        name: &str,
        folder: &Path,
        options: FileOptions,
        runtime: &tokio::runtime::Handle,
    ) -> Result<(), NodeError> {
        let source = self.sources.iter().find(|source| source.name() == name);
        let Some(source) = source else { return Ok(()) };
        let watch = WatchedFolder {
            folder: folder.to_owned(),
            options,
            source: source.clone(),
            ingest: self.ingest.clone(),
            runtime: runtime.clone(),
            max_bytes: config.ingest.max_bytes,
        };
        watch.prepare().map_err(NodeError::folder(folder))?;
        let thread = std::thread::Builder::new().name(format!("metricc-watch-{name}"));
        let thread = thread.spawn(move || {
            lower_priority(Priority::Decoding);
            watch.run();
        })?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    fn start_layers(&self, config: &Config, mut batch: Batch) -> Result<(), NodeError> {
        if let Some(storing) = self.storing.handle() {
            batch.runtime = storing;
        }
        let source = batch.source.clone();
        let stream = EngineOptions { workers: config.speed.workers, ..EngineOptions::default() };
        let options = TailOptions { stream, refresh: config.speed.refresh, ..TailOptions::default() };
        let thread =
            |layer: &str| std::thread::Builder::new().name(format!("metricc-{layer}-{}", source.name()));
        let (tail_source, ingest) = (source.clone(), self.ingest.clone());
        let layers = [
            thread("batch").spawn(move || {
                lower_priority(Priority::Batch);
                batch.run(&ingest);
            })?,
            thread("speed").spawn(move || {
                lower_priority(Priority::Tail);
                tail::run(&tail_source, &options);
            })?,
        ];
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).extend(layers);
        Ok(())
    }

    /// The serving layer.
    pub fn serving(&self) -> &NodeServing {
        &self.serving
    }

    /// Appends requests to the log.
    pub fn ingest(&self) -> &Ingest {
        &self.ingest
    }

    /// The decoder of a source as it is declared now; `None` if the node has no such source.
    pub fn decoder(&self, source: &str) -> Option<EventDecoder> {
        self.sources.iter().find(|known| known.name() == source)?.decoder()
    }

    /// The threads that decode requests.
    pub(crate) fn decoding(&self) -> &Pool {
        &self.decoding
    }

    /// The versions of the package.
    pub(crate) fn deployments(&self) -> &Arc<Deployments> {
        &self.deployments
    }

    /// Held by the one comparison of versions at a time.
    pub(crate) fn comparisons(&self) -> Arc<tokio::sync::Mutex<()>> {
        self.comparisons.clone()
    }

    /// The sources of the node.
    pub fn sources(&self) -> &[Arc<NodeSource>] {
        &self.sources
    }

    /// The torn write that was truncated when the log was opened: one that was never acknowledged.
    pub fn truncated_tail(&self) -> Option<&TruncatedTail> {
        self.truncated_tail.as_ref()
    }

    /// Recomputes all served states from the start of the log, and compares them. With `full`, also
    /// recomputes the views and replaces them by the results.
    ///
    /// # Errors
    /// [`AuditError`] if states could not be recomputed. Differences are not an error.
    pub async fn audit(self: &Arc<Self>, full: bool) -> Result<Vec<AuditLine>, AuditError> {
        // One audit at a time, since each needs the memory of a whole view. An audit keeps running after its
        // client has disconnected.
        let permit = self.audits.clone().lock_owned().await;
        let node = self.clone();
        let served = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let options = EngineOptions { workers: 1, ..EngineOptions::default() };
            let lines = node.sources.iter().map(|source| audit::served(source, &options));
            lines.collect::<Result<Vec<_>, _>>()
        });
        let served = served.await??;
        let mut lines: Vec<AuditLine> = served.into_iter().flatten().collect();
        for source in self.sources.iter().filter(|_| full) {
            match source.request_full().await {
                Ok(Ok(of_view)) => lines.extend(of_view),
                Ok(Err(error)) => return Err(AuditError::Rebuild(error)),
                Err(_) => return Err(AuditError::ShuttingDown),
            }
        }
        Ok(lines)
    }

    /// Stops the node: writes waiting requests, then stops the layers. Every acknowledged event is in the
    /// log.
    pub fn stop(&self) {
        self.ingest.close();
        self.serving.close();
        for source in &self.sources {
            source.stop();
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let mut threads = threads.into_iter();
        // The writer first, however long it takes: then all that was taken is durable, and nothing writes to
        // the log any more, which another node may open.
        threads.next().into_iter().for_each(join);
        let until = Instant::now() + STOP;
        for layer in threads {
            // A layer in a long evaluation may be abandoned: it holds nothing that the log does not have.
            while !layer.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
            }
            if layer.is_finished() {
                join(layer);
            } else {
                let name = layer.thread().name().unwrap_or("a thread").to_owned();
                tracing::warn!("thread `{name}` did not stop in time and is abandoned");
            }
        }
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the node had panicked");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
    }
}
