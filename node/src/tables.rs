//! Writes the presented rows of a view as Delta Lake tables for other programs, one table per base metric.
//!
//! Tables are written after the view is committed, and the node never reads them. If a table cannot be written, it stays at
//! its old version until the next view; no answer depends on it.

use std::collections::{BTreeMap, BTreeSet};

use metricc_compiler::{MetricPlan, Segment};
use metricc_runtime_serve::{ServeError, check_table_columns, present, table_batch};
use metricc_views::{TableStamp, View, ViewError, ViewStore};
use tokio::runtime::Handle;

use crate::source::{LoadedView, NodeSource};

/// Why a table was not written.
#[derive(Debug, thiserror::Error)]
enum TableError {
    #[error(transparent)]
    View(#[from] ViewError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
}

/// Writes the tables of all metrics of a source from a version of its view.
pub(crate) fn write(
    runtime: &Handle,
    store: &ViewStore,
    source: &NodeSource,
    view: &View,
    loaded: &LoadedView,
) {
    let metrics = || source.plan.metrics.iter().filter(|metric| refusal(metric).is_none());
    let names: BTreeSet<String> = metrics().map(|metric| metric.metric.name.clone()).collect();
    if let Err(error) = runtime.block_on(store.drop_other_tables(&names)) {
        tracing::warn!(source = source.name(), %error, "could not remove the tables of metrics that no longer exist");
    }
    for (metric, segment) in source.plan.metrics.iter().zip(&loaded.segments) {
        if refusal(metric).is_none()
            && let Err(error) = write_one(runtime, store, metric, segment.segment(), view)
        {
            source.counters.table_failed(source.name());
            let metric = &metric.metric.name;
            tracing::warn!(source = source.name(), metric, %error, "could not write the table; it keeps its old version");
        }
    }
}

/// Why a metric has no table, if it cannot have one.
pub(crate) fn refusal(metric: &MetricPlan) -> Option<ServeError> {
    check_table_columns(metric).err()
}

fn write_one(
    runtime: &Handle,
    store: &ViewStore,
    metric: &MetricPlan,
    segment: &Segment,
    view: &View,
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
    let stamp = TableStamp { app: format!("metricc-{}", view.log.id), version: view.version, info };
    let name = &metric.metric.name;
    match runtime.block_on(store.table(name).replace(&rows, &stamp)) {
        Err(ViewError::Corrupt { path, source }) => {
            tracing::warn!(metric = name, %path, problem = %source, "the table is corrupt and is rebuilt");
            runtime.block_on(store.drop_table(name))?;
            runtime.block_on(store.table(name).replace(&rows, &stamp))?;
            Ok(())
        }
        written => Ok(written.map(|_| ())?),
    }
}
