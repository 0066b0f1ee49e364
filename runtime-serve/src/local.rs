//! A serving layer in this process: segments are published, readers get rows of one frontier.
//!
//! What was published last is one value that is replaced as a whole, so no reader sees a mixture of two frontiers. It
//! merges with [`merge`] and presents with [`read`] and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use metricc_client::{ReadRequest, Served, ServedMetric, Serving, ServingError};
use metricc_compiler::{DerivedPlan, MetricPlan, Segment};
use metricc_dsl::grain;
use metricc_dsl::ir::Window;
use metricc_log::Frontier;
use serde_json::value::RawValue;
use tokio::sync::watch;

use crate::select::select;
use crate::{Presented, Reading, ServeError, derive, json_lines, merge, read};

/// Metrics of one source that are served in this process.
#[derive(Debug, Clone)]
pub struct LocalServing {
    plans: Arc<BTreeMap<String, Arc<MetricPlan>>>,
    derived: Arc<BTreeMap<String, Arc<DerivedPlan>>>,
    published: watch::Sender<Arc<Published>>,
}

/// What readers see: for each metric the merged segment up to one frontier.
#[derive(Debug)]
struct Published {
    frontier: Frontier,
    segments: BTreeMap<String, Segment>,
}

impl LocalServing {
    /// Serves these metrics; they have no rows until something is published.
    pub fn new(plans: &[Arc<MetricPlan>]) -> Self {
        LocalServing::with_derived(plans, &[])
    }

    /// Serves these metrics, and metrics that are made of them.
    pub fn with_derived(plans: &[Arc<MetricPlan>], derived: &[Arc<DerivedPlan>]) -> Self {
        let derived = derived.iter().map(|plan| (plan.derived.name.clone(), plan.clone())).collect();
        let plans = plans.iter().map(|plan| (plan.metric.name.clone(), plan.clone())).collect();
        let nothing = Published { frontier: Frontier::default(), segments: BTreeMap::new() };
        LocalServing {
            plans: Arc::new(plans),
            derived: Arc::new(derived),
            published: watch::Sender::new(Arc::new(nothing)),
        }
    }

    /// Replaces what is served. For each metric, in the order of [`LocalServing::new`]'s names, the segments that cover
    /// the log from its start to one frontier, in order. Readers see all of it or nothing.
    ///
    /// # Errors
    /// [`ServeError`] if segments leave a gap, overlap, end at different frontiers or are of other definitions; what was
    /// served stays.
    pub fn publish(&self, segments: &[(&MetricPlan, Vec<Segment>)]) -> Result<(), ServeError> {
        let mut merged: BTreeMap<String, Segment> = BTreeMap::new();
        let mut frontier: Option<Frontier> = None;
        for (plan, of_metric) in segments {
            let segment = merge(plan, of_metric)?;
            let end = segment.interval.to().clone();
            match &frontier {
                Some(other) if *other != end => {
                    let (metric, other) = (plan.metric.name.clone(), other.clone());
                    return Err(ServeError::Frontiers { metric, end, other });
                }
                _ => frontier = Some(end),
            }
            merged.insert(plan.metric.name.clone(), segment);
        }
        let frontier = frontier.unwrap_or_default();
        self.published.send_replace(Arc::new(Published { frontier, segments: merged }));
        Ok(())
    }

    fn asked(&self, request: &ReadRequest) -> Result<Asked<'_>, ServingError> {
        let of_events = self.plans.get(&request.metric).map(Asked::OfEvents);
        let asked = of_events.or_else(|| self.derived.get(&request.metric).map(Asked::OfMetrics));
        let asked = asked.ok_or_else(|| ServingError::UnknownMetric {
            name: request.metric.clone(),
            known: self.plans.keys().chain(self.derived.keys()).cloned().collect(),
        })?;
        let served = asked.hash();
        match &request.hash {
            Some(wanted) if *wanted != served && *wanted != asked.definition_hash() => {
                let metric = request.metric.clone();
                Err(ServingError::OtherDefinition { metric, served, wanted: wanted.clone() })
            }
            _ => Ok(asked),
        }
    }

    fn answer(&self, request: &ReadRequest, published: &Published) -> Result<Served, ServingError> {
        let asked = self.asked(request)?;
        let failed = |error: ServeError| match error {
            ServeError::Reading { .. } => ServingError::Request(error.to_string()),
            error => ServingError::Failed(error.to_string()),
        };
        let mut rows = Vec::new();
        let reading = reading(asked.window(), request)?;
        if let Some(presented) = asked.presented(published, &reading).map_err(failed)? {
            let selected = select(&presented, request)?;
            let lines = json_lines(&presented).zip(selected).filter(|(_, is_selected)| *is_selected);
            let raw = lines.map(|(line, _)| RawValue::from_string(line));
            rows = raw.collect::<Result<_, _>>().map_err(|error| ServingError::Failed(error.to_string()))?;
        }
        let (metric, hash) = (request.metric.clone(), asked.hash());
        Ok(Served { metric, hash, frontier: published.frontier.0.clone(), rows })
    }
}

