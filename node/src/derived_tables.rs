//! Tables of derived metrics. Their operands may be of several sources, whose views have frontiers of their own:
//! a table is written when one of these views has a new version, from all of them as they are then.
//!
//! Invariant: one thread writes at a time, and reads the views after it has begun. So the version of a
//! table, which is the sum of the views' versions and one for each view, grows with every change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use metricc_compiler::{DerivedPlan, EngineOptions, Segment, Spread};
use metricc_runtime_serve::{
    IndexedSegment, ReadOptions, ServeError, TableColumns, derive, estimated_derived_rows,
};
use metricc_views::ViewStore;
use object_store::ObjectStore;
use tokio::runtime::Handle;

use crate::loaded_view::LoadedView;
use crate::source::NodeSource;
use crate::sources::Sources;
use crate::tables::{self, MOST_OVERLAPPING_ROWS, TableError, TableVersion};

/// The tables of the derived metrics of a node.
pub(crate) struct DerivedTables {
    tables: Mutex<Arc<Vec<DerivedTable>>>,
    sources: Sources,
    views: Arc<dyn ObjectStore>,
    writing: Mutex<()>,
}

/// The table of a derived metric.
struct DerivedTable {
    plan: Arc<DerivedPlan>,
    columns: TableColumns,
    /// The sources of its operands, by name, which is their order in a frontier.
    sources: Vec<Arc<NodeSource>>,
    /// That of the first source: the table lies beside those of its metrics.
    store: ViewStore,
}

/// What is known of a source when a table is written.
struct Known {
    view: Arc<LoadedView>,
    /// The states of a source without events, which has no view.
    empty: Vec<Segment>,
}

impl DerivedTables {
    /// Tables of no metric.
    pub(crate) fn new(sources: &Sources, views: &Arc<dyn ObjectStore>) -> Self {
        let (sources, views) = (sources.clone(), views.clone());
        DerivedTables { tables: Mutex::default(), sources, views, writing: Mutex::new(()) }
    }

    /// Has tables of other metrics from now on. Metrics whose columns would have one name have no table, which is
    /// logged.
    pub(crate) fn replace(&self, plans: &[Arc<DerivedPlan>]) {
        let tables = plans.iter().filter_map(|plan| self.table(plan)).collect();
        *self.tables.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(tables);
    }

    fn tables(&self) -> Arc<Vec<DerivedTable>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn table(&self, plan: &Arc<DerivedPlan>) -> Option<DerivedTable> {
        let columns = TableColumns::of_derived(plan);
        if let Err(problem) = columns.check() {
            tracing::warn!(%problem, "no table is written of a metric: its columns would have one name");
            return None;
        }
        let names: BTreeSet<&str> =
            plan.operands.iter().map(|operand| operand.metric.source.name.as_str()).collect();
        let sources: Vec<Arc<NodeSource>> = names.iter().filter_map(|name| self.sources.find(name)).collect();
        let store = ViewStore::new(self.views.clone(), sources.first()?.name());
        Some(DerivedTable { plan: plan.clone(), columns, sources, store })
    }

    /// The metrics whose tables lie beside those of a source.
    pub(crate) fn kept_beside(&self, source: &str) -> BTreeSet<String> {
        let beside =
            |table: &&DerivedTable| table.sources.first().is_some_and(|first| first.name() == source);
        self.tables().iter().filter(beside).map(|table| table.plan.derived.name.clone()).collect()
    }

    /// Writes the tables that read a source. Returns whether all of them hold the newest views then.
    pub(crate) fn write(&self, runtime: &Handle, source: &str) -> bool {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_written = true;
        let reads = |table: &&DerivedTable| table.sources.iter().any(|of_table| of_table.name() == source);
        for table in self.tables().iter().filter(reads) {
            if let Err(error) = table.write(runtime) {
                is_written = false;
                table.sources.iter().for_each(|source| source.counters.table_failed(source.name()));
                let metric = &table.plan.derived.name;
                tracing::warn!(metric, %error, "could not write the table; it keeps its old version");
            }
        }
        is_written
    }
}

impl DerivedTable {
    fn write(&self, runtime: &Handle) -> Result<(), TableError> {
        let mut known = BTreeMap::new();
        for source in &self.sources {
            // A source with events and without a view writes the table when it has one.
            let Some(found) = known_of(source)? else { return Ok(()) };
            known.insert(source.name(), found);
        }
        let segments: Vec<&Segment> = self.segments(&known)?;
        if self.is_too_large(&segments)? {
            return Ok(runtime.block_on(self.store.drop_table(&self.plan.derived.name))?);
        }
        let presented = derive(&self.plan, &segments, &ReadOptions::default())?;
        let log = self.sources.first().map(|source| format!("{:032x}", source.log.snapshot().id()));
        let version = TableVersion {
            metric: &self.plan.derived.name,
            hash: self.plan.hash.to_string(),
            log: &log.unwrap_or_default(),
            version: known.values().filter_map(|known| Some(known.view.stored.as_ref()?.version + 1)).sum(),
            frontier: known.values().flat_map(|known| known.view.frontier.0.iter().copied()).collect(),
        };
        tables::put(runtime, &self.store, &version, &self.columns, &presented)
    }

    /// The states of the operands.
    fn segments<'a>(&self, known: &'a BTreeMap<&str, Known>) -> Result<Vec<&'a Segment>, TableError> {
        let of_operand = |operand: &Arc<metricc_compiler::MetricPlan>| {
            let name = operand.metric.source.name.as_str();
            let known = known.get(name)?;
            let empty = known.empty.iter().find(|segment| segment.hash == operand.state_hash);
            empty.or_else(|| known.view.segment_of(operand).map(IndexedSegment::segment))
        };
        let segments: Option<Vec<&Segment>> = self.plan.operands.iter().map(of_operand).collect();
        segments.ok_or(TableError::NoStates)
    }

    /// Whether the windows of its operands overlap so much that it has no table now.
    fn is_too_large(&self, segments: &[&Segment]) -> Result<bool, ServeError> {
        let overlaps =
            |plan: &Arc<metricc_compiler::MetricPlan>| matches!(plan.spread, Some(Spread::Panes { .. }));
        if !self.plan.operands.iter().any(overlaps) {
            return Ok(false);
        }
        let n_rows = estimated_derived_rows(&self.plan, segments, &ReadOptions::default())?;
        let is_too_large = n_rows > MOST_OVERLAPPING_ROWS;
        if is_too_large {
            tables::say_too_large(&self.plan.derived.name, n_rows);
        }
        Ok(is_too_large)
    }
}

/// The newest view of a source; `None` while there are events and no view.
fn known_of(source: &NodeSource) -> Result<Option<Known>, TableError> {
    let view = source.latest_view();
    if view.stored.is_some() {
        return Ok(Some(Known { view, empty: Vec::new() }));
    }
    if source.end().n_positions() > 0 {
        return Ok(None);
    }
    let empty = tables::empty_segments(source, &EngineOptions::default())?;
    Ok(Some(Known { view, empty }))
}
