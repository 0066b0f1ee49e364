//! The states of some metrics from the start of the log to a frontier, where those of some are there already
//! up to earlier frontiers: only what follows is evaluated. By the law, the result is the same.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use metricc_compiler::{CompileError, EngineOptions, MetricPlan, Segment};
use metricc_log::{Bound, FieldCondition, Frontier, Interval, LogError, ValueRange, WantedRows};

use crate::source::NodeSource;
use crate::source_plans::SourcePlans;
use crate::states_of_log::{StatesError, start_of, states_unless};

/// What is to be evaluated.
#[derive(Debug)]
pub(crate) struct ContinuedStates {
    /// Whether events before some time are left out: then these are states of the windows from there on
    /// alone.
    is_of_range: bool,
    /// All of its metrics.
    plan: Arc<SourcePlans>,
    to: Frontier,
    /// One for each frontier from which states are evaluated.
    steps: Vec<Step>,
}

/// Metrics that are evaluated from one frontier on.
#[derive(Debug)]
struct Step {
    from: Frontier,
    plan: Arc<SourcePlans>,
    /// Their states up to there; `None` from the start of the log on.
    known: Vec<Option<Segment>>,
}

impl ContinuedStates {
    /// The metrics of a plan up to a frontier, with what questions have left of them.
    ///
    /// # Errors
    /// If metrics cannot be planned together.
    pub(crate) fn new(
        source: &NodeSource,
        plan: Arc<SourcePlans>,
        to: &Frontier,
    ) -> Result<Self, CompileError> {
        let mut groups: Vec<(Frontier, Vec<Arc<MetricPlan>>, Vec<Segment>)> = Vec::new();
        for metric in &plan.metrics {
            let known = source.asked.before(&metric.state_hash, to);
            let from = known.as_ref().map_or_else(|| start_of(to), |known| known.interval.to().clone());
            match groups.iter_mut().find(|(start, ..)| *start == from) {
                Some((_, metrics, segments)) => {
                    metrics.push(metric.clone());
                    segments.extend(known);
                }
                None => groups.push((from, vec![metric.clone()], known.into_iter().collect())),
            }
        }
        let step = |(from, metrics, segments): (Frontier, Vec<Arc<MetricPlan>>, Vec<Segment>)| {
            let plan = source.plan_of(&metrics)?;
            let of_metric = |metric: &Arc<MetricPlan>| {
                segments.iter().find(|segment| segment.hash == metric.state_hash).cloned()
            };
            let known = plan.metrics.iter().map(of_metric).collect();
            Ok(Step { from, plan, known })
        };
        let steps = groups.into_iter().map(step).collect::<Result<_, CompileError>>()?;
        Ok(ContinuedStates { is_of_range: false, plan, to: to.clone(), steps })
    }

    /// The same, of windows from an instant (µs) on: flushed events are left out where the statistics of
    /// their files tell that all of them are before it. Blocks the calling thread.
    ///
    /// # Errors
    /// [`StatesError`] if files cannot be read.
    pub(crate) fn since(mut self, source: &NodeSource, least: i64) -> Result<Self, StatesError> {
        let snapshot = source.log.snapshot();
        for step in &mut self.steps {
            let [declared] = step.plan.declared() else { continue };
            let decoder = declared.decoder().map_err(StatesError::Interval)?;
            let ranges = vec![ValueRange { least: Some(Bound::Int(least)), greatest: None }];
            let time = FieldCondition { field: decoder.source().time, ranges };
            let first = snapshot.first_wanted(decoder, &WantedRows::any_of(vec![vec![time]]), &self.to)?;
            let is_later = first.0.iter().zip(&step.from.0).all(|(first, from)| first >= from);
            if is_later && first != step.from && step.known.iter().all(Option::is_none) {
                step.from = first;
                self.is_of_range = true;
            }
        }
        Ok(self)
    }

    /// Whether these are states of a range alone, which nothing else may be read from.
    pub(crate) fn is_of_range(&self) -> bool {
        self.is_of_range
    }

    /// The frontier up to which states are computed.
    pub(crate) fn end(&self) -> &Frontier {
        &self.to
    }

    /// The metrics.
    pub(crate) fn plan(&self) -> &Arc<SourcePlans> {
        &self.plan
    }

    /// Records that are read: the log is read once as each plan declares its source.
    pub(crate) fn n_positions(&self) -> u64 {
        let of_step = |step: &Step| {
            (self.to.n_positions() - step.from.n_positions()) * step.plan.declared().len() as u64
        };
        self.steps.iter().map(of_step).sum()
    }

    /// Bytes of the log that are read.
    pub(crate) fn n_bytes(&self, source: &NodeSource) -> u64 {
        let snapshot = source.log.snapshot();
        let of_step = |step: &Step| {
            let n_plans = step.plan.declared().len() as u64;
            snapshot.n_bytes(source.name(), &step.from, &self.to) * n_plans
        };
        self.steps.iter().map(of_step).sum()
    }

    /// The states of all metrics, in the order of the plan, until it is cancelled. `progress` is told of
    /// positions that were evaluated.
    ///
    /// # Errors
    /// [`StatesError`].
    pub(crate) fn evaluate(
        &self,
        is_cancelled: &Arc<AtomicBool>,
        source: &NodeSource,
        options: &EngineOptions,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<Segment>, StatesError> {
        let mut all: Vec<Segment> = Vec::with_capacity(self.plan.metrics.len());
        for step in &self.steps {
            let is_there = step.from == self.to && step.known.iter().all(Option::is_some);
            if is_there {
                all.extend(step.known.iter().flatten().cloned());
                continue;
            }
            let interval = (&step.from, &self.to);
            let fresh = states_unless(is_cancelled, source, &step.plan, interval, options, progress)?;
            for ((metric, known), fresh) in step.plan.metrics.iter().zip(&step.known).zip(fresh) {
                all.push(match known {
                    Some(known) => known.merge(&fresh, metric)?,
                    // What is left out has no event of these windows: the states are those from the start.
                    None => {
                        let from_start = Interval::new(start_of(&self.to), self.to.clone());
                        Segment { interval: from_start.map_err(LogError::from)?, ..fresh }
                    }
                });
            }
        }
        let in_order =
            |metric: &Arc<MetricPlan>| all.iter().find(|segment| segment.hash == metric.state_hash).cloned();
        Ok(self.plan.metrics.iter().filter_map(in_order).collect())
    }
}
