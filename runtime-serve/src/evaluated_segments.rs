//! Evaluated segments of base metrics, and reading any metric that they suffice for.

use std::borrow::Cow;
use std::sync::Arc;

use metricc_compiler::{CompileError, DerivedPlan, MetricPlan, Segment, SegmentRanges, SourcePlan, Spread};
use metricc_ir::user_defined::Imports;
use metricc_ir::{AnyMetric, Derived, Metric};

use crate::segment_ranges::whole as whole_segment;
use crate::{
    Presented, ReadOptions, Reading, RowPieces, ServeError, derive, estimated_derived_rows, estimated_rows,
    read, read_ranges,
};

/// Segments of base metrics, one each, up to one frontier per source.
#[derive(Debug, Default)]
pub struct Evaluated {
    segments: Vec<(Arc<MetricPlan>, Evaluation)>,
}

/// A segment in memory, or one that lies elsewhere and is read when it is asked for.
#[derive(Debug)]
enum Evaluation {
    Here(Segment),
    Elsewhere(Box<dyn SegmentRanges>),
}

impl Evaluation {
    fn whole(&self, plan: &MetricPlan) -> Result<Cow<'_, Segment>, ServeError> {
        match self {
            Evaluation::Here(segment) => Ok(Cow::Borrowed(segment)),
            Evaluation::Elsewhere(ranges) => Ok(Cow::Owned(whole_segment(plan, ranges.as_ref())?)),
        }
    }
}

impl Evaluated {
    /// Adds the segments of all metrics of one source, in the order of its plan.
    pub fn add(&mut self, plan: &SourcePlan, segments: Vec<Segment>) {
        self.segments.extend(plan.metrics.iter().cloned().zip(segments.into_iter().map(Evaluation::Here)));
    }

    /// Adds the segment of one metric.
    pub fn add_one(&mut self, plan: &Arc<MetricPlan>, segment: Segment) {
        self.segments.push((plan.clone(), Evaluation::Here(segment)));
    }

    /// Adds a segment that is read, range by range, when rows are asked for.
    pub fn add_ranges(&mut self, plan: &Arc<MetricPlan>, ranges: Box<dyn SegmentRanges>) {
        self.segments.push((plan.clone(), Evaluation::Elsewhere(ranges)));
    }

    /// Adds all segments that others have.
    pub fn merge(&mut self, other: Evaluated) {
        self.segments.extend(other.segments);
    }

    /// Presents a base metric that was added, or a metric derived from such ones. `options` choose windows
    /// and range.
    ///
    /// # Errors
    /// If it is neither, or cannot be read by these windows.
    pub fn read(
        &self,
        metric: &AnyMetric,
        imports: &Imports,
        options: &ReadOptions,
    ) -> Result<Presented, ServeError> {
        self.pieces(metric, imports, options)?.whole()
    }

