//! The node: starts all threads, gives access to ingestion, serving, status and audits, and stops.

mod prepare;
mod report;

pub use report::SourceStatus;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metricc_compiler::EngineOptions;
use metricc_durable_log::{Disk, LocalDisk, TruncatedTail};
use metricc_log::EventDecoder;
use metricc_runtime_serve::LocalServing;

use crate::access_log::AccessLog;
use crate::answer_limits::Answering;
use crate::asking::Asking;
use crate::audit::{self, AuditError};
use crate::audit_line::AuditLine;
use crate::changed::Changed;
use crate::config::Config;
use crate::deployment::Deployments;
use crate::error::NodeError;
use crate::folder_lock;
use crate::package::NodePackage;
use crate::permission::Permissions;
use crate::reading::NodeServing;
use crate::sink_start::{self, PreparedSink};
use crate::sink_status::SinkState;
use crate::source::NodeSource;
use crate::source_start::{SourceOpener, SourceStarts, Threads};
use crate::sources::Sources;
use crate::status::Counters;
use crate::thread_priority::{Pool, Priority};
use crate::writer::Ingest;

use prepare::{Claimed, OpenedLog, Opening, claim, on_promotion, open_log, open_sources};

/// How long to wait for the layers when the node stops.
const STOP: Duration = Duration::from_secs(5);

/// A running node.
#[derive(Debug)]
pub struct Node {
    sources: Sources,
    /// Those of the versions with which it was started.
    at_start: Arc<[Arc<NodeSource>]>,
    serving: NodeServing,
    local: LocalServing,
    ingest: Ingest,
    counters: Arc<Counters>,
    threads: Threads,
    truncated_tail: Option<TruncatedTail>,
    audits: Arc<tokio::sync::Mutex<()>>,
    comparisons: Arc<tokio::sync::Mutex<()>>,
    asking: Arc<Asking>,
    decoding: Pool,
    /// What batch does to its stores. A runtime starts threads for files as children of whoever needs them, so
    /// on the runtime of the answers, these would keep the priority of batch.
    _storing: Pool,
    sinks: Vec<Arc<SinkState>>,
    deployments: Arc<Deployments>,
    permissions: Arc<Permissions>,
    access_log: Option<AccessLog>,
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
        let permissions = Arc::new(Permissions::new(config)?);
        let access_log = config.access_log.as_ref().map(AccessLog::start).transpose()?;
        let Claimed { mut start, prepared, lock } = claim(config, package, marked)?;
        let OpenedLog { log, truncated_tail, archivers, views, storage } =
            open_log(config, &start, disk, marked, &runtime)?;
        start.keep_readable(&log.snapshot());
        let sources = Sources::default();
        let (opener, batches) = open_sources(
            Opening { config, imports: &package.imports, disk, views, runtime: &runtime },
            (&start, &sources),
            (&log, archivers),
        )?;
        // Before the writer: a failure from here on would leave its thread running.
        let n_cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let decoding = Pool::start("metricc-decode", n_cores, Priority::Decoding)?;
        let storing = Pool::start("metricc-store", n_cores.max(2), Priority::Batch)?;
        let answering = Answering::start(config.reading.max_rows)?;
        let SourceOpener { changed, counters, serving: local, tables, .. } = opener.clone();
        let (ingest, writer) = Ingest::start(log, &lock, config, &sources, &changed, &counters)?;
        let threads = Threads::default();
        threads.add(writer);
        let starts = Arc::new(SourceStarts {
            opener,
            storage,
            ingest: ingest.clone(),
            storing: storing.handle(),
            threads: threads.clone(),
            sources: sources.clone(),
        });
        let deployments = Arc::new(Deployments::new(start, &starts, on_promotion(&sources, tables)));
        let node = Node {
            at_start: sources.now(),
            serving: NodeServing::new(local.clone(), sources.clone(), answering, &config.past),
            sources,
            local,
            ingest,
            counters,
            threads,
            truncated_tail,
            audits: Arc::default(),
            comparisons: Arc::default(),
            asking: Arc::new(Asking::new(&config.ask)),
            decoding,
            _storing: storing,
            sinks: prepared.iter().map(PreparedSink::state).collect(),
            deployments,
            permissions,
            access_log,
            _lock: lock,
        };
        batches.into_iter().try_for_each(|batch| Ok::<_, NodeError>(starts.start(starts.ready(batch)?)?))?;
        for sink in prepared {
            node.threads.add(sink_start::start(sink, &node.serving, &runtime)?);
        }
        node.start_deployments(&changed)?;
        Ok(node)
    }

    /// Starts the thread that makes versions live.
    fn start_deployments(&self, changed: &Arc<Changed>) -> Result<(), NodeError> {
        let (deployments, changed) = (self.deployments.clone(), changed.clone());
        let thread = std::thread::Builder::new().name("metricc-deploy".to_owned());
        self.threads.add(thread.spawn(move || deployments.run(&changed))?);
        Ok(())
    }

    /// Who may do what.
    pub fn permissions(&self) -> &Arc<Permissions> {
        &self.permissions
    }

    /// Where doors write who has read what, if that is configured.
    pub fn access_log(&self) -> Option<&AccessLog> {
        self.access_log.as_ref()
    }

    /// The serving layer.
    pub fn serving(&self) -> &NodeServing {
        &self.serving
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn local(&self) -> &LocalServing {
        &self.local
    }

    /// Appends requests to the log.
    pub fn ingest(&self) -> &Ingest {
        &self.ingest
    }

    /// The decoder of a source as it is declared now; `None` if the node has no such source.
    pub fn decoder(&self, source: &str) -> Option<EventDecoder> {
        self.source(source)?.decoder()
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

    /// Questions that no metric declares.
    pub(crate) fn asking(&self) -> &Arc<Asking> {
        &self.asking
    }

    /// The sources that the node has now.
    pub fn sources(&self) -> Arc<[Arc<NodeSource>]> {
        self.sources.now()
    }

    /// The source of a name, if the node has it.
    pub fn source(&self, name: &str) -> Option<Arc<NodeSource>> {
        self.sources.find(name)
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
        let sources = self.sources();
        let of_served = sources.clone();
        let served = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let options = EngineOptions { workers: 1, ..EngineOptions::default() };
            let lines = of_served.iter().map(|source| audit::served(source, &options));
            lines.collect::<Result<Vec<_>, _>>()
        });
        let served = served.await??;
        let mut lines: Vec<AuditLine> = served.into_iter().flatten().collect();
        for source in sources.iter().filter(|_| full) {
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
        self.access_log.iter().for_each(AccessLog::close);
        self.sources.stop();
        let mut threads = self.threads.take().into_iter();
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
