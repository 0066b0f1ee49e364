//! What was published last of each source, and ⊕ of it where it is asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use metricc_client::ServedPart;
use metricc_compiler::{MetricPlan, Segment};
use metricc_log::{Frontier, Interval};

use crate::{IndexedSegment, ServeError, merge};

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