    /// As [`Evaluated::read`], in pieces: of a segment that lies elsewhere, one of its ranges is in memory at
    /// a time, if the rows are those of its groups.
    ///
    /// # Errors
    /// As [`Evaluated::read`]; the pieces have errors of their own.
    pub fn pieces<'a>(
        &'a self,
        metric: &AnyMetric,
        imports: &Imports,
        options: &'a ReadOptions,
    ) -> Result<RowPieces<'a>, ServeError> {
        match metric {
            AnyMetric::Base(metric) => {
                let (plan, segment) = self.base(metric)?;
                match segment {
                    Evaluation::Here(segment) => Ok(read(plan, segment, options)?.into()),
                    Evaluation::Elsewhere(ranges) => read_ranges(plan, ranges.as_ref(), options),
                }
            }
            AnyMetric::Derived(derived) => {
                let (plan, segments) = self.operands(derived, imports)?;
                let segments: Vec<&Segment> = segments.iter().map(AsRef::as_ref).collect();
                Ok(derive(&plan, &segments, options)?.into())
            }
        }
    }

    /// The rows of a read: as [`Evaluated::pieces`] where each group has its row, else in one piece.
    ///
    /// # Errors
    /// As [`Evaluated::read`].
    pub fn rows<'a>(
        &'a self,
        metric: &AnyMetric,
        imports: &Imports,
        reading: &'a Reading,
    ) -> Result<RowPieces<'a>, ServeError> {
        if reading.keeps_all() {
            return self.pieces(metric, imports, reading.options());
        }
        let rows = match metric {
            AnyMetric::Base(metric) => {
                let (plan, segment) = self.base(metric)?;
                reading.of_base(plan, &*segment.whole(plan)?)?
            }
            AnyMetric::Derived(derived) => {
                let (plan, segments) = self.operands(derived, imports)?;
                reading.of_derived(&plan, &segments.iter().map(AsRef::as_ref).collect::<Vec<_>>())?
            }
        };
        Ok(rows.into())
    }

    /// About how many rows are made where a read asks for more than a row for each group: for windows without
    /// events, totals, shares and values of earlier windows. `None` if it does not.
    ///
    /// # Errors
    /// As [`Evaluated::read`].
    pub fn asked_rows(
        &self,
        metric: &AnyMetric,
        imports: &Imports,
        reading: &Reading,
    ) -> Result<Option<u64>, ServeError> {
        match metric {
            _ if !reading.fills() && reading.beside().is_none() => Ok(None),
            AnyMetric::Base(metric) => {
                let (plan, segment) = self.base(metric)?;
                let segment = segment.whole(plan)?;
                let selected = reading.selection().states_of(plan, &segment.states)?;
                let states = selected.as_ref().unwrap_or(&segment.states);
                let options = reading.wide_options(&metric.window)?;
                reading.n_rows_of_base(plan, states, &options).map(Some)
            }
            AnyMetric::Derived(derived) => {
                let (plan, segments) = self.operands(derived, imports)?;
                let segments: Vec<&Segment> = segments.iter().map(AsRef::as_ref).collect();
                reading.n_rows_of_derived(&plan, &segments).map(Some)
            }
        }
    }

    /// About how many rows a metric has whose windows overlap, before they are made; `None` for other
    /// metrics, which have at most a row for each group.
    ///
    /// # Errors
    /// As [`Evaluated::read`].
    pub fn overlapping_rows(
        &self,
        metric: &AnyMetric,
        imports: &Imports,
        options: &ReadOptions,
    ) -> Result<Option<u64>, ServeError> {
        let overlap = |plan: &MetricPlan| matches!(plan.spread, Some(Spread::Panes { .. }));
        match metric {
            AnyMetric::Base(metric) => {
                let (plan, segment) = self.base(metric)?;
                if !overlap(plan) {
                    return Ok(None);
                }
                Ok(Some(estimated_rows(plan, &segment.whole(plan)?.states, options)?))
            }
            AnyMetric::Derived(derived) => {
                let (plan, segments) = self.operands(derived, imports)?;
                if !plan.operands.iter().any(|operand| overlap(operand)) {
                    return Ok(None);
                }
                let segments: Vec<&Segment> = segments.iter().map(AsRef::as_ref).collect();
                Ok(Some(estimated_derived_rows(&plan, &segments, options)?))
            }
        }
    }

    fn base(&self, metric: &Arc<Metric>) -> Result<(&Arc<MetricPlan>, &Evaluation), ServeError> {
        let found = self.segments.iter().find(|(plan, _)| plan.metric == *metric);
        let (plan, segment) = found.ok_or_else(|| missing(&metric.name))?;
        Ok((plan, segment))
    }

    /// The plan of a derived metric, and the segment of each operand.
    fn operands(
        &self,
        derived: &Arc<Derived>,
        imports: &Imports,
    ) -> Result<(DerivedPlan, Vec<Cow<'_, Segment>>), ServeError> {
        let plans: Vec<&Arc<MetricPlan>> = self.segments.iter().map(|(plan, _)| plan).collect();
        let plan = DerivedPlan::new(derived, &plans, imports)?;
        let segment_of = |plan: &Arc<MetricPlan>| {
            let found = self.segments.iter().find(|(known, _)| Arc::ptr_eq(known, plan));
            let (_, segment) = found.ok_or_else(|| missing(&derived.name))?;
            segment.whole(plan)
        };
        let segments = plan.operands.iter().map(segment_of).collect::<Result<Vec<_>, _>>()?;
        Ok((plan, segments))
    }
}

fn missing(metric: &str) -> CompileError {
    CompileError::form(metric, "was not evaluated")
}
