//! A serving layer in this process: segments are published, readers get rows of one frontier.
//!
//! What was published last of a source is one value that is replaced as a whole, so no reader sees a mixture of two
//! frontiers. It merges with [`merge`] and presents with [`read`] and nothing else: each metric when it is first read, once
//! for all readers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use metricc_client::{
    Explained, ExplainedMetric, ExplainedPart, ReadRequest, Served, ServedMetric, Serving, ServingError,
};
use metricc_compiler::{DerivedPlan, MetricPlan};
use metricc_log::Frontier;
use tokio::sync::watch;

use crate::asked::{Asked, end_of, reading};
use crate::published::{Published, PublishedMetric, PublishedSource};
use crate::select::{select, wanted_keys};
use crate::table::{ServedTable, ServingTables, json_rows};
use crate::{IndexedSegment, Presented, Reading, ServeError, read};

/// Metrics that are served in this process.
#[derive(Debug, Clone)]
pub struct LocalServing {
    plans: Arc<BTreeMap<String, Arc<MetricPlan>>>,
    derived: Arc<BTreeMap<String, Arc<DerivedPlan>>>,
    published: watch::Sender<Arc<Published>>,
    /// What was published before. Kept until the next time, so that its memory is given back by who publishes, and not by
    /// the reader that happens to be the last to look at it.
    retired: Arc<Mutex<Arc<Published>>>,
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
        LocalServing {
            plans: Arc::new(plans),
            derived: Arc::new(derived),
            published: watch::Sender::new(Arc::new(Published::default())),
            retired: Arc::default(),
        }
    }

    /// Replaces what is served of the sources of these metrics: for each metric the segments that cover the log of its source
    /// from the start to a frontier, in order. Readers see all of it or nothing. Metrics of the same source that are not
    /// among these are not served any more.
    ///
    /// # Errors
    /// [`ServeError`] if segments of a source leave a gap, overlap, end at different frontiers or are of other definitions;
    /// what was served stays.
    pub fn publish<S: Clone + Into<IndexedSegment>>(
        &self,
        segments: &[(&MetricPlan, Vec<S>)],
    ) -> Result<(), ServeError> {
        let mut sources: BTreeMap<&str, PublishedSource> = BTreeMap::new();
        for (plan, parts) in segments {
            let parts: Vec<IndexedSegment> = parts.iter().cloned().map(Into::into).collect();
            let frontier = end_of(plan, &parts)?;
            let source = sources
                .entry(plan.metric.source.name.as_str())
                .or_insert_with(|| PublishedSource { frontier: frontier.clone(), metrics: BTreeMap::new() });
            if source.frontier != frontier {
                let (metric, other) = (plan.metric.name.clone(), source.frontier.clone());
                return Err(ServeError::Frontiers { metric, end: frontier, other });
            }
            if self.is_asked_by_key(plan) {
                parts.iter().for_each(|part| part.prepare(plan));
            }
            source.metrics.insert(plan.metric.name.clone(), PublishedMetric::new(parts));
        }
        let mut replaced = Arc::default();
        self.published.send_modify(|published| {
            let mut next = Published::clone(published);
            next.sources
                .extend(sources.into_iter().map(|(name, source)| (name.to_owned(), Arc::new(source))));
            replaced = std::mem::replace(published, Arc::new(next));
        });
        let before =
            std::mem::replace(&mut *self.retired.lock().unwrap_or_else(PoisonError::into_inner), replaced);
        drop(before);
        Ok(())
    }

    /// Whether somebody has asked for rows of single keys since the last time that something was published.
    fn is_asked_by_key(&self, plan: &MetricPlan) -> bool {
        let published = self.published.borrow();
        published.metric(plan).is_some_and(|metric| metric.parts.iter().any(IndexedSegment::is_indexed))
    }

    /// The frontier up to which a source is served; none if nothing of it was published.
    pub fn frontier(&self, source: &str) -> Option<Frontier> {
        self.published.borrow().sources.get(source).map(|source| source.frontier.clone())
    }

    /// What was published last of a source: its frontier, and the parts of each metric, by its name.
    pub fn published_of(&self, source: &str) -> Option<(Frontier, BTreeMap<String, Vec<IndexedSegment>>)> {
        let source = self.published.borrow().sources.get(source)?.clone();
        let metrics = source.metrics.iter().map(|(name, metric)| (name.clone(), metric.parts.clone()));
        Some((source.frontier.clone(), metrics.collect()))
    }

    /// The same metrics, with nothing published yet.
    #[must_use]
    pub fn detached(&self) -> Self {
        let published = watch::Sender::new(Arc::new(Published::default()));
        LocalServing { published, retired: Arc::default(), ..self.clone() }
    }

    /// The names of the sources that a metric is computed from; none if it is not served.
    pub fn sources_of(&self, metric: &str) -> BTreeSet<String> {
        let sources =
            self.metric(metric).map(|asked| asked.sources().into_iter().map(str::to_owned).collect());
        sources.unwrap_or_default()
    }

    /// The frontier at which a metric is served: those of its sources, one behind the other.
    pub fn frontier_of(&self, metric: &str) -> Vec<u64> {
        let published = self.published.borrow().clone();
        self.metric(metric).map(|asked| asked.frontier(&published)).unwrap_or_default()
    }

    /// Answers from what was published last, whatever frontier is asked for.
    ///
    /// # Errors
    /// [`ServingError`].
    pub fn table_now(&self, request: &ReadRequest) -> Result<ServedTable, ServingError> {
        let published = self.published.borrow().clone();
        self.table_of(request, &published)
    }

    /// How many groups an answer may have to be made of; 0 where those of its keys are found by themselves.
    pub fn n_rows(&self, request: &ReadRequest) -> usize {
        let Ok(asked) = self.asked(request) else { return 0 };
        match asked.wanted_keys(request) {
            Ok(None) => asked.n_rows(&self.published.borrow().clone()),
            // Until there is an index from keys to rows, whoever asks first makes it.
            Ok(Some(_)) if !asked.is_indexed(&self.published.borrow().clone()) => {
                asked.n_rows(&self.published.borrow().clone())
            }
            _ => 0,
        }
    }

    fn metric(&self, name: &str) -> Option<Asked<'_>> {
        let of_events = self.plans.get(name).map(Asked::OfEvents);
        of_events.or_else(|| self.derived.get(name).map(Asked::OfMetrics))
    }

    fn asked(&self, request: &ReadRequest) -> Result<Asked<'_>, ServingError> {
        let asked = self.metric(&request.metric);
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

    /// An answer of the frontier that is asked for, if that is published.
    fn table_at(&self, request: &ReadRequest, published: &Published) -> Result<ServedTable, ServingError> {
        let served = self.table_of(request, published)?;
        match &request.at {
            Some(at) if *at != served.frontier => Err(ServingError::Request(format!(
                "frontier {at:?} is not served any more: it is {:?} now, and there is no log here",
                served.frontier
            ))),
            _ => Ok(served),
        }
    }

    fn answer_at(&self, request: &ReadRequest, published: &Published) -> Result<Served, ServingError> {
        self.table_at(request, published)?.into_served()
    }

    fn table_of(&self, request: &ReadRequest, published: &Published) -> Result<ServedTable, ServingError> {
        let asked = self.asked(request)?;
        let reading = asked.narrowed(published, reading(asked.window(), request)?, request);
        let wanted = asked.wanted_keys(request)?;
        let presented = asked.presented(published, &reading, wanted.as_deref()).map_err(failed)?;
        let rows = match presented {
            Some(presented) => {
                let selected = select(&presented, request)?;
                presented.chosen(&selected).map_err(failed)?
            }
            None => Presented::empty(asked.row_type()),
        };
        let (metric, hash) = (request.metric.clone(), asked.hash());
        let receipt = request.receipt.then(|| asked.receipt(published));
        Ok(ServedTable { metric, hash, frontier: asked.frontier(published), rows, receipt })
    }

    /// Explains what was published last, whatever frontier is asked for.
    ///
    /// # Errors
    /// [`ServingError`].
    pub fn explain_now(&self, request: &ReadRequest) -> Result<Explained, ServingError> {
        self.explained(request, &self.published.borrow().clone())
    }

    fn explained(&self, request: &ReadRequest, published: &Published) -> Result<Explained, ServingError> {
        let answer = self.answer_at(request, published)?;
        let asked = self.asked(request)?;
        let reading = reading(asked.window(), request)?;
        let plans = asked.plans().iter();
        let of = plans.map(|plan| explained_metric(plan, published, &reading, request));
        Ok(Explained { answer, of: of.collect::<Result<_, _>>()? })
    }
}

