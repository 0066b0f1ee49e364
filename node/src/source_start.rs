//! How a source is opened and started: in one way, whether the node starts or a version of the package brings
//! the source along while it runs.
//!
//! Opening can fail and leaves nothing running: the log takes the source, its view is found, and what its
//! threads need is checked. Starting is what is left then.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use metricc_compiler::EngineOptions;
use metricc_durable_log::{Disk, LogReader, SourceOptions};
use metricc_ir::Source;
use metricc_ir::user_defined::Imports;
use metricc_runtime_serve::LocalServing;
use metricc_storage::Storage;
use metricc_views::ViewStore;
use object_store::ObjectStore;
use tokio::runtime::Handle;

use crate::archiver::Archiver;
use crate::batch::Batch;
use crate::changed::Changed;
use crate::config::{Config, SourceConfig};
use crate::deployment::DeclaredSource;
use crate::derived_tables::DerivedTables;
use crate::error::NodeError;
use crate::source::NodeSource;
use crate::source_plans::SourcePlans;
use crate::sources::Sources;
use crate::status::Counters;
use crate::tail::{self, TailOptions};
use crate::thread_priority::{Priority, lower_priority};
use crate::topic_start::{self, Sink};
use crate::views_at_start::open_source;
use crate::watched_folder::WatchedFolder;
use crate::writer::{Ingest, IngestError};

/// A source that versions read.
pub(crate) struct PlannedSource {
    /// How its events are to be decoded.
    pub(crate) declared: Arc<Source>,
    /// The states of all versions that read it.
    pub(crate) plans: Arc<SourcePlans>,
}

/// What opens the layers of sources that the log takes.
#[derive(Clone)]
pub(crate) struct SourceOpener {
    pub(crate) config: Config,
    pub(crate) imports: Imports,
    pub(crate) log: LogReader,
    pub(crate) serving: LocalServing,
    pub(crate) changed: Arc<Changed>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) views: Arc<dyn ObjectStore>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) runtime: Handle,
    /// The tables of derived metrics, if there are tables.
    pub(crate) tables: Option<Arc<DerivedTables>>,
}

impl SourceOpener {
    /// Opens the layers of a source, with who copies what is flushed of it, if it is copied.
    ///
    /// # Errors
    /// [`NodeError`] if its view cannot be read.
    pub(crate) fn open(
        &self,
        PlannedSource { declared, plans }: PlannedSource,
        archiver: Option<Archiver>,
    ) -> Result<Batch, NodeError> {
        let (imports, log, serving) = (self.imports.clone(), self.log.clone(), self.serving.clone());
        let (changed, counters) = (self.changed.clone(), self.counters.clone());
        let source = NodeSource::new(&declared, plans, imports, log, serving, changed, counters);
        let store = ViewStore::new(self.views.clone(), source.name());
        let mut batch = open_source(&self.config, Arc::new(source), store, &self.disk, &self.runtime)?;
        batch.derived.clone_from(&self.tables);
        if let Some(archiver) = archiver {
            archiver.show(&batch.source);
            batch.archive = Some(archiver);
        }
        Ok(batch)
    }
}

/// How the log keeps a source.
pub(crate) fn source_options(
    config: &Config,
    DeclaredSource { source, others }: &DeclaredSource,
) -> SourceOptions {
    let SourceConfig { partitions, duplicates_within, .. } =
        config.sources.get(&source.name).cloned().unwrap_or_default();
    SourceOptions {
        source: source.clone(),
        others: others.clone(),
        n_partitions: partitions,
        window: duplicates_within,
    }
}

/// The threads of a node. The writer is the first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Threads(Arc<Mutex<Vec<JoinHandle<()>>>>);

impl Threads {
    pub(crate) fn add(&self, thread: JoinHandle<()>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }

