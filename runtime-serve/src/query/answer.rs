//! The answer to a request from one published version. A version of the past is answered from by the same
//! code.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metricc_client::{
    Explained, ExplainedMetric, ExplainedPart, ReadReceipt, Served, ServedPart, ServingError,
};
use metricc_compiler::MetricPlan;

use super::{Query, failed};
use crate::answer_rows::{AnswerRows, OpenAnswer};
use crate::overlapping_rows::OverlappingRows;
use crate::row_estimate::estimated_rows;
use crate::served_table::ServedTable;
use crate::{Presented, Published};

impl Query {
    /// The answer from a version, whatever frontier the request asks for.
    ///
    /// # Errors
    /// [`ServingError`].
    pub fn answer(self: &Arc<Self>, published: &Published) -> Result<ServedTable, ServingError> {
        whole(self.open(published)?)
    }

    /// The answer from a version, whose rows are still to be computed as far as that is possible.
    ///
    /// # Errors
    /// [`ServingError`].
    pub fn open(self: &Arc<Self>, published: &Published) -> Result<OpenAnswer, ServingError> {
        let frontier = self.frontier(published);
        let rows = if let Some((plan, metric)) = self.mergeable(published) {
            let parts = self.parts(plan, metric).map_err(failed)?;
            AnswerRows::merged(self, plan, parts, frontier.clone())?
        } else if let Some((plan, metric, panes)) = self.overlapping(published) {
            let (segment, options) = self.states_of_base(plan, metric).map_err(failed)?;
            let states = segment.into_owned().states;
            let n_rows = estimated_rows(plan, &states, &options).map_err(|error| failed(error.into()))?;
            let rows = OverlappingRows::new(plan, states, panes, options, n_rows);
            AnswerRows::overlapping(self, plan, rows, frontier.clone())?
        } else {
            AnswerRows::ready(self, self.rows(published).map_err(failed)?, frontier.clone())?
        };
        Ok(Served {
            metric: self.entry.metric.name.clone(),
            hash: self.entry.metric.hash.clone(),
            frontier,
            epoch: None,
            unit: self.entry.row_type.unit.clone(),
            notes: self.options().notes(&self.entry.metric.name, self.entry.window()),
            rows,
            next: None,
            receipt: self.request.receipt.then(|| self.receipt(published)),
        })
    }

    /// The answer from a version, and the rows of each of its parts alone.
    ///
    /// # Errors
    /// [`ServingError`].
    pub fn explain(self: &Arc<Self>, published: &Published) -> Result<Explained<Presented>, ServingError> {
        let answer = self.answer(published)?;
        // A metric that is read at several offsets is an operand several times.
        let mut seen = BTreeSet::new();
        let base = self.entry.plan.base().iter().filter(|plan| seen.insert(&plan.metric.name));
        let of = base.map(|plan| self.explain_base(plan, published));
        Ok(Explained { answer, of: of.collect::<Result<_, _>>()? })
    }

    fn receipt(&self, published: &Published) -> ReadReceipt {
        let mut parts: BTreeMap<&str, Vec<ServedPart>> = BTreeMap::new();
        for plan in self.entry.plan.base() {
            let source = plan.metric.source.name.as_str();
            // All metrics of a source are published with the same parts.
            parts.entry(source).or_insert_with(|| {
                published.states(plan).map(|metric| metric.served_parts(source)).unwrap_or_default()
            });
        }
        let filter = self.filter.as_ref().map(|filter| filter.text().to_owned());
        ReadReceipt { parts: parts.into_values().flatten().collect(), ends: BTreeMap::new(), filter }
    }

    fn explain_base(
        &self,
        plan: &MetricPlan,
        published: &Published,
    ) -> Result<ExplainedMetric<Presented>, ServingError> {
        let metric = plan.metric.name.clone();
        let Some(of_metric) = published.states(plan) else {
            return Ok(ExplainedMetric { metric, parts: Vec::new() });
        };
        let reading = self.reading.of_operand(&self.request, &plan.metric.row_type())?;
        let rows = |part: &crate::IndexedSegment| match reading.all_keys() {
            Some(keys) => {
                let segment = self.readable(plan, Cow::Owned(part.of_keys(plan, keys)?))?;
                reading.of_selected(plan, &segment, reading.options(), None)
            }
            None => reading.of_base(plan, &*self.readable(plan, Cow::Borrowed(part.segment()))?),
        };
        let stated = of_metric.served_parts(&plan.metric.source.name);
        let parts = stated.into_iter().zip(&of_metric.parts).map(|(part, segment)| {
            let positions = segment.segment().interval.n_positions();
            Ok(ExplainedPart { part, positions, rows: rows(segment).map_err(failed)? })
        });
        Ok(ExplainedMetric { metric, parts: parts.collect::<Result<_, ServingError>>()? })
    }
}

/// An answer with all its rows.
///
/// # Errors
/// [`ServingError::Failed`].
pub fn whole(answer: OpenAnswer) -> Result<ServedTable, ServingError> {
    let Served { metric, hash, frontier, epoch, unit, notes, rows: mut open, next: _, receipt } = answer;
    let rows = open.all().map_err(failed)?;
    Ok(Served { metric, hash, frontier, epoch, unit, notes, rows, next: open.next_page(), receipt })
}
