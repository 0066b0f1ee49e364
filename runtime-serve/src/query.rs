//! A read request, resolved once, and its answer from one published version. A version of the past is
//! answered from by the same code.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metricc_client::{
    Explained, ExplainedMetric, ExplainedPart, ReadReceipt, ReadRequest, Served, ServedPart, ServingError,
};
use metricc_compiler::{MetricPlan, Segment};

use crate::catalogue::{Catalogue, CatalogueEntry, ServedPlan};
use crate::published::PublishedMetric;
use crate::row_selection::Selection;
use crate::served_table::ServedTable;
use crate::{Presented, Published, ReadOptions, ServeError, derive, read};

/// A request that makes sense: its metric is served, and its keys, range and grain are of that metric.
#[derive(Debug)]
pub struct Query {
    entry: Arc<CatalogueEntry>,
    request: ReadRequest,
    options: ReadOptions,
    selection: Selection,
}

impl Query {
    pub(crate) fn new(catalogue: &Catalogue, request: ReadRequest) -> Result<Self, ServingError> {
        let entry = catalogue.entry(&request)?.clone();
        let grain = catalogue.grain(&request, entry.window())?;
        let options = ReadOptions::of_range(entry.window(), request.from, request.to, grain);
        let selection = Selection::new(&request.metric, &entry.row_type.keys, &request.keys, request.latest)?;
        Ok(Query { entry, request, options, selection })
    }

    /// The names of the sources of its metric, in order.
    pub fn sources(&self) -> &BTreeSet<String> {
        &self.entry.sources
    }

    /// Checks that the rows have columns of different names.
    ///
    /// # Errors
    /// [`ServingError::Request`].
    pub fn check_columns(&self) -> Result<(), ServingError> {
        self.options.check_columns(&self.entry.row_type).map_err(failed)
    }

    /// The frontier that the request asks for; `None` for the newest one.
    pub fn at(&self) -> Option<&[u64]> {
        self.request.at.as_deref()
    }

    /// The frontier of a version: that of each source of the metric, in order.
    pub fn frontier(&self, published: &Published) -> Vec<u64> {
        let frontiers = self.sources().iter().filter_map(|name| published.frontier(name));
        frontiers.flat_map(|frontier| frontier.0.iter().copied()).collect()
    }

    /// Checks that a version covers the frontier that the request asks for at least.
    ///
    /// # Errors
    /// [`ServingError::Behind`] if it ends before, [`ServingError::Request`] if it has another number of
    /// partitions.
    pub fn check_covered(&self, published: &Published) -> Result<(), ServingError> {
        let Some(wanted) = &self.request.min_frontier else { return Ok(()) };
        let frontier = self.frontier(published);
        let is_whole = self.sources().iter().all(|source| published.frontier(source).is_some());
        if is_whole && frontier.len() != wanted.len() {
            let problem = "offsets: it takes one for each partition of the metric's sources";
            let (given, known) = (wanted.len(), frontier.len());
            return Err(ServingError::Request(format!(
                "`min_frontier` has {given} {problem}, which are {known}"
            )));
        }
        if is_whole && frontier.iter().zip(wanted).all(|(served, wanted)| served >= wanted) {
            return Ok(());
        }
        Err(ServingError::Behind { wanted: wanted.clone(), frontier })
    }

    /// Whether a version is of the frontier that the request asks for.
    pub fn is_at(&self, published: &Published) -> bool {
        self.at().is_none_or(|at| at == self.frontier(published))
    }

    /// The groups that an answer may have to read; 0 where an index finds them.
    pub fn n_groups(&self, published: &Published) -> usize {
        let metrics = || self.entry.plan.base().iter().filter_map(|plan| published.metric(plan));
        let has_index = matches!(self.entry.plan, ServedPlan::Base(_)) && self.selection.all_keys().is_some();
        // The first read by all keys builds the index.
        if has_index && metrics().all(PublishedMetric::is_indexed) {
            return 0;
        }
        metrics().map(PublishedMetric::n_groups).sum()
    }

    /// The answer from a version, whatever frontier the request asks for.
    ///
    /// # Errors
    /// [`ServingError`].
    pub fn answer(&self, published: &Published) -> Result<ServedTable, ServingError> {
        Ok(Served {
            metric: self.entry.metric.name.clone(),
            hash: self.entry.metric.hash.clone(),
            frontier: self.frontier(published),
            epoch: None,
            unit: self.entry.row_type.unit.clone(),
            notes: self.options.notes(&self.entry.metric.name, self.entry.window()),
            rows: self.rows(published).map_err(failed)?,
            receipt: self.request.receipt.then(|| self.receipt(published)),
        })
    }

