//! One published version: the segments of each source up to a frontier, and their ⊕ from the first read on.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use metricc_client::ServedPart;
use metricc_compiler::{MetricPlan, Segment, StateHash};
use metricc_log::Frontier;

use crate::roll_up::{in_range, starts};
use crate::{IndexedSegment, ReadOptions, ServeError, merge};

/// A version of what is served: of each source its segments up to one frontier. It never changes, so an
/// answer from it is of one frontier.
#[derive(Debug, Clone, Default)]
pub struct Published {
    sources: BTreeMap<String, Arc<PublishedSource>>,
}

/// The segments of a source up to one frontier, by what their states mean: metrics of equal state hash, of
/// one version of a package or of several, present the same ones.
#[derive(Debug)]
struct PublishedSource {
    frontier: Frontier,
    states: BTreeMap<StateHash, PublishedStates>,
}

/// The segments of the base metrics of one state hash.
#[derive(Debug)]
pub(crate) struct PublishedStates {
    /// They cover the log from its start to the frontier, in order.
    pub(crate) parts: Vec<IndexedSegment>,
    /// ⊕ of the parts, from the first read on.
    merged: OnceLock<Segment>,
}

impl Published {
    /// A version with nothing but these metrics: for each the segments that cover the log of its source from
    /// the start to a frontier, in order.
    ///
    /// # Errors
    /// [`ServeError`] if segments of a source leave a gap, overlap, end at different frontiers or are of
    /// other definitions.
    pub fn new<S: Clone + Into<IndexedSegment>>(
        segments: &[(&MetricPlan, Vec<S>)],
    ) -> Result<Self, ServeError> {
        let mut sources: BTreeMap<String, PublishedSource> = BTreeMap::new();
        for (plan, parts) in segments {
            let parts: Vec<IndexedSegment> = parts.iter().cloned().map(Into::into).collect();
            let frontier = end_of(plan, &parts)?;
            let source = sources
                .entry(plan.metric.source.name.clone())
                .or_insert_with(|| PublishedSource { frontier: frontier.clone(), states: BTreeMap::new() });
            if source.frontier != frontier {
                let (metric, other) = (plan.metric.name.clone(), source.frontier.clone());
                return Err(ServeError::Frontiers { metric, end: frontier, other });
            }
            let states = PublishedStates { parts, merged: OnceLock::new() };
            source.states.insert(plan.state_hash, states);
        }
        let sources = sources.into_iter().map(|(name, source)| (name, Arc::new(source)));
        Ok(Published { sources: sources.collect() })
    }

    /// Takes the sources of another version in place of its own.
    pub fn extend(&mut self, other: Published) {
        self.sources.extend(other.sources);
    }

    /// The frontier of a source; `None` if nothing of it was published.
    pub fn frontier(&self, source: &str) -> Option<&Frontier> {
        self.sources.get(source).map(|source| &source.frontier)
    }

    /// Whether the states of a metric were published.
    pub fn has(&self, plan: &MetricPlan) -> bool {
        self.states(plan).is_some()
    }

    /// ⊕ of all segments of a metric; `None` if its states were not published.
    ///
    /// # Errors
    /// [`ServeError`] if they cannot be merged.
    pub fn segment(&self, plan: &MetricPlan) -> Result<Option<&Segment>, ServeError> {
        self.states(plan).map(|states| states.merged(plan)).transpose()
    }

    /// Groups of all segments of a metric.
    pub fn n_groups(&self, plan: &MetricPlan) -> usize {
        self.states(plan).map_or(0, PublishedStates::n_groups)
    }

    /// The segments of a metric; `None` if its states were not published.
    pub fn parts(&self, plan: &MetricPlan) -> Option<&[IndexedSegment]> {
        self.states(plan).map(|states| &states.parts[..])
    }

    /// The segments of a source, by their state hash.
    pub(crate) fn parts_of(&self, source: &str) -> BTreeMap<StateHash, Vec<IndexedSegment>> {
        let states = self.sources.get(source).into_iter().flat_map(|source| &source.states);
        states.map(|(hash, states)| (*hash, states.parts.clone())).collect()
    }

    pub(crate) fn states(&self, plan: &MetricPlan) -> Option<&PublishedStates> {
        self.sources.get(&plan.metric.source.name)?.states.get(&plan.state_hash)
    }
}