fn failed(error: ServeError) -> ServingError {
    match error {
        ServeError::Reading { .. } => ServingError::Request(error.to_string()),
        error => ServingError::Failed(error.to_string()),
    }
}

/// What each part of the log says of a metric: the rows that the question would have if there were nothing else.
fn explained_metric(
    plan: &Arc<MetricPlan>,
    published: &Published,
    reading: &Reading,
    request: &ReadRequest,
) -> Result<ExplainedMetric, ServingError> {
    let metric = plan.metric.name.clone();
    let Some(of_metric) = published.metric(plan) else {
        return Ok(ExplainedMetric { metric, parts: Vec::new() });
    };
    // Of a metric that another one is made of, only the keys that it has itself are asked for.
    let mut own = ReadRequest { metric: metric.clone(), ..request.clone() };
    own.keys.retain(|name, _| plan.metric.keys.iter().any(|key| key.name == *name));
    let wanted = wanted_keys(&plan.metric.keys, &own)?;
    let stated = of_metric.stated(&plan.metric.source.name);
    let mut parts = Vec::with_capacity(stated.len());
    for (part, indexed) in stated.into_iter().zip(&of_metric.parts) {
        let presented = match &wanted {
            Some(wanted) => {
                read(plan, &indexed.of_keys(plan, wanted).map_err(ServeError::from).map_err(failed)?, reading)
            }
            None => read(plan, indexed.segment(), reading),
        };
        let presented = presented.map_err(failed)?;
        let selected = select(&presented, &own)?;
        let rows = json_rows(&presented.chosen(&selected).map_err(failed)?)?;
        parts.push(ExplainedPart { positions: indexed.segment().interval.n_positions(), part, rows });
    }
    Ok(ExplainedMetric { metric, parts })
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
        async move { self.answer_at(&request, &published) }.boxed()
    }

    fn read_many(&self, requests: Vec<ReadRequest>) -> BoxFuture<'_, Result<Vec<Served>, ServingError>> {
        let published = self.published.borrow().clone();
        async move { requests.iter().map(|request| self.answer_at(request, &published)).collect() }.boxed()
    }

    fn explain(&self, request: ReadRequest) -> BoxFuture<'_, Result<Explained, ServingError>> {
        let published = self.published.borrow().clone();
        async move { self.explained(&request, &published) }.boxed()
    }

    fn subscribe(&self, request: ReadRequest) -> BoxStream<'static, Result<Served, ServingError>> {
        struct State {
            serving: LocalServing,
            changes: watch::Receiver<Arc<Published>>,
            request: ReadRequest,
            /// The frontier of the last answer.
            shown: Option<Vec<u64>>,
            is_over: bool,
        }
        let mut changes = self.published.subscribe();
        // What is served now is the first item.
        changes.mark_changed();
        let state = State { serving: self.clone(), changes, request, shown: None, is_over: false };
        stream::unfold(state, |mut state| async move {
            loop {
                if state.is_over || state.changes.changed().await.is_err() {
                    return None;
                }
                let published = state.changes.borrow_and_update().clone();
                // Another source may have moved, or batch may have taken over what the tail had.
                let frontier =
                    state.serving.metric(&state.request.metric).map(|asked| asked.frontier(&published));
                if frontier.is_some() && frontier == state.shown {
                    continue;
                }
                state.shown = frontier;
                let answer = state.serving.table_of(&state.request, &published);
                let answer = answer.and_then(ServedTable::into_served);
                state.is_over = answer.is_err();
                return Some((answer, state));
            }
        })
        .boxed()
    }
}

impl ServingTables for LocalServing {
    fn table(&self, request: ReadRequest) -> BoxFuture<'_, Result<ServedTable, ServingError>> {
        let published = self.published.borrow().clone();
        async move { self.table_at(&request, &published) }.boxed()
    }
}
