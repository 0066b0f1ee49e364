//! A serving layer in this process: segments are published, readers get rows of one frontier.
//!
//! What was published last of a source is one value that is replaced as a whole, so no reader sees a mixture of two
//! frontiers. It merges with [`merge`] and presents with [`read`] and nothing else: each metric when it is first read, once
//! for all readers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use metricc_client::{ReadReceipt, ReadRequest, Served, ServedMetric, ServedPart, Serving, ServingError};
use metricc_compiler::{DerivedPlan, MetricPlan, Segment};
use metricc_dsl::grain;
use metricc_dsl::ir::Window;
use metricc_log::{Frontier, Interval};
use serde_json::value::RawValue;
use tokio::sync::watch;

use crate::json::json_lines_of;
use crate::select::{select, wanted_keys};
use crate::{IndexedSegment, Presented, Reading, ServeError, derive, merge, read};

/// Metrics that are served in this process.
#[derive(Debug, Clone)]
pub struct LocalServing {
    plans: Arc<BTreeMap<String, Arc<MetricPlan>>>,
    derived: Arc<BTreeMap<String, Arc<DerivedPlan>>>,
    published: watch::Sender<Arc<Published>>,
}

/// What readers see: of each source what was published last.
#[derive(Debug, Clone, Default)]
struct Published {
    sources: BTreeMap<String, Arc<PublishedSource>>,
}

/// For each metric of a source the segments up to one frontier.
#[derive(Debug)]
struct PublishedSource {
    frontier: Frontier,
    metrics: BTreeMap<String, PublishedMetric>,
}

#[derive(Debug)]
struct PublishedMetric {
    /// They cover the log from its start to the frontier, in order.
    parts: Vec<IndexedSegment>,
    /// ⊕ of the parts, from the first read on.
    merged: OnceLock<Segment>,
}