/// The frontier at which segments of a metric end, which follow one another from the start of the log.
fn end_of(plan: &MetricPlan, parts: &[IndexedSegment]) -> Result<Frontier, ServeError> {
    let missing = || ServeError::NoSegment { metric: plan.metric.name.clone() };
    let mut end = Frontier(vec![0; parts.first().ok_or_else(missing)?.segment().interval.from().0.len()]);
    for part in parts {
        end = plan.follows(&end, part.segment())?;
    }
    Ok(end)
}

impl PublishedStates {
    /// ⊕ of all parts.
    pub(crate) fn merged(&self, plan: &MetricPlan) -> Result<&Segment, ServeError> {
        if let [only] = &self.parts[..] {
            return Ok(only.segment());
        }
        if let Some(merged) = self.merged.get() {
            return Ok(merged);
        }
        let parts: Vec<Segment> = self.parts.iter().map(|part| part.segment().clone()).collect();
        let merged = merge(plan, &parts)?;
        Ok(self.merged.get_or_init(|| merged))
    }

    /// The parts, as receipts state them.
    pub(crate) fn served_parts(&self, source: &str) -> Vec<ServedPart> {
        let part = |part: &IndexedSegment| {
            let interval = &part.segment().interval;
            let (from, to) = (interval.from().0.clone(), interval.to().0.clone());
            ServedPart { source: source.to_owned(), from, to, layer: part.layer() }
        };
        self.parts.iter().map(part).collect()
    }

    /// ⊕ of the parts, or at least of the rows that a read with these options needs.
    pub(crate) fn of_windows<'a>(
        &'a self,
        plan: &MetricPlan,
        options: &ReadOptions,
    ) -> Result<Cow<'a, Segment>, ServeError> {
        let has_range = options.from.is_some() || options.to.is_some();
        if !has_range || !has_starts(plan) || self.parts.len() == 1 || self.merged.get().is_some() {
            return Ok(Cow::Borrowed(self.merged(plan)?));
        }
        let parts = self.parts.iter().map(|part| {
            let Segment { hash, interval, states } = part.segment();
            let states = in_range(&plan.metric.name, states, options.from, options.to)?;
            Ok::<_, ServeError>(Segment { hash: *hash, interval: interval.clone(), states })
        });
        Ok(Cow::Owned(merge(plan, &parts.collect::<Result<Vec<_>, _>>()?)?))
    }

    /// The start of the last window before an instant, µs; `None` if there is no such window, or groups are
    /// not windows.
    pub(crate) fn last_start(
        &self,
        plan: &MetricPlan,
        before: Option<i64>,
    ) -> Result<Option<i64>, ServeError> {
        if !has_starts(plan) {
            return Ok(None);
        }
        let mut last = None;
        for part in &self.parts {
            let starts = starts(&plan.metric.name, part.segment().states.column(0))?;
            let end = before.map_or(starts.len(), |before| starts.partition_point(|start| *start < before));
            last = last.max(starts[..end].last().copied());
        }
        Ok(last)
    }

    /// Groups of all parts.
    pub(crate) fn n_groups(&self) -> usize {
        self.parts.iter().map(|part| part.segment().states.num_rows()).sum()
    }

    /// Whether the rows of a key are found without reading all rows.
    pub(crate) fn is_indexed(&self) -> bool {
        self.parts.iter().all(IndexedSegment::is_indexed)
    }

    /// Rows of one combination of keys in all parts, before they are merged.
    pub(crate) fn n_groups_of_keys(&self, plan: &MetricPlan, keys: &[Option<Vec<u8>>]) -> usize {
        self.parts.iter().map(|part| part.n_rows_of_keys(plan, keys)).sum()
    }

    /// ⊕ of the rows of one combination of keys.
    pub(crate) fn of_keys(&self, plan: &MetricPlan, keys: &[Option<Vec<u8>>]) -> Result<Segment, ServeError> {
        let parts = self.parts.iter().map(|part| part.of_keys(plan, keys));
        merge(plan, &parts.collect::<Result<Vec<_>, _>>()?)
    }
}

/// Whether the groups of a plan are windows as they are read, which start in the first column.
fn has_starts(plan: &MetricPlan) -> bool {
    plan.spread.is_none() && plan.metric.window.has_start()
}
