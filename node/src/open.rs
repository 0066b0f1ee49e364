//! What a node finds when it starts: the folder of its views, and the view of each source.

use std::fs::Permissions;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::sync::Arc;
use std::time::Duration;

use metricc_log::Frontier;
use metricc_log::durable::Disk;
use metricc_runtime_batch::BatchOptions;
use metricc_views::ViewStore;
use object_store::local::LocalFileSystem;

use crate::batch::{Batch, Schedule};
use crate::config::Config;
use crate::error::NodeError;
use crate::source::{LoadedView, NodeSource};
use crate::views::{self, Found};

/// The store of the views, which only their owner reads.
pub(crate) fn view_folder(config: &Config) -> Result<Arc<LocalFileSystem>, NodeError> {
    let path = config.data.join("views");
    let failed = |problem: String| NodeError::Folder { path: path.clone(), problem };
    // Also where the folder of the node was there before, and can be read by others.
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
    made.and_then(|()| std::fs::set_permissions(&path, Permissions::from_mode(0o700)))
        .map_err(|error| failed(error.to_string()))?;
    let store = LocalFileSystem::new_with_prefix(&path).map_err(|error| failed(error.to_string()))?;
    // Folders of what is gone go, too: others look for tables there.
    Ok(Arc::new(store.with_automatic_cleanup(true)))
}

/// Finds the view of a source. What it does not have, the tail reads from the log, and batch soon.
pub(crate) fn open_source(
    config: &Config,
    source: Arc<NodeSource>,
    store: ViewStore,
    disk: &Arc<dyn Disk>,
    runtime: &tokio::runtime::Handle,
) -> Result<Batch, NodeError> {
    let (id, epochs, end) = {
        let log = source.durable();
        (log.id(), log.epochs(source.name()), log.end(source.name()))
    };
    let found = block_on(runtime, views::find(&store, &source.plan, id, &epochs, &end))?;
    let start = || Arc::new(LoadedView { frontier: Frontier(vec![0; end.0.len()]), segments: Vec::new() });
    let (committed, loaded) = match found {
        Found::View(view, loaded) => (Some(view), loaded),
        Found::Nothing => (None, start()),
        Found::Useless(problem) => {
            tracing::warn!(source = source.name(), %problem, "the view is not used; it is made anew from the log");
            (None, start())
        }
    };
    let schedule = Schedule {
        every: config.batch.every.max(Duration::from_millis(1)),
        n_events: config.batch.events,
        seal_events: config.ingest.seal_events,
        options: BatchOptions { workers: config.batch.workers, ..BatchOptions::default() },
        has_tables: config.batch.tables,
    };
    let runtime = runtime.clone();
    Ok(Batch { source, store, disk: disk.clone(), runtime, schedule, committed, loaded })
}

/// Waits for something that is done in the runtime, from a thread that may be one of it.
fn block_on<T: Send>(runtime: &tokio::runtime::Handle, work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| runtime.block_on(work));
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