impl PublishedMetric {
    fn merged(&self, plan: &MetricPlan) -> Result<&Segment, ServeError> {
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

    fn stated(&self, source: &str) -> Vec<ServedPart> {
        let parts = self.parts.iter().map(|part| &part.segment().interval);
        let part = |interval: &Interval| ServedPart {
            source: source.to_owned(),
            from: interval.from().0.clone(),
            to: interval.to().0.clone(),
        };
        parts.map(part).collect()
    }

    /// ⊕ of the rows of one combination of keys.
    fn of_keys(&self, plan: &MetricPlan, wanted: &[Option<Vec<u8>>]) -> Result<Segment, ServeError> {
        let parts = self.parts.iter().map(|part| part.of_keys(plan, wanted));
        merge(plan, &parts.collect::<Result<Vec<_>, _>>()?)
    }
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
            let metric = PublishedMetric { parts, merged: OnceLock::new() };
            source.metrics.insert(plan.metric.name.clone(), metric);
        }
        self.published.send_modify(|published| {
            let mut next = Published::clone(published);
            next.sources
                .extend(sources.into_iter().map(|(name, source)| (name.to_owned(), Arc::new(source))));
            *published = Arc::new(next);
        });
        Ok(())
    }

    /// Whether somebody has asked for rows of single keys since the last time that something was published.
    fn is_asked_by_key(&self, plan: &MetricPlan) -> bool {
        let published = self.published.borrow();
        let source = published.sources.get(&plan.metric.source.name);
        let metric = source.and_then(|source| source.metrics.get(&plan.metric.name));
        metric.is_some_and(|metric| metric.parts.iter().any(IndexedSegment::is_indexed))
    }

    /// The frontier up to which a source is served; none if nothing of it was published.
    pub fn frontier(&self, source: &str) -> Option<Frontier> {
        self.published.borrow().sources.get(source).map(|source| source.frontier.clone())
    }

    /// The same metrics, with nothing published yet.
    #[must_use]
    pub fn detached(&self) -> Self {
        LocalServing { published: watch::Sender::new(Arc::new(Published::default())), ..self.clone() }
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
    pub fn answer_now(&self, request: &ReadRequest) -> Result<Served, ServingError> {
        let published = self.published.borrow().clone();
        self.answer(request, &published)
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
    fn answer_at(&self, request: &ReadRequest, published: &Published) -> Result<Served, ServingError> {
        let served = self.answer(request, published)?;
        match &request.at {
            Some(at) if *at != served.frontier => Err(ServingError::Request(format!(
                "frontier {at:?} is not served any more: it is {:?} now, and there is no log here",
                served.frontier
            ))),
            _ => Ok(served),
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
        let wanted = asked.wanted_keys(request)?;
        if let Some(presented) = asked.presented(published, &reading, wanted.as_deref()).map_err(failed)? {
            let selected = select(&presented, request)?;
            let raw = json_lines_of(&presented, selected).map(RawValue::from_string);
            rows = raw.collect::<Result<_, _>>().map_err(|error| ServingError::Failed(error.to_string()))?;
        }
        let (metric, hash) = (request.metric.clone(), asked.hash());
        let receipt = request.receipt.then(|| asked.receipt(published));
        Ok(Served { metric, hash, frontier: asked.frontier(published), rows, receipt })
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

    /// The keys that are asked for, where they are all that a metric over events has.
    fn wanted_keys(&self, request: &ReadRequest) -> Result<Option<Vec<Option<Vec<u8>>>>, ServingError> {
        match self {
            Asked::OfEvents(plan) => wanted_keys(&plan.metric.keys, request),
            Asked::OfMetrics(_) => Ok(None),
        }
    }

    /// The sources of its events, in the order of their names.
    fn sources(&self) -> BTreeSet<&str> {
        match self {
            Asked::OfEvents(plan) => BTreeSet::from([plan.metric.source.name.as_str()]),
            Asked::OfMetrics(plan) => {
                plan.operands.iter().map(|operand| operand.metric.source.name.as_str()).collect()
            }
        }
    }

    /// The frontiers of its sources, one behind the other.
    fn frontier(&self, published: &Published) -> Vec<u64> {
        let sources = self.sources().into_iter().filter_map(|name| published.sources.get(name));
        sources.flat_map(|source| source.frontier.0.iter().copied()).collect()
    }

    /// What is merged for it.
    fn receipt(&self, published: &Published) -> ReadReceipt {
        let plans: Vec<&Arc<MetricPlan>> = match self {
            Asked::OfEvents(plan) => vec![plan],
            Asked::OfMetrics(plan) => plan.operands.iter().collect(),
        };
        let mut parts: BTreeMap<&str, Vec<ServedPart>> = BTreeMap::new();
        for plan in plans {
            let name = plan.metric.source.name.as_str();
            let source = published.sources.get(name);
            let of_metric = source.and_then(|source| source.metrics.get(&plan.metric.name));
            // All metrics of a source are published with the same parts.
            parts
                .entry(name)
                .or_insert_with(|| of_metric.map(|metric| metric.stated(name)).unwrap_or_default());
        }
        ReadReceipt { parts: parts.into_values().flatten().collect(), ends: BTreeMap::new() }
    }

    /// Its rows; none if something that it is made of was not published.
    fn presented(
        &self,
        published: &Published,
        reading: &Reading,
        wanted: Option<&[Option<Vec<u8>>]>,
    ) -> Result<Option<Presented>, ServeError> {
        let segment = |plan: &MetricPlan| {
            let source = published.sources.get(&plan.metric.source.name);
            source.and_then(|source| source.metrics.get(&plan.metric.name))
        };
        match (self, wanted) {
            (Asked::OfEvents(plan), Some(wanted)) => {
                let segment = segment(plan).map(|metric| metric.of_keys(plan, wanted)).transpose()?;
                segment.map(|segment| read(plan, &segment, reading)).transpose()
            }
            (Asked::OfEvents(plan), None) => {
                let segment = segment(plan).map(|metric| metric.merged(plan)).transpose()?;
                segment.map(|segment| read(plan, segment, reading)).transpose()
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
fn end_of(plan: &MetricPlan, parts: &[IndexedSegment]) -> Result<Frontier, ServeError> {
    let missing = || ServeError::NoSegment { metric: plan.metric.name.clone() };
    let mut end = Frontier(vec![0; parts.first().ok_or_else(missing)?.segment().interval.from().0.len()]);
    for part in parts {
        end = plan.follows(&end, part.segment())?;
    }
    Ok(end)
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
        async move { self.answer_at(&request, &published) }.boxed()
    }

    fn read_many(&self, requests: Vec<ReadRequest>) -> BoxFuture<'_, Result<Vec<Served>, ServingError>> {
        let published = self.published.borrow().clone();
        async move { requests.iter().map(|request| self.answer_at(request, &published)).collect() }.boxed()
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
