//! Writes the presented rows of a view as Delta Lake tables for other programs, one table per base metric; those
//! of derived metrics are in [`derived_tables`](crate::derived_tables).
//!
//! Tables are written at the start of the node and after each view that is committed, and the node makes no
//! answer of them. Each is read back and compared with the view: one that is damaged, or of versions of the
//! view that are not there any more, is rebuilt. If a table cannot be written, it stays as it is until the
//! next view.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use metricc_compiler::{EngineOptions, MetricPlan, Segment, Spread};
use metricc_log::Frontier;
use metricc_runtime_serve::{Presented, ReadOptions, ServeError, TableColumns, estimated_rows, present};
use metricc_views::{TableContent, TableStamp, ViewError, ViewStore};
use tokio::runtime::Handle;

use crate::source::NodeSource;
use crate::states_of_log::{StatesError, start_of, states_of_log};

/// Most rows of a table whose windows overlap, which few events can make many of: it is made as a whole.
pub(crate) const MOST_OVERLAPPING_ROWS: u64 = 1_000_000;

/// Why a table was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    #[error(transparent)]
    States(#[from] StatesError),
    #[error(transparent)]
    View(#[from] ViewError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
    #[error("it was written, and does not hold what was written")]
    NotWritten,
    #[error("the view does not have the states of its operands")]
    NoStates,
}

/// What the tables of a source are to hold.
pub(crate) struct ViewOfTables<'a> {
    /// The version of the view.
    pub(crate) version: u64,
    /// The identity of the log.
    pub(crate) log: &'a str,
    pub(crate) frontier: &'a Frontier,
    /// States up to the frontier.
    pub(crate) segments: Vec<&'a Segment>,
}

/// Writes the tables of all base metrics of a source that do not hold a view yet, and removes those of metrics
/// that are neither base nor among `others`. Returns whether all of them hold it then.
pub(crate) fn write(
    runtime: &Handle,
    store: &ViewStore,
    source: &NodeSource,
    view: &ViewOfTables<'_>,
    others: &BTreeSet<String>,
) -> bool {
    let mut is_written = true;
    let metrics = source.serving.base_metrics_of(source.name());
    // A metric that is still being computed has its table with the first view that has its states.
    let with_states = metrics.iter().filter_map(|metric| {
        let of_metric = |segment: &&&Segment| segment.hash == metric.state_hash;
        Some((metric, *view.segments.iter().find(of_metric)?))
    });
    let with_table: Vec<_> = with_states
        .filter(|(metric, segment)| refusal(metric).is_none() && !is_too_large(metric, segment))
        .collect();
    let has_states =
        |metric: &MetricPlan| view.segments.iter().any(|segment| segment.hash == metric.state_hash);
    let waiting = metrics.iter().filter(|metric| !has_states(metric));
    let names = with_table.iter().map(|(metric, _)| *metric).chain(waiting);
    let names = names.map(|metric| metric.metric.name.clone());
    let names: BTreeSet<String> = names.chain(others.iter().cloned()).collect();
    if let Err(error) = runtime.block_on(store.drop_other_tables(&names)) {
        tracing::warn!(source = source.name(), %error, "could not remove the tables of metrics that no longer exist");
        is_written = false;
    }
    for (metric, segment) in with_table {
        if let Err(error) = write_one(runtime, store, metric, segment, view) {
            is_written = false;
            source.counters.table_failed(source.name());
            let metric = &metric.metric.name;
            tracing::warn!(source = source.name(), metric, %error, "could not write the table; it keeps its old version");
        }
    }
    is_written
}

/// Why a metric has no table, if it cannot have one.
pub(crate) fn refusal(metric: &MetricPlan) -> Option<ServeError> {
    TableColumns::of(metric).check().err()
}