    /// The answer from a version, and the rows of each of its parts alone.
    ///
    /// # Errors
    /// [`ServingError`].
    pub fn explain(&self, published: &Published) -> Result<Explained<Presented>, ServingError> {
        let answer = self.answer(published)?;
        // A metric that is read at several offsets is an operand several times.
        let mut seen = BTreeSet::new();
        let base = self.entry.plan.base().iter().filter(|plan| seen.insert(&plan.metric.name));
        let of = base.map(|plan| self.explain_base(plan, published));
        Ok(Explained { answer, of: of.collect::<Result<_, _>>()? })
    }

    fn rows(&self, published: &Published) -> Result<Presented, ServeError> {
        let bases = self.entry.plan.base();
        let metrics: Option<Vec<_>> = bases.iter().map(|plan| published.metric(plan)).collect();
        let Some(metrics) = metrics else { return Ok(Presented::empty(self.entry.row_type.clone())) };
        match &self.entry.plan {
            ServedPlan::Base(plan) => self.rows_of_base(plan, metrics[0]),
            ServedPlan::Derived(plan) => {
                let segments = bases.iter().zip(metrics).map(|(base, metric)| metric.merged(base));
                let segments: Vec<&Segment> = segments.collect::<Result<_, _>>()?;
                self.selection.of(derive(plan, &segments, &self.options)?)
            }
        }
    }

    fn rows_of_base(&self, plan: &MetricPlan, metric: &PublishedMetric) -> Result<Presented, ServeError> {
        if let Some(keys) = self.selection.all_keys() {
            return self.selection.of_indexed(read(plan, &metric.of_keys(plan, keys)?, &self.options)?);
        }
        let mut options = self.options.clone();
        if self.selection.is_latest_of_all() && options.grain.is_none() {
            // Only the last window has rows.
            options.from = options.from.max(metric.last_start(plan, options.to)?);
        }
        let segment = metric.of_windows(plan, &options)?;
        self.selection.of(read(plan, &segment, &options)?)
    }

    fn receipt(&self, published: &Published) -> ReadReceipt {
        let mut parts: BTreeMap<&str, Vec<ServedPart>> = BTreeMap::new();
        for plan in self.entry.plan.base() {
            let source = plan.metric.source.name.as_str();
            // All metrics of a source are published with the same parts.
            parts.entry(source).or_insert_with(|| {
                published.metric(plan).map(|metric| metric.served_parts(source)).unwrap_or_default()
            });
        }
        ReadReceipt { parts: parts.into_values().flatten().collect(), ends: BTreeMap::new() }
    }

    fn explain_base(
        &self,
        plan: &MetricPlan,
        published: &Published,
    ) -> Result<ExplainedMetric<Presented>, ServingError> {
        let metric = plan.metric.name.clone();
        let Some(of_metric) = published.metric(plan) else {
            return Ok(ExplainedMetric { metric, parts: Vec::new() });
        };
        // A derived metric may have keys that this base metric does not have.
        let keys = plan.metric.row_type().keys;
        let mut selected = self.request.keys.clone();
        selected.retain(|name, _| keys.iter().any(|key| key.name == *name));
        let selection = Selection::new(&metric, &keys, &selected, self.request.latest)?;
        let rows = |part: &crate::IndexedSegment| match selection.all_keys() {
            Some(keys) => selection.of_indexed(read(plan, &part.of_keys(plan, keys)?, &self.options)?),
            None => selection.of(read(plan, part.segment(), &self.options)?),
        };
        let stated = of_metric.served_parts(&plan.metric.source.name);
        let parts = stated.into_iter().zip(&of_metric.parts).map(|(part, segment)| {
            let positions = segment.segment().interval.n_positions();
            Ok(ExplainedPart { part, positions, rows: rows(segment).map_err(failed)? })
        });
        Ok(ExplainedMetric { metric, parts: parts.collect::<Result<_, ServingError>>()? })
    }
}

fn failed(error: ServeError) -> ServingError {
    match error {
        ServeError::Options { .. } => ServingError::Request(error.to_string()),
        ServeError::Columns { .. } => ServingError::Request(format!("{error}, or use `format=json`")),
        error => ServingError::Failed(error.into()),
    }
}
