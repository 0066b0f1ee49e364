//! The reading side of a node: what is served now, and what was served at any frontier before.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use metricc_client::{
    Explained, Layer, ReadReceipt, ReadRequest, Served, ServedMetric, ServedPart, Serving, ServingError,
};
use metricc_compiler::{EngineOptions, MetricPlan};
use metricc_log::{Frontier, Interval};
use metricc_runtime_batch::evaluate;
use metricc_runtime_serve::{IndexedSegment, LocalServing, ServedTable, ServingTables};
use tokio::sync::{Semaphore, watch};

use crate::source::NodeSource;

/// Groups from which on an answer takes so long that it does not stand in the way of others.
const MANY_ROWS: usize = 20_000;

/// What a node serves.
#[derive(Debug, Clone)]
pub struct NodeServing {
    local: LocalServing,
    sources: Vec<Arc<NodeSource>>,
    /// Answers about the past are computed from the log, one at a time.
    past: Arc<Semaphore>,
    /// Whether the node goes down: then who listens is told nothing more.
    over: watch::Sender<bool>,
}

impl NodeServing {
    pub(crate) fn new(local: LocalServing, sources: Vec<Arc<NodeSource>>) -> Self {
        NodeServing { local, sources, past: Arc::new(Semaphore::new(1)), over: watch::Sender::new(false) }
    }

    /// Ends all answers that go on.
    pub fn close(&self) {
        self.over.send_replace(true);
    }

    /// Says in the receipt of an answer who has computed its parts, and how far the log of each of its sources went when
    /// it was given. `last` is the layer behind the view.
    fn complete(&self, metric: &str, receipt: Option<&mut ReadReceipt>, last: Layer) {
        let Some(receipt) = receipt else { return };
        let of_answer = self.local.sources_of(metric);
        let sources = self.sources.iter().filter(|source| of_answer.contains(source.name()));
        receipt.ends = sources.map(|source| (source.name().to_owned(), source.end().0)).collect();
        for source in &of_answer {
            name_layers(receipt.parts.iter_mut().filter(|part| part.source == *source), last);
        }
    }

    fn complete_explained(&self, explained: &mut Explained, last: Layer) {
        self.complete(&explained.answer.metric, explained.answer.receipt.as_mut(), last);
        for metric in &mut explained.of {
            name_layers(metric.parts.iter_mut().map(|part| &mut part.part), last);
        }
    }

    /// Whether all sources of a metric are served: those of a node that has just started are not.
    fn check_ready(&self, metric: &str) -> Result<(), ServingError> {
        match self.local.sources_of(metric).into_iter().find(|origin| self.local.frontier(origin).is_none()) {
            Some(origin) => Err(ServingError::NotReady { origin }),
            None => Ok(()),
        }
    }

    /// The same metrics as they were at a frontier: view, if it ends before, and what follows it in the log.
    fn past(&self, metric: &str, at: &[u64]) -> Result<LocalServing, ServingError> {
        let names = self.local.sources_of(metric);
        let sources: Vec<&Arc<NodeSource>> =
            self.sources.iter().filter(|source| names.contains(source.name())).collect();
        let past = self.local.detached();
        let mut rest = at;
        for source in by_name(sources).into_values() {
            let n_partitions = source.end().0.len();
            let Some((own, others)) = rest.split_at_checked(n_partitions) else {
                return Err(wrong_length(at));
            };
            rest = others;
            let segments = segments_at(source, &Frontier(own.to_vec()))?;
            past.publish(&segments).map_err(|error| ServingError::Failed(error.to_string()))?;
        }
        if rest.is_empty() { Ok(past) } else { Err(wrong_length(at)) }
    }

    /// Whether it looks as if the frontier of now were asked for; it may have moved on by the time of the answer.
    fn is_now(&self, request: &ReadRequest) -> bool {
        is_at(request, &self.local.frontier_of(&request.metric))
    }

    /// The rows of now. Where they are many, others are answered meanwhile.
    async fn table_now(&self, request: ReadRequest) -> Result<ServedTable, ServingError> {
        if self.local.n_rows(&request) < MANY_ROWS {
            return self.local.table_now(&request);
        }
        let local = self.local.clone();
        let answered = tokio::task::spawn_blocking(move || local.table_now(&request)).await;
        answered.map_err(|error| ServingError::Failed(error.to_string()))?
    }

    /// Does something at a frontier of the past, when it is its turn.
    async fn at_past<T: Send + 'static>(
        &self,
        request: ReadRequest,
        answer: impl FnOnce(&Self, &LocalServing, &ReadRequest) -> Result<T, ServingError> + Send + 'static,
    ) -> Result<T, ServingError> {
        let failed = |error: &dyn std::error::Error| ServingError::Failed(error.to_string());
        let permit = self.past.clone().acquire_owned().await.map_err(|error| failed(&error))?;
        let own = self.clone();
        let answered = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let at = request.at.clone().unwrap_or_default();
            let past = own.past(&request.metric, &at)?;
            answer(&own, &past, &request)
        });
        answered.await.map_err(|error| failed(&error))?
    }
}

fn is_at(request: &ReadRequest, frontier: &[u64]) -> bool {
    request.at.as_ref().is_none_or(|at| at == frontier)
}

/// Of the parts of a source, in order, the last one is of the layer behind the view, the others are the view.
fn name_layers<'a>(parts: impl Iterator<Item = &'a mut ServedPart>, last: Layer) {
    let mut parts: Vec<&mut ServedPart> = parts.collect();
    parts.iter_mut().for_each(|part| part.layer = Some(Layer::Batch));
    if let Some(part) = parts.last_mut() {
        part.layer = Some(last);
    }
}

