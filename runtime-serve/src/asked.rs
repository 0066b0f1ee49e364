//! A question of one metric: which states it needs, how they are read, and from where they come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metricc_client::{ReadReceipt, ReadRequest, ServedPart, ServingError};
use metricc_compiler::{DerivedPlan, MetricPlan, Segment};
use metricc_ir::grain;
use metricc_ir::{RowType, Window};
use metricc_log::Frontier;

use crate::published::{Published, PublishedMetric};
use crate::select::wanted_keys;
use crate::{IndexedSegment, Presented, Reading, ServeError, derive, read};

/// A metric that is served.
pub(crate) enum Asked<'a> {
    OfEvents(&'a Arc<MetricPlan>),
    OfMetrics(&'a Arc<DerivedPlan>),
}

impl Asked<'_> {
    pub(crate) fn hash(&self) -> String {
        match self {
            Asked::OfEvents(plan) => plan.hash.to_string(),
            Asked::OfMetrics(plan) => plan.hash.to_string(),
        }
    }

    pub(crate) fn definition_hash(&self) -> String {
        match self {
            Asked::OfEvents(plan) => plan.metric.definition_hash(),
            Asked::OfMetrics(plan) => plan.derived.definition_hash(),
        }
    }

    pub(crate) fn window(&self) -> &Window {
        match self {
            Asked::OfEvents(plan) => &plan.metric.window,
            Asked::OfMetrics(plan) => &plan.derived.window,
        }
    }

    /// The keys that are asked for, where they are all that a metric over events has.
    pub(crate) fn wanted_keys(
        &self,
        request: &ReadRequest,
    ) -> Result<Option<Vec<Option<Vec<u8>>>>, ServingError> {
        match self {
            Asked::OfEvents(plan) => wanted_keys(&plan.metric.keys, request),
            Asked::OfMetrics(_) => Ok(None),
        }
    }

    /// The metrics over events that it is made of.
    pub(crate) fn plans(&self) -> &[Arc<MetricPlan>] {
        match self {
            Asked::OfEvents(plan) => std::slice::from_ref(plan),
            Asked::OfMetrics(plan) => &plan.operands,
        }
    }

    /// The sources of its events, in the order of their names.
    pub(crate) fn sources(&self) -> BTreeSet<&str> {
        self.plans().iter().map(|plan| plan.metric.source.name.as_str()).collect()
    }

    /// What its rows are, as it stands in its definition.
    pub(crate) fn row_type(&self) -> RowType {
        match self {
            Asked::OfEvents(plan) => plan.metric.row_type(),
            Asked::OfMetrics(plan) => plan.derived.row_type(),
        }
    }

    /// The frontiers of its sources, one behind the other.
    pub(crate) fn frontier(&self, published: &Published) -> Vec<u64> {
        let sources = self.sources().into_iter().filter_map(|name| published.sources.get(name));
        sources.flat_map(|source| source.frontier.0.iter().copied()).collect()
    }

    /// What is merged for it.
    pub(crate) fn receipt(&self, published: &Published) -> ReadReceipt {
        let mut parts: BTreeMap<&str, Vec<ServedPart>> = BTreeMap::new();
        for plan in self.plans() {
            let name = plan.metric.source.name.as_str();
            let of_metric = published.metric(plan);
            // All metrics of a source are published with the same parts.
            parts
                .entry(name)
                .or_insert_with(|| of_metric.map(|metric| metric.stated(name)).unwrap_or_default());
        }
        ReadReceipt { parts: parts.into_values().flatten().collect(), ends: BTreeMap::new() }
    }

    /// A reading of no more windows than those of which some rows are wanted.
    pub(crate) fn narrowed(&self, published: &Published, reading: Reading, request: &ReadRequest) -> Reading {
        let is_last_of_all = request.latest && request.keys.is_empty() && reading.grain.is_none();
        match self {
            Asked::OfEvents(plan) if is_last_of_all => {
                let last = published.metric(plan).and_then(|metric| metric.last_start(plan, reading.to));
                Reading { from: reading.from.max(last), ..reading }
            }
            _ => reading,
        }
    }

    /// Whether rows of single keys are found by an index.
    pub(crate) fn is_indexed(&self, published: &Published) -> bool {
        let metrics = self.plans().iter().filter_map(|plan| published.metric(plan));
        metrics.flat_map(|metric| &metric.parts).all(IndexedSegment::is_indexed)
    }

    /// Groups that an answer may have to be made of.
    pub(crate) fn n_rows(&self, published: &Published) -> usize {
        self.plans().iter().filter_map(|plan| published.metric(plan)).map(PublishedMetric::n_rows).sum()
    }

    /// Its rows; none if something that it is made of was not published.
    pub(crate) fn presented(
        &self,
        published: &Published,
        reading: &Reading,
        wanted: Option<&[Option<Vec<u8>>]>,
    ) -> Result<Option<Presented>, ServeError> {
        let segment = |plan: &MetricPlan| published.metric(plan);
        match (self, wanted) {
            (Asked::OfEvents(plan), Some(wanted)) => {
                let segment = segment(plan).map(|metric| metric.of_keys(plan, wanted)).transpose()?;
                segment.map(|segment| read(plan, &segment, reading)).transpose()
            }
            (Asked::OfEvents(plan), None) => {
                let segment = segment(plan).map(|metric| metric.of_windows(plan, reading)).transpose()?;
                segment.map(|segment| read(plan, &segment, reading)).transpose()
            }
            (Asked::OfMetrics(plan), _) => {
                let segments = plan
                    .operands
                    .iter()
                    .map(|operand| segment(operand).map(|metric| metric.merged(operand)).transpose());
                let segments: Option<Vec<&Segment>> = segments.collect::<Result<_, _>>()?;
                segments.map(|segments| derive(plan, &segments, reading)).transpose()
            }
        }
    }
}

/// The frontier at which segments of a metric end, which follow one another from the start of the log.
pub(crate) fn end_of(plan: &MetricPlan, parts: &[IndexedSegment]) -> Result<Frontier, ServeError> {
    let missing = || ServeError::NoSegment { metric: plan.metric.name.clone() };
    let mut end = Frontier(vec![0; parts.first().ok_or_else(missing)?.segment().interval.from().0.len()]);
    for part in parts {
        end = plan.follows(&end, part.segment())?;
    }
    Ok(end)
}

/// Which windows a request asks for.
pub(crate) fn reading(window: &Window, request: &ReadRequest) -> Result<Reading, ServingError> {
    let micros = |instant: metricc_client::jiff::Timestamp| instant.as_microsecond();
    let grain = request.grain.as_ref().map(|text| grain(text, window)).transpose();
    let grain = grain.map_err(|problem| ServingError::Request(format!("`grain`: {problem}")))?;
    Ok(Reading { from: request.from.map(micros), to: request.to.map(micros), grain, keys: None })
}
