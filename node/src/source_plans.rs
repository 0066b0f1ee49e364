//! The states that a source keeps, planned. Versions of the package may declare the source in different ways:
//! then each declaration has a plan of its own, which reads the log as it says. The states of all lie beside each
//! other in one view and are served at one frontier.

use std::sync::{Arc, OnceLock};

use metricc_compiler::{CompileError, MetricPlan, Segment, SourcePlan};
use metricc_durable_log::{DurableError, LogSnapshot};
use metricc_ir::Source;
use metricc_ir::user_defined::Imports;
use metricc_log::{Frontier, Log, LogError, RecordDecoder};

/// Plans of metrics over one source, one for each way in which it is declared; there is at least one.
#[derive(Debug)]
pub(crate) struct SourcePlans {
    declared: Vec<DeclaredPlan>,
    /// Those of all plans, in their order: each state once.
    pub(crate) metrics: Vec<Arc<MetricPlan>>,
}

/// The plan of metrics that declare their source in the same way.
#[derive(Debug)]
pub(crate) struct DeclaredPlan {
    pub(crate) plan: Arc<SourcePlan>,
    decoder: OnceLock<Arc<RecordDecoder>>,
}

impl SourcePlans {
    /// Plans some base metrics of a source, each state once.
    ///
    /// # Errors
    /// If there is none, or they cannot be planned together.
    pub(crate) fn new(metrics: &[Arc<MetricPlan>], imports: &Imports) -> Result<Arc<Self>, CompileError> {
        let mut groups: Vec<Vec<&Arc<MetricPlan>>> = Vec::new();
        for metric in metrics {
            if groups.iter().flatten().any(|known| known.state_hash == metric.state_hash) {
                continue;
            }
            let is_same = |group: &&mut Vec<&Arc<MetricPlan>>| group[0].metric.source == metric.metric.source;
            match groups.iter_mut().find(is_same) {
                Some(group) => group.push(metric),
                None => groups.push(vec![metric]),
            }
        }
        let plan = |group: &[&Arc<MetricPlan>]| {
            let metrics: Vec<_> = group.iter().map(|plan| plan.metric.clone()).collect();
            SourcePlan::new(&metrics, imports).map(Arc::new)
        };
        let plans = match groups.is_empty() {
            true => vec![plan(&[])?],
            false => groups.iter().map(|group| plan(group)).collect::<Result<_, _>>()?,
        };
        Ok(Arc::new(SourcePlans::of(plans)))
    }

    /// Of a source that is declared in one way.
    pub(crate) fn of_one(plan: Arc<SourcePlan>) -> Arc<Self> {
        Arc::new(SourcePlans::of(vec![plan]))
    }

    fn of(plans: Vec<Arc<SourcePlan>>) -> Self {
        let metrics = plans.iter().flat_map(|plan| plan.metrics.iter().cloned()).collect();
        let declared = |plan| DeclaredPlan { plan, decoder: OnceLock::new() };
        SourcePlans { declared: plans.into_iter().map(declared).collect(), metrics }
    }

    /// The plans. Segments are in their order.
    pub(crate) fn declared(&self) -> &[DeclaredPlan] {
        &self.declared
    }

    /// The source, as the first plan declares it.
    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.declared[0].plan.source
    }

    /// The states of all metrics, as `evaluate` gives those of one plan.
    ///
    /// # Errors
    /// The first that it gives.
    pub(crate) fn evaluate<E>(
        &self,
        mut evaluate: impl FnMut(usize, &DeclaredPlan) -> Result<Vec<Segment>, E>,
    ) -> Result<Vec<Segment>, E> {
        let mut segments = Vec::with_capacity(self.metrics.len());
        for (index, declared) in self.declared.iter().enumerate() {
            segments.extend(evaluate(index, declared)?);
        }
        Ok(segments)
    }
}

impl DeclaredPlan {
    /// The log, read as its source is declared here.
    ///
    /// # Errors
    /// [`DurableError`] if the log is not one of the source, or does not have the frontier.
    pub(crate) fn log(&self, snapshot: &LogSnapshot, from: &Frontier) -> Result<Log, DurableError> {
        snapshot.log_as(self.decoder()?, from)
    }

    /// How the log is read as its source is declared here.
    ///
    /// # Errors
    /// [`LogError`] if its events cannot be decoded so.
    pub(crate) fn decoder(&self) -> Result<&Arc<RecordDecoder>, LogError> {
        match self.decoder.get() {
            Some(decoder) => Ok(decoder),
            None => {
                let decoder = RecordDecoder::new(&self.plan.source)?;
                Ok(self.decoder.get_or_init(|| decoder))
            }
        }
    }
}