fn by_name(sources: Vec<&Arc<NodeSource>>) -> BTreeMap<&str, &Arc<NodeSource>> {
    sources.into_iter().map(|source| (source.name(), source)).collect()
}

fn wrong_length(at: &[u64]) -> ServingError {
    ServingError::Request(format!(
        "`at` has {} offsets: it takes one for each partition of the metric's sources",
        at.len()
    ))
}

/// View, if it ends before the frontier, and what follows it up to there.
fn segments_at<'a>(
    source: &'a NodeSource,
    at: &Frontier,
) -> Result<Vec<(&'a MetricPlan, Vec<IndexedSegment>)>, ServingError> {
    let end = source.end();
    if at.0.iter().zip(&end.0).any(|(offset, end)| offset > end) {
        let problem = format!("`at` is {at}, and the log of source `{}` ends at {end}", source.name());
        return Err(ServingError::Request(problem));
    }
    let failed = |error: &dyn std::error::Error| ServingError::Failed(error.to_string());
    let view = source.view();
    let view = view.filter(|view| view.frontier.0.iter().zip(&at.0).all(|(offset, at)| offset <= at));
    let from = view.as_ref().map_or_else(|| Frontier(vec![0; at.0.len()]), |view| view.frontier.clone());
    let log = source.log_from(&from).map_err(|error| failed(&error))?;
    let interval = Interval::new(from, at.clone()).map_err(|error| failed(&error))?;
    let options = EngineOptions { workers: 1, ..EngineOptions::default() };
    let fresh = evaluate(&source.plan, &log, &interval, &options, &|_| ()).map_err(|error| failed(&error))?;
    let parts = |(place, fresh): (usize, _)| {
        let known = view.as_ref().and_then(|view| view.segments.get(place)).cloned();
        known.into_iter().chain([IndexedSegment::from(fresh)]).collect()
    };
    let parts = fresh.segments.into_iter().enumerate().map(parts);
    Ok(source.plan.metrics.iter().map(|metric| &**metric).zip(parts).collect())
}

impl Serving for NodeServing {
    fn metrics(&self) -> BoxFuture<'_, Result<Vec<ServedMetric>, ServingError>> {
        self.local.metrics()
    }

    fn read(&self, request: ReadRequest) -> BoxFuture<'_, Result<Served, ServingError>> {
        async move { self.table(request).await?.into_served() }.boxed()
    }

    fn read_many(&self, requests: Vec<ReadRequest>) -> BoxFuture<'_, Result<Vec<Served>, ServingError>> {
        async move {
            if requests.iter().all(|request| request.at.is_none()) {
                requests.iter().try_for_each(|request| self.check_ready(&request.metric))?;
                let n_rows: usize = requests.iter().map(|request| self.local.n_rows(request)).sum();
                let local = self.local.clone();
                let mut served = if n_rows < MANY_ROWS {
                    local.read_many(requests).await?
                } else {
                    let read = move || futures::executor::block_on(local.read_many(requests));
                    let answered = tokio::task::spawn_blocking(read).await;
                    answered.map_err(|error| ServingError::Failed(error.to_string()))??
                };
                for served in &mut served {
                    self.complete(&served.metric, served.receipt.as_mut(), Layer::Tail);
                }
                return Ok(served);
            }
            let mut all = Vec::with_capacity(requests.len());
            for request in requests {
                all.push(self.read(request).await?);
            }
            Ok(all)
        }
        .boxed()
    }

    fn explain(&self, request: ReadRequest) -> BoxFuture<'_, Result<Explained, ServingError>> {
        async move {
            self.check_ready(&request.metric)?;
            if self.is_now(&request) {
                let (local, asked) = (self.local.clone(), ReadRequest { at: None, ..request.clone() });
                let explained = tokio::task::spawn_blocking(move || local.explain_now(&asked)).await;
                let mut explained = explained.map_err(|error| ServingError::Failed(error.to_string()))??;
                if is_at(&request, &explained.answer.frontier) {
                    self.complete_explained(&mut explained, Layer::Tail);
                    return Ok(explained);
                }
            }
            let explain = |own: &Self, past: &LocalServing, request: &ReadRequest| {
                let mut explained = past.explain_now(request)?;
                own.complete_explained(&mut explained, Layer::Log);
                Ok(explained)
            };
            self.at_past(request, explain).await
        }
        .boxed()
    }

    fn subscribe(&self, request: ReadRequest) -> BoxStream<'static, Result<Served, ServingError>> {
        let refused = match &request.at {
            Some(_) => Err(ServingError::Request(
                "`at` is one frontier: what is live has none to stay at".to_owned(),
            )),
            None => self.check_ready(&request.metric),
        };
        if let Err(error) = refused {
            return futures::stream::once(async { Err(error) }).boxed();
        }
        let over = self.over.subscribe();
        let is_over = async move {
            let mut over = over;
            // Also when nobody is left who could say so.
            let _ = over.wait_for(|is_over| *is_over).await;
        };
        self.local.subscribe(request).take_until(is_over).boxed()
    }
}

impl ServingTables for NodeServing {
    fn table(&self, request: ReadRequest) -> BoxFuture<'_, Result<ServedTable, ServingError>> {
        async move {
            self.check_ready(&request.metric)?;
            if self.is_now(&request) {
                let mut table = self.table_now(ReadRequest { at: None, ..request.clone() }).await?;
                if is_at(&request, &table.frontier) {
                    self.complete(&table.metric, table.receipt.as_mut(), Layer::Tail);
                    return Ok(table);
                }
            }
            let read = |own: &Self, past: &LocalServing, request: &ReadRequest| {
                let mut table = past.table_now(request)?;
                own.complete(&table.metric, table.receipt.as_mut(), Layer::Log);
                Ok(table)
            };
            self.at_past(request, read).await
        }
        .boxed()
    }
}