    /// Those that were added since the last call.
    pub(crate) fn take(&self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a thread does until the node is shutting down.
pub(crate) type Task = Box<dyn FnOnce() + Send>;

/// A source whose threads can be started, by their names.
pub(crate) struct ReadySource {
    source: Arc<NodeSource>,
    tasks: Vec<(String, Task)>,
}

impl ReadySource {
    pub(crate) fn source(&self) -> &Arc<NodeSource> {
        &self.source
    }

    pub(crate) fn name(&self) -> &str {
        self.source.name()
    }
}

/// Why a source was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The log does not take it.
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

impl OpenError {
    /// With its causes, in one line.
    pub(crate) fn line(&self) -> String {
        let mut line = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(next) = cause {
            line.push_str(&format!(": {next}"));
            cause = next.source();
        }
        line
    }
}

/// What starts sources.
pub(crate) struct SourceStarts {
    pub(crate) opener: SourceOpener,
    /// Where flushed events are copied to, if they are.
    pub(crate) storage: Option<Storage>,
    pub(crate) ingest: Ingest,
    /// The runtime of batch, if it has one of its own.
    pub(crate) storing: Option<Handle>,
    pub(crate) threads: Threads,
    pub(crate) sources: Sources,
}

impl SourceStarts {
    /// Checks what the threads of a source need.
    ///
    /// # Errors
    /// [`NodeError`] if its topic or its folder cannot be read as they are configured.
    pub(crate) fn ready(&self, batch: Batch) -> Result<ReadySource, NodeError> {
        let source = batch.source.clone();
        let name = source.name().to_owned();
        let mut tasks = vec![
            (format!("metricc-batch-{name}"), self.batch(batch)),
            (format!("metricc-speed-{name}"), self.tail(source.clone())),
        ];
        let Some(config) = self.opener.config.sources.get(&name) else {
            return Ok(ReadySource { source, tasks });
        };
        if let Some(folder) = &config.watch {
            tasks.push((format!("metricc-watch-{name}"), self.watch(&source, config, folder)?));
        }
        if let Some(topic) = &config.kafka {
            let into = Sink { source: &source, ingest: &self.ingest, runtime: &self.opener.runtime };
            tasks.push((format!("metricc-topic-{name}"), topic_start::task(topic, &into)?));
        }
        Ok(ReadySource { source, tasks })
    }

    /// Starts the threads of a source.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub(crate) fn start(&self, ReadySource { tasks, .. }: ReadySource) -> std::io::Result<()> {
        for (name, task) in tasks {
            self.threads.add(std::thread::Builder::new().name(name).spawn(task)?);
        }
        Ok(())
    }

    /// Opens a source that the node does not have. Nothing shows it before [`SourceStarts::begin`]. Blocks
    /// the calling thread, which must not be one of an async runtime.
    ///
    /// # Errors
    /// [`OpenError`]. The log does not take the source then.
    pub(crate) fn open_new(
        &self,
        declared: &DeclaredSource,
        plans: Arc<SourcePlans>,
    ) -> Result<ReadySource, OpenError> {
        let name = &declared.source.name;
        self.ingest.take_source(source_options(&self.opener.config, declared))?;
        let opened = self.open_taken(declared, plans);
        if opened.is_err() {
            self.leave(name);
        }
        opened
    }

    /// Leaves a source again that was opened and is not to begin.
    pub(crate) fn leave(&self, name: &str) {
        self.ingest.leave_source(name);
    }

    fn open_taken(
        &self,
        declared: &DeclaredSource,
        plans: Arc<SourcePlans>,
    ) -> Result<ReadySource, OpenError> {
        let (name, opener) = (&declared.source.name, &self.opener);
        let log = opener.log.snapshot();
        let archiver =
            self.storage.as_ref().map(|storage| Archiver::open(storage, name, &log)).transpose()?;
        // It may have events of before; they are decoded as they were until the version is live.
        let now = log.decoder(name).map(|decoder| decoder.source().clone());
        let declared = now.unwrap_or_else(|| declared.source.clone());
        let mut batch = opener.open(PlannedSource { declared, plans }, archiver)?;
        // One of the sources from the start does that.
        batch.keeps_requests = false;
        if let Some(archiver) = &batch.archive {
            let archive = self.ingest.archive(name)?;
            archiver.take_over(archive.as_ref(), &opener.disk)?;
        }
        Ok(self.ready(batch)?)
    }

    /// Shows sources that were opened, and starts them. From here on their events are taken.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub(crate) fn begin(&self, opened: Vec<ReadySource>) -> std::io::Result<()> {
        opened.iter().for_each(|ready| self.sources.add(ready.source.clone()));
        opened.into_iter().try_for_each(|ready| self.start(ready))?;
        self.opener.changed.notify();
        Ok(())
    }

    fn batch(&self, mut batch: Batch) -> Task {
        if let Some(storing) = &self.storing {
            batch.runtime = storing.clone();
        }
        let ingest = self.ingest.clone();
        Box::new(move || {
            lower_priority(Priority::Batch);
            batch.run(&ingest);
        })
    }

    fn tail(&self, source: Arc<NodeSource>) -> Task {
        let speed = &self.opener.config.speed;
        let stream = EngineOptions { workers: speed.workers, ..EngineOptions::default() };
        let options = TailOptions { stream, refresh: speed.refresh, ..TailOptions::default() };
        Box::new(move || {
            lower_priority(Priority::Tail);
            tail::run(&source, &options);
        })
    }

    fn watch(
        &self,
        source: &Arc<NodeSource>,
        config: &SourceConfig,
        folder: &Path,
    ) -> Result<Task, NodeError> {
        let watch = WatchedFolder {
            folder: folder.to_owned(),
            options: config.file_options().map_err(NodeError::Config)?,
            source: source.clone(),
            ingest: self.ingest.clone(),
            runtime: self.opener.runtime.clone(),
            max_bytes: self.opener.config.ingest.max_bytes,
        };
        watch.prepare().map_err(NodeError::folder(folder))?;
        Ok(Box::new(move || {
            lower_priority(Priority::Decoding);
            watch.run();
        }))
    }
}
