//! The views that a node finds when it starts.
//!
//! A view is discarded and rebuilt if it is corrupt, or was built for other metrics: it is a cache of the
//! log, and what is missing in it, the tail reads from the log. A view of positions that the log does not
//! have proves that acknowledged events are lost, see [`loss_proofs`](crate::loss_proofs).

use std::fs::Permissions;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::sync::Arc;
use std::time::Duration;

use metricc_compiler::{EngineOptions, SourcePlan, StateHash};
use metricc_durable_log::{Disk, DurableLog, LogSnapshot};
use metricc_storage::Storage;
use metricc_views::{ViewError, ViewStore};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

use crate::batch::{Batch, ByCluster, SMALL_ROWS, Schedule};
use crate::config::Config;
use crate::error::NodeError;
use crate::loaded_view::{LoadedView, load};
use crate::loss_proofs::{self, Losses, check};
use crate::past_views::PastViews;
use crate::source::NodeSource;

/// The store of the views: that of the configuration, or a folder that only its owner reads.
pub(crate) fn view_folder(
    config: &Config,
    storage: Option<&Storage>,
) -> Result<Arc<dyn ObjectStore>, NodeError> {
    if let Some(storage) = storage {
        return Ok(storage.join("views").below());
    }
    let path = config.data.join("views");
    // The folder of the node may have been there before, and be readable by others.
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
    made.and_then(|()| std::fs::set_permissions(&path, Permissions::from_mode(0o700)))
        .map_err(NodeError::folder(&path))?;
    let store = LocalFileSystem::new_with_prefix(&path).map_err(NodeError::folder(&path))?;
    // Empty folders are removed as well: other programs look for tables there.
    Ok(Arc::new(store.with_automatic_cleanup(true)))
}

/// What the log has lost, if that is accepted. `marked` is the folder of the log's mark.
///
/// # Errors
/// [`NodeError::Loss`] if something is lost, and it is not accepted.
pub(crate) fn accepted_losses(
    config: &Config,
    marked: &Arc<dyn Disk>,
    views: Arc<dyn ObjectStore>,
    log: &DurableLog,
    runtime: &tokio::runtime::Handle,
) -> Result<Losses, NodeError> {
    let mut losses = block_on(runtime, loss_proofs::find(marked, views, &log.snapshot()))?;
    losses.said.extend(log.losses());
    if !losses.said.is_empty() && !config.accept_loss {
        return Err(NodeError::Loss { path: config.data.join("log"), losses: losses.said });
    }
    for loss in &losses.said {
        tracing::warn!("accepted loss of events: {loss}");
    }
    Ok(losses)
}

/// Loads the views of all sources.
pub(crate) fn open_sources(
    config: &Config,
    sources: &[Arc<NodeSource>],
    store: &Arc<dyn ObjectStore>,
    disk: &Arc<dyn Disk>,
    runtime: &tokio::runtime::Handle,
) -> Result<Vec<Batch>, NodeError> {
    if config.batch.tables {
        let names = sources.iter().map(|source| source.name().to_owned()).collect();
        if let Err(error) = block_on(runtime, ViewStore::drop_tables_of_others(store.clone(), &names)) {
            tracing::warn!(%error, "could not remove the tables of sources that no metric reads");
        }
    }
    let open = |source: &Arc<NodeSource>| {
        let store = ViewStore::new(store.clone(), source.name());
        open_source(config, source.clone(), store, disk, runtime)
    };
    sources.iter().map(open).collect()
}

