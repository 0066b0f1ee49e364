//! What was published last of each source, and ⊕ of it where it is asked for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use metricc_client::ServedPart;
use metricc_compiler::{MetricPlan, Segment};
use metricc_log::{Frontier, Interval};

use crate::{IndexedSegment, Reading, ServeError, merge};

/// What readers see: of each source what was published last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Published {
    pub(crate) sources: BTreeMap<String, Arc<PublishedSource>>,
}

/// For each metric of a source the segments up to one frontier.
#[derive(Debug)]
pub(crate) struct PublishedSource {
    pub(crate) frontier: Frontier,
    pub(crate) metrics: BTreeMap<String, PublishedMetric>,
}

#[derive(Debug)]
pub(crate) struct PublishedMetric {
    /// They cover the log from its start to the frontier, in order.
    pub(crate) parts: Vec<IndexedSegment>,
    /// ⊕ of the parts, from the first read on.
    merged: OnceLock<Segment>,
}

impl Published {
    /// What was published of a metric.
    pub(crate) fn metric(&self, plan: &MetricPlan) -> Option<&PublishedMetric> {
        let source = self.sources.get(&plan.metric.source.name)?;
        source.metrics.get(&plan.metric.name)
    }
}

impl PublishedMetric {
    pub(crate) fn new(parts: Vec<IndexedSegment>) -> Self {
        PublishedMetric { parts, merged: OnceLock::new() }
    }

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

    pub(crate) fn stated(&self, source: &str) -> Vec<ServedPart> {
        let parts = self.parts.iter().map(|part| &part.segment().interval);
        let part = |interval: &Interval| ServedPart {
            source: source.to_owned(),
            from: interval.from().0.clone(),
            to: interval.to().0.clone(),
            layer: None,
        };
        parts.map(part).collect()
    }

    /// ⊕ of the rows that a reading is about; of all where it is not only about some windows, and where that is made already.
    pub(crate) fn of_windows<'a>(
        &'a self,
        plan: &MetricPlan,
        reading: &Reading,
    ) -> Result<Cow<'a, Segment>, ServeError> {
        let is_some = reading.from.is_some() || reading.to.is_some();
        if !is_some || !has_starts(plan) || self.parts.len() == 1 || self.merged.get().is_some() {
            return Ok(Cow::Borrowed(self.merged(plan)?));
        }
        let parts = self.parts.iter().map(|part| {
            let Segment { hash, interval, states } = part.segment();
            let starts = starts(part.segment());
            let place = |at: Option<i64>, other: usize| {
                at.map_or(other, |at| starts.partition_point(|start| *start < at))
            };
            let (first, end) = (place(reading.from, 0), place(reading.to, starts.len()));
            let states = states.slice(first, end.saturating_sub(first));
            Segment { hash: *hash, interval: interval.clone(), states }
        });
        let parts: Vec<Segment> = parts.collect();
        Ok(Cow::Owned(merge(plan, &parts)?))
    }

    /// The start of the last window before an instant, µs; none where there is none, or windows are not what is kept.
    pub(crate) fn last_start(&self, plan: &MetricPlan, before: Option<i64>) -> Option<i64> {
        if !has_starts(plan) {
            return None;
        }
        let last = self.parts.iter().filter_map(|part| {
            let starts = starts(part.segment());
            let end = before.map_or(starts.len(), |before| starts.partition_point(|start| *start < before));
            starts[..end].last().copied()
        });
        last.max()
    }

    /// Groups of all parts.
    pub(crate) fn n_rows(&self) -> usize {
        self.parts.iter().map(|part| part.segment().states.num_rows()).sum()
    }

    /// ⊕ of the rows of one combination of keys.
    pub(crate) fn of_keys(
        &self,
        plan: &MetricPlan,
        wanted: &[Option<Vec<u8>>],
    ) -> Result<Segment, ServeError> {
        let parts = self.parts.iter().map(|part| part.of_keys(plan, wanted));
        merge(plan, &parts.collect::<Result<Vec<_>, _>>()?)
    }
}

/// Whether the groups of a plan are windows as they are read, which start in the first column.
fn has_starts(plan: &MetricPlan) -> bool {
    plan.spread.is_none() && plan.metric.window.has_start()
}

/// When the windows of a segment start, µs, ascending.
fn starts(segment: &Segment) -> &[i64] {
    let column = segment.states.columns().first();
    let starts = column.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    starts.map_or(&[][..], |starts| starts.values())
}
