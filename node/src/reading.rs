//! The reading side of a node: what is served now, and what was served at any frontier before.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use metricc_client::{ReadRequest, Served, ServedMetric, Serving, ServingError};
use metricc_compiler::MetricPlan;
use metricc_log::{Frontier, Interval};
use metricc_runtime_batch::{BatchOptions, evaluate};
use metricc_runtime_serve::{IndexedSegment, LocalServing};
use tokio::sync::Semaphore;

use crate::source::NodeSource;

/// What a node serves.
#[derive(Debug, Clone)]
pub struct NodeServing {
    local: LocalServing,
    sources: Vec<Arc<NodeSource>>,
    /// Answers about the past are computed from the log, one at a time.
    past: Arc<Semaphore>,
}

impl NodeServing {
    pub(crate) fn new(local: LocalServing, sources: Vec<Arc<NodeSource>>) -> Self {
        NodeServing { local, sources, past: Arc::new(Semaphore::new(1)) }
    }

    /// Says of an answer how far the log of each of its sources went when it was given.
    fn complete(&self, mut served: Served) -> Served {
        if let Some(receipt) = &mut served.receipt {
            let of_answer = self.local.sources_of(&served.metric);
            let sources = self.sources.iter().filter(|source| of_answer.contains(source.name()));
            receipt.ends = sources.map(|source| (source.name().to_owned(), source.end().0)).collect();
        }
        served
    }

    /// Answers from the log at a frontier of the past.
    fn read_past(&self, request: &ReadRequest, at: &[u64]) -> Result<Served, ServingError> {
        let names = self.local.sources_of(&request.metric);
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
        if !rest.is_empty() {
            return Err(wrong_length(at));
        }
        past.answer_now(request)
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
    let options = BatchOptions { workers: 1, ..BatchOptions::default() };
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
        let is_now = request.at.as_ref().is_none_or(|at| self.local.frontier_of(&request.metric) == *at);
        if is_now {
            return async move { Ok(self.complete(self.local.read(request).await?)) }.boxed();
        }
        let (own, past) = (self.clone(), self.past.clone());
        async move {
            let permit =
                past.acquire_owned().await.map_err(|error| ServingError::Failed(error.to_string()))?;
            let answered = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                let at = request.at.clone().unwrap_or_default();
                own.read_past(&request, &at).map(|served| own.complete(served))
            });
            answered.await.map_err(|error| ServingError::Failed(error.to_string()))?
        }
        .boxed()
    }

    fn read_many(&self, requests: Vec<ReadRequest>) -> BoxFuture<'_, Result<Vec<Served>, ServingError>> {
        if requests.iter().all(|request| request.at.is_none()) {
            return async move {
                let served = self.local.read_many(requests).await?;
                Ok(served.into_iter().map(|served| self.complete(served)).collect())
            }
            .boxed();
        }
        async move {
            let mut all = Vec::with_capacity(requests.len());
            for request in requests {
                all.push(self.read(request).await?);
            }
            Ok(all)
        }
        .boxed()
    }

    fn subscribe(&self, request: ReadRequest) -> BoxStream<'static, Result<Served, ServingError>> {
        self.local.subscribe(request)
    }
}
