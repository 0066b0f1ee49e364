//! Writes the presented rows of a view as Delta Lake tables for other programs, one table per base metric.
//!
//! Tables are written at the start of the node and after each view that is committed, and the node makes no
//! answer of them. Each is read back and compared with the view: one that is damaged, or of versions of the
//! view that are not there any more, is rebuilt. If a table cannot be written, it stays as it is until the
//! next view.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use metricc_compiler::{MetricPlan, Segment, Spread};
use metricc_log::Frontier;
use metricc_runtime_serve::{
    ReadOptions, ServeError, check_table_columns, estimated_rows, present, table_batch,
};
use metricc_views::{TableContent, TableStamp, ViewError, ViewStore};
use tokio::runtime::Handle;

use crate::source::NodeSource;

/// Most rows of a table whose windows overlap, which few events can make many of: it is made as a whole.
const MOST_OVERLAPPING_ROWS: u64 = 1_000_000;

/// Why a table was not written.
#[derive(Debug, thiserror::Error)]
enum TableError {
    #[error(transparent)]
    View(#[from] ViewError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
    #[error("it was written, and does not hold what was written")]
    NotWritten,
}

/// What the tables of a source are to hold.
pub(crate) struct ViewOfTables<'a> {
    /// The version of the view.
    pub(crate) version: u64,
    /// The identity of the log.
    pub(crate) log: &'a str,
    pub(crate) frontier: &'a Frontier,
    /// For each metric of the plan, its states up to the frontier.
    pub(crate) segments: Vec<&'a Segment>,
}

/// Writes the tables of all metrics of a source that do not hold a view yet, and removes those of other
/// metrics. Returns whether all of them hold it then.
pub(crate) fn write(
    runtime: &Handle,
    store: &ViewStore,
    source: &NodeSource,
    view: &ViewOfTables<'_>,
) -> bool {
    let mut is_written = true;
    let metrics = source.plan.metrics.iter().zip(&view.segments);
    let with_table =
        metrics.filter(|(metric, segment)| refusal(metric).is_none() && !is_too_large(metric, segment));
    let with_table: Vec<_> = with_table.collect();
    let names: BTreeSet<String> = with_table.iter().map(|(metric, _)| metric.metric.name.clone()).collect();
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
    check_table_columns(metric).err()
}

/// Whether the windows of a metric overlap so much that it has no table now.
fn is_too_large(metric: &MetricPlan, segment: &Segment) -> bool {
    if !matches!(metric.spread, Some(Spread::Panes { .. })) {
        return false;
    }
    let n_rows = estimated_rows(metric, &segment.states, &ReadOptions::default()).unwrap_or(u64::MAX);
    let is_too_large = n_rows > MOST_OVERLAPPING_ROWS;
    if is_too_large {
        tracing::warn!(
            metric = metric.metric.name,
            n_rows,
            "its windows overlap, and it has no table beyond {MOST_OVERLAPPING_ROWS} rows; a longer `step` makes fewer"
        );
    }
    is_too_large
}

fn write_one(
    runtime: &Handle,
    store: &ViewStore,
    metric: &MetricPlan,
    segment: &Segment,
    view: &ViewOfTables<'_>,
) -> Result<(), TableError> {
    let presented = present(metric, segment)?;
    let rows = table_batch(metric, &presented)?;
    let offsets: Vec<String> = view.frontier.0.iter().map(u64::to_string).collect();
    let mut info = BTreeMap::from([
        ("metric".to_owned(), metric.metric.name.clone()),
        ("metric_hash".to_owned(), metric.hash.to_string()),
        ("frontier".to_owned(), offsets.join(",")),
    ]);
    info.extend(presented.overflow_json().map(|overflow| ("overflow".to_owned(), overflow)));
    let stamp = TableStamp { app: format!("metricc-{}", view.log), version: view.version, info };
    let name = &metric.metric.name;
    match runtime.block_on(replaced(store, name, &rows, &stamp)) {
        Ok(TableContent::Same) => return Ok(()),
        // The table of a view that was rebuilt, or whose last versions were lost: nothing to do for anybody.
        Ok(TableContent::Behind | TableContent::Other) => {
            tracing::info!(metric = name, "the table is made anew: it is of no version of this view");
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