/// A metric that is served.
enum Asked<'a> {
    OfEvents(&'a Arc<MetricPlan>),
    OfMetrics(&'a Arc<DerivedPlan>),
}

impl Asked<'_> {
    fn hash(&self) -> String {
        match self {
            Asked::OfEvents(plan) => plan.hash.to_string(),
            Asked::OfMetrics(plan) => plan.hash.to_string(),
        }
    }

    fn definition_hash(&self) -> String {
        match self {
            Asked::OfEvents(plan) => plan.metric.definition_hash(),
            Asked::OfMetrics(plan) => plan.derived.definition_hash(),
        }
    }

    fn window(&self) -> &Window {
        match self {
            Asked::OfEvents(plan) => &plan.metric.window,
            Asked::OfMetrics(plan) => &plan.derived.window,
        }
    }

    /// Its rows; none if something that it is made of was not published.
    fn presented(&self, published: &Published, reading: &Reading) -> Result<Option<Presented>, ServeError> {
        let segment = |plan: &MetricPlan| published.segments.get(&plan.metric.name);
        match self {
            Asked::OfEvents(plan) => segment(plan).map(|segment| read(plan, segment, reading)).transpose(),
            Asked::OfMetrics(plan) => {
                let segments =
                    plan.operands.iter().map(|operand| segment(operand)).collect::<Option<Vec<_>>>();
                segments.map(|segments| derive(plan, &segments, reading)).transpose()
            }
        }
    }
}

/// Which windows a request asks for.
fn reading(window: &Window, request: &ReadRequest) -> Result<Reading, ServingError> {
    let micros = |instant: metricc_client::jiff::Timestamp| instant.as_microsecond();
    let grain = request.grain.as_ref().map(|text| grain(text, window)).transpose();
    let grain = grain.map_err(|problem| ServingError::Request(format!("`grain`: {problem}")))?;
    Ok(Reading { from: request.from.map(micros), to: request.to.map(micros), grain, keys: None })
}

impl Serving for LocalServing {
    fn metrics(&self) -> BoxFuture<'_, Result<Vec<ServedMetric>, ServingError>> {
        let of_events = self.plans.values().map(|plan| ServedMetric {
            name: plan.metric.name.clone(),
            hash: plan.hash.to_string(),
            doc: plan.metric.doc.clone(),
        });
        let of_metrics = self.derived.values().map(|plan| ServedMetric {
            name: plan.derived.name.clone(),
            hash: plan.hash.to_string(),
            doc: plan.derived.doc.clone(),
        });
        let served: Vec<_> = of_events.chain(of_metrics).collect();
        async { Ok(served) }.boxed()
    }

    fn read(&self, request: ReadRequest) -> BoxFuture<'_, Result<Served, ServingError>> {
        let published = self.published.borrow().clone();
        async move { self.answer(&request, &published) }.boxed()
    }

    fn subscribe(&self, request: ReadRequest) -> BoxStream<'static, Result<Served, ServingError>> {
        struct State {
            serving: LocalServing,
            changes: watch::Receiver<Arc<Published>>,
            request: ReadRequest,
            is_over: bool,
        }
        let mut changes = self.published.subscribe();
        // What is served now is the first item.
        changes.mark_changed();
        let state = State { serving: self.clone(), changes, request, is_over: false };
        stream::unfold(state, |mut state| async move {
            if state.is_over || state.changes.changed().await.is_err() {
                return None;
            }
            let published = state.changes.borrow_and_update().clone();
            let answer = state.serving.answer(&state.request, &published);
            state.is_over = answer.is_err();
            Some((answer, state))
        })
        .boxed()
    }
}