/// Whether the windows of a metric overlap so much that it has no table now.
fn is_too_large(metric: &MetricPlan, segment: &Segment) -> bool {
    if !matches!(metric.spread, Some(Spread::Panes { .. })) {
        return false;
    }
    let n_rows = estimated_rows(metric, &segment.states, &ReadOptions::default()).unwrap_or(u64::MAX);
    let is_too_large = n_rows > MOST_OVERLAPPING_ROWS;
    if is_too_large {
        say_too_large(&metric.metric.name, n_rows);
    }
    is_too_large
}

pub(crate) fn say_too_large(metric: &str, n_rows: u64) {
    tracing::warn!(
        metric,
        n_rows,
        "its windows overlap, and it has no table beyond {MOST_OVERLAPPING_ROWS} rows; a longer `step` makes fewer"
    );
}

fn write_one(
    runtime: &Handle,
    store: &ViewStore,
    metric: &MetricPlan,
    segment: &Segment,
    view: &ViewOfTables<'_>,
) -> Result<(), TableError> {
    let presented = present(metric, segment)?;
    let version = TableVersion {
        metric: &metric.metric.name,
        hash: metric.hash.to_string(),
        log: view.log,
        version: view.version,
        frontier: view.frontier.0.clone(),
    };
    put(runtime, store, &version, &TableColumns::of(metric), &presented)
}

/// What the version of a table is of.
pub(crate) struct TableVersion<'a> {
    pub(crate) metric: &'a str,
    pub(crate) hash: String,
    /// The identity of the log.
    pub(crate) log: &'a str,
    /// It grows whenever the frontier does.
    pub(crate) version: u64,
    /// One offset for each partition of the metric's sources.
    pub(crate) frontier: Vec<u64>,
}

/// Brings a table to a version, unless it has it. One that is damaged, or has another history, is rebuilt.
///
/// # Errors
/// [`TableError`]; the table stays as it is.
pub(crate) fn put(
    runtime: &Handle,
    store: &ViewStore,
    version: &TableVersion<'_>,
    columns: &TableColumns,
    presented: &Presented,
) -> Result<(), TableError> {
    let rows = columns.batch(presented)?;
    let offsets: Vec<String> = version.frontier.iter().map(u64::to_string).collect();
    let name = version.metric;
    let mut info = BTreeMap::from([
        ("metric".to_owned(), name.to_owned()),
        ("metric_hash".to_owned(), version.hash.clone()),
        ("frontier".to_owned(), offsets.join(",")),
    ]);
    info.extend(presented.overflow_json().map(|overflow| ("overflow".to_owned(), overflow)));
    let stamp = TableStamp { app: format!("metricc-{}", version.log), version: version.version, info };
    match runtime.block_on(replaced(store, name, &rows, &stamp)) {
        Ok(TableContent::Same) => return Ok(()),
        // The table of a view that was rebuilt, or whose last versions were lost: nothing to do for anybody.
        Ok(TableContent::Behind | TableContent::Other) => {
            tracing::info!(metric = name, "the table is rebuilt: none of its versions is one of this view");
        }
        Err(error @ ViewError::Corrupt { .. }) => {
            tracing::warn!(metric = name, problem = %error, "the table is rebuilt");
        }
        Err(error) => return Err(error.into()),
    }
    runtime.block_on(store.drop_table(name))?;
    match runtime.block_on(replaced(store, name, &rows, &stamp))? {
        TableContent::Same => Ok(()),
        TableContent::Behind | TableContent::Other => Err(TableError::NotWritten),
    }
}

/// The states of a source without events.
///
/// # Errors
/// If its log cannot be read.
pub(crate) fn empty_segments(
    source: &NodeSource,
    options: &EngineOptions,
) -> Result<Vec<Segment>, TableError> {
    let start = start_of(&source.end());
    Ok(states_of_log(source, &source.wanted(), (&start, &start), options)?)
}

/// Writes a version of a table, if it does not have it, and reads back what the table then holds.
async fn replaced(
    store: &ViewStore,
    name: &str,
    rows: &RecordBatch,
    stamp: &TableStamp,
) -> Result<TableContent, ViewError> {
    let table = store.table(name);
    table.replace(rows, stamp).await?;
    table.compare(rows, stamp).await
}