/// Loads the view of a source, if there is one to use.
pub(crate) fn open_source(
    config: &Config,
    source: Arc<NodeSource>,
    store: ViewStore,
    disk: &Arc<dyn Disk>,
    runtime: &tokio::runtime::Handle,
) -> Result<Batch, NodeError> {
    let log = source.log.snapshot();
    match block_on(runtime, store.probe()) {
        Ok(()) => {}
        Err(error @ ViewError::Overwrites) => return Err(error.into()),
        // Views are a cache of the log: a full disk must not keep a node from answering.
        Err(error) => {
            tracing::warn!(source = source.name(), %error, "the store of views cannot be written to");
        }
    }
    let found = block_on(runtime, find(&store, &source.plan, &log))?;
    let is_loss_accepted = matches!(found, Found::LogIsShorter(_));
    take(&source, found);
    say_damage(&source, &store, runtime)?;
    let refused = source.plan.metrics.iter().filter_map(|metric| crate::tables::refusal(metric));
    for problem in refused.filter(|_| config.batch.tables) {
        tracing::warn!(source = source.name(), %problem, "no table is written of a metric: its columns would have one name");
    }
    let schedule = Schedule {
        every: config.batch.every.max(Duration::from_millis(1)),
        n_events: config.batch.events,
        flush_events: config.ingest.seal_events,
        small_rows: SMALL_ROWS,
        options: EngineOptions {
            workers: config.batch.workers,
            cpu_times: Some(source.costs.batch.clone()),
            ..EngineOptions::default()
        },
        cluster: config.batch_cluster.clone().map(|cluster| {
            source.has_cluster(&cluster.name);
            ByCluster { cluster, without: config.batch.without_cluster }
        }),
        has_tables: config.batch.tables,
        n_kept_versions: config.past.versions,
    };
    let runtime = runtime.clone();
    let has_events = log.end(source.name()).n_positions() > 0;
    let is_overdue = source.latest_view().stored.is_none() && (has_events || is_loss_accepted);
    source.keep_past(PastViews::new(store.clone(), runtime.clone(), config.past.max_bytes));
    let keeps_requests = log.sources().next() == Some(source.name());
    Ok(Batch {
        source,
        store,
        disk: disk.clone(),
        keeps_requests,
        runtime,
        schedule,
        is_loss_accepted,
        is_overdue,
        archive: None,
        derived: None,
    })
}

/// Says which versions of the view are damaged, after the one that is used.
fn say_damage(
    source: &NodeSource,
    store: &ViewStore,
    runtime: &tokio::runtime::Handle,
) -> Result<(), NodeError> {
    let latest = block_on(runtime, store.latest())?.map(|view| view.version);
    let damaged = block_on(runtime, store.damaged_after(latest))?;
    if damaged.is_empty() {
        return Ok(());
    }
    let (files, n) = (damaged.join("`, `"), damaged.len());
    let instead = latest.map_or("the view is rebuilt from the log".to_owned(), |version| {
        format!("version {version} is used, and brought up to date from the log")
    });
    tracing::warn!(source = source.name(), "`views/{files}` is damaged: {instead}");
    let what = if n == 1 { "the last version of the view is" } else { "the last versions of the view are" };
    source.view_was_unusable(format!("{what} damaged: {instead}"));
    Ok(())
}

/// Blocks on a future of the runtime, from a thread that may be one of it.
fn block_on<T: Send>(runtime: &tokio::runtime::Handle, work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| runtime.block_on(work));
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Starts a source from the view that was found, or says why it is made anew.
fn take(source: &NodeSource, found: Found) {
    match found {
        Found::View(view) => source.set_latest_view(Arc::new(view)),
        Found::Nothing => {}
        Found::LogIsShorter(loss) => {
            tracing::warn!(source = source.name(), %loss, "the loss was accepted; the view is rebuilt from the log");
        }
        Found::OtherMetrics(metrics) => {
            let metrics = metrics.join(", ");
            tracing::info!(
                source = source.name(),
                metrics,
                "the package or a source was changed, and the view lacks these metrics: it is made anew from the log"
            );
            source.view_was_unusable(
                "the view is of another package, and is made anew from the log".to_owned(),
            );
        }
        Found::Unusable(problem) => {
            tracing::warn!(source = source.name(), %problem, "the view is discarded and rebuilt from the log");
            source.view_was_unusable("the view could not be used and is rebuilt from the log".to_owned());
        }
    }
}

/// The outcome of looking for a view.
enum Found {
    View(LoadedView),
    Nothing,
    /// There is one, without the states of some metrics of the package; their names.
    OtherMetrics(Vec<String>),
    /// There is one, which cannot be used; why.
    Unusable(String),
    /// There is one that has positions which the log has lost; which ones.
    LogIsShorter(String),
}

/// Looks for the view of a source.
///
/// # Errors
/// When the store cannot be read at all.
async fn find(store: &ViewStore, plan: &SourcePlan, log: &LogSnapshot) -> Result<Found, ViewError> {
    let Some(view) = store.latest().await? else { return Ok(Found::Nothing) };
    if let Err(problem) = check(&view, log, &plan.source.name) {
        return Ok(Found::LogIsShorter(problem));
    }
    let is_there = |hash: &StateHash| view.segments.contains_key(&hash.to_string());
    let missing = plan.metrics.iter().filter(|metric| !is_there(&metric.state_hash));
    let missing: Vec<String> = missing.map(|metric| metric.metric.name.clone()).collect();
    if !missing.is_empty() {
        return Ok(Found::OtherMetrics(missing));
    }
    Ok(match load(store, plan, view).await? {
        Ok(view) => Found::View(view),
        Err(problem) => Found::Unusable(problem),
    })
}
