//! The views that a node finds when it starts.
//!
//! A view is a cache of the log. Metric by metric, the states that it has are served from the start, and those
//! that it lacks, or that are damaged, are computed from the log beside them. A view of positions that the log does not
//! have proves that acknowledged events are lost, see [`loss_proofs`](crate::loss_proofs).

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::sync::Arc;
use std::time::Duration;

use metricc_compiler::EngineOptions;
use metricc_durable_log::{Disk, DurableLog, LogSnapshot};
use metricc_storage::Storage;
use metricc_views::{View, ViewError, ViewStore};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

use crate::batch::{Batch, ByCluster, SMALL_ROWS, Schedule};
use crate::config::Config;
use crate::costs::Costs;
use crate::error::NodeError;
use crate::loaded_view::{Loaded, LoadedView, load};
use crate::loss_proofs::{self, Losses, check};
use crate::past_views::PastViews;
use crate::source::NodeSource;
use crate::source_plans::SourcePlans;

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

/// Removes the tables of sources that no version reads, if there are tables.
pub(crate) fn drop_other_tables(
    config: &Config,
    names: &BTreeSet<String>,
    store: &Arc<dyn ObjectStore>,
    runtime: &tokio::runtime::Handle,
) {
    if !config.batch.tables {
        return;
    }
    if let Err(error) = block_on(runtime, ViewStore::drop_tables_of_others(store.clone(), names)) {
        tracing::warn!(%error, "could not remove the tables of sources that no metric reads");
    }
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
    let found = block_on(runtime, find(&store, &source.wanted(), &log))?;
    let is_loss_accepted = matches!(found, Found::LogIsShorter(_));
    take(&source, found)?;
    say_damage(&source, &store, runtime)?;
    let wanted = source.wanted();
    let refused = wanted.metrics.iter().filter_map(|metric| crate::tables::refusal(metric));
    for problem in refused.filter(|_| config.batch.tables) {
        tracing::warn!(source = source.name(), %problem, "no table is written of a metric: its columns would have one name");
    }
    let schedule = Schedule {
        every: config.batch.every.max(Duration::from_millis(1)),
        n_events: config.batch.events,
        flush_events: config.ingest.seal_events,
        small_rows: SMALL_ROWS,
        options: EngineOptions { workers: config.batch.workers, ..EngineOptions::default() },
        // Answers and the tail go first, whatever is computed.
        backfill_workers: EngineOptions::default().workers.max(config.batch.workers),
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

/// Starts a source from what was found of its view, or says why the view is made anew.
fn take(source: &NodeSource, found: Found) -> Result<(), NodeError> {
    match found {
        Found::View(view, loaded) => take_found(source, view, loaded)?,
        Found::Nothing => {}
        Found::LogIsShorter(loss) => {
            tracing::warn!(source = source.name(), %loss, "the loss was accepted; the view is rebuilt from the log");
        }
    }
    Ok(())
}

/// Takes the states that the view has. Those of other metrics are computed from the log, while these are
/// served.
fn take_found(source: &NodeSource, view: View, loaded: Loaded) -> Result<(), NodeError> {
    let Loaded { found, missing } = loaded;
    let (mut damaged, mut new) = (Vec::new(), Vec::new());
    for (metric, problem) in &missing {
        match problem {
            Some(problem) => damaged.push((metric.metric.name.as_str(), problem)),
            None => new.push(metric.metric.name.as_str()),
        }
    }
    for (metric, problem) in &damaged {
        tracing::warn!(source = source.name(), metric, %problem, "its states in the view cannot be used, and are computed from the log");
    }
    if !new.is_empty() {
        let metrics = new.join(", ");
        tracing::info!(
            source = source.name(),
            metrics,
            "the view lacks the states of these metrics: they are computed from the log"
        );
    }
    if found.is_empty() {
        source.view_was_unusable(match damaged.is_empty() {
            true => "the view is of another package, and is made anew from the log".to_owned(),
            false => "the view could not be used and is rebuilt from the log".to_owned(),
        });
        return Ok(());
    }
    if !damaged.is_empty() {
        let metrics: Vec<&str> = damaged.iter().map(|(metric, _)| *metric).collect();
        let metrics = metrics.join("`, `");
        source.view_was_unusable(format!("the states of `{metrics}` were damaged: computed from the log"));
    }
    let (metrics, segments): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let plan = match missing.is_empty() {
        true => source.wanted(),
        false => source.plan_of(&metrics)?,
    };
    let (frontier, costs) = (view.frontier.clone(), Arc::new(Costs::new(&plan)));
    let of_metrics = metrics.iter().zip(segments);
    let segments = plan.metrics.iter().filter_map(|metric| {
        of_metrics
            .clone()
            .find(|(found, _)| found.state_hash == metric.state_hash)
            .map(|(_, segment)| segment)
    });
    let segments = segments.collect();
    source.set_latest_view(Arc::new(LoadedView { plan, costs, frontier, segments, stored: Some(view) }));
    Ok(())
}

/// The outcome of looking for a view.
enum Found {
    /// There is one, and what it has of the metrics of the package.
    View(View, Loaded),
    Nothing,
    /// There is one that has positions which the log has lost; which ones.
    LogIsShorter(String),
}

/// Looks for the view of a source.
///
/// # Errors
/// When the store cannot be read at all.
async fn find(store: &ViewStore, plan: &SourcePlans, log: &LogSnapshot) -> Result<Found, ViewError> {
    let Some(view) = store.latest().await? else { return Ok(Found::Nothing) };
    if let Err(problem) = check(&view, log, &plan.source().name) {
        return Ok(Found::LogIsShorter(problem));
    }
    let loaded = load(store, plan, &view).await?;
    Ok(Found::View(view, loaded))
}
