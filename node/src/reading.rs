//! The reading side of a node: answers at the newest frontier, and at any frontier before it.
//!
//! A request is resolved once, and answered from one published version: the newest one, which is held until
//! the answer is complete, or one of the past, which is computed from the log. Both give their answers by the
//! same code.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use metricc_client::{
    Explained, Layer, ReadRequest, Served, ServedMetric, Serving, ServingError, until_error,
};
use metricc_compiler::{EngineOptions, MetricPlan};
use metricc_log::Frontier;
use metricc_runtime_serve::{
    Access, FEW_ROWS, IndexedSegment, LocalServing, OpenAnswer, Presented, Published, Query, ServedTable,
    ServingTables, Turns, Versions, explained, served, whole,
};
use tokio::sync::watch;

use crate::answer_limits::Answering;
use crate::asking::RangeVersions;
use crate::config::PastConfig;
use crate::past_answer_turns::{Cancelled, PastQueue};
use crate::source::NodeSource;
use crate::sources::Sources;
use crate::states_of_log::{StatesError, start_of, states_unless};

/// How long a request waits for the frontier that it wants to be covered. Clients wait longer for an answer.
const COVER_WITHIN: Duration = Duration::from_secs(20);

/// What a node serves.
#[derive(Debug, Clone)]
pub struct NodeServing {
    local: LocalServing,
    sources: Sources,
    answering: Answering,
    /// The turns of versions of the past.
    past: PastQueue,
    /// What questions have computed of ranges.
    ranges: RangeVersions,
    /// Whether the node is shutting down: subscriptions end then.
    is_closed: watch::Sender<bool>,
}

impl NodeServing {
    pub(crate) fn new(
        local: LocalServing,
        sources: Sources,
        answering: Answering,
        past: &PastConfig,
    ) -> Self {
        let past = PastQueue::new(past.at_a_time, past.waiting, "answers at earlier frontiers");
        let (ranges, is_closed) = (RangeVersions::default(), watch::Sender::new(false));
        NodeServing { local, sources, answering, past, ranges, is_closed }
    }

    /// The same node, as a reader sees it: metrics that it may not read are not there, and rows that it may
    /// not read are in no answer.
    #[must_use]
    pub fn with_access(&self, access: Access) -> Self {
        NodeServing { local: self.local.with_access(access), ..self.clone() }
    }

    /// What answers may take.
    pub(crate) fn answering(&self) -> &Answering {
        &self.answering
    }

    /// What questions have computed of ranges.
    pub(crate) fn ranges(&self) -> &RangeVersions {
        &self.ranges
    }

    /// Ends all subscriptions.
    pub fn close(&self) {
        self.is_closed.send_replace(true);
    }

    /// The newest version, once it covers what all queries want to see.
    pub(crate) async fn covering(&self, queries: &[Arc<Query>]) -> Result<Arc<Published>, ServingError> {
        let is_behind = |published: &Arc<Published>| {
            queries
                .iter()
                .any(|query| matches!(query.check_covered(published), Err(ServingError::Behind { .. })))
        };
        let mut newest = self.local.published();
        if is_behind(&newest) {
            self.wait_until(|published| !is_behind(published)).await;
            newest = self.local.published();
        }
        queries.iter().try_for_each(|query| query.check_covered(&newest))?;
        Ok(newest)
    }

    /// Waits until the answers of a source cover a frontier; returns theirs.
    pub(crate) async fn served_from(&self, source: &str, wanted: &[u64]) -> Option<Frontier> {
        let covers = |frontier: Option<&Frontier>| {
            frontier
                .is_some_and(|served| served.0.iter().zip(wanted).all(|(served, wanted)| served >= wanted))
        };
        self.wait_until(|published| covers(published.frontier(source))).await;
        // The caller compares what is served with what it wants.
        self.local.frontier(source)
    }

    /// Waits for a version, for a time, and not beyond the node's shutdown.
    async fn wait_until(&self, is_wanted: impl FnMut(&Arc<Published>) -> bool) {
        let mut is_closed = self.is_closed.subscribe();
        tokio::select! {
            _ = self.local.published_when(is_wanted) => {}
            () = tokio::time::sleep(COVER_WITHIN) => {}
            _ = is_closed.wait_for(|is_closed| *is_closed) => {}
        }
    }

    /// Ready when the node shuts down.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut is_closed = self.is_closed.subscribe();
        async move {
            // An error means that the node is gone.
            let _ = is_closed.wait_for(|is_closed| *is_closed).await;
        }
    }

    /// The sources of a query, in their order.
    pub(crate) fn sources_of(&self, query: &Query) -> Vec<Arc<NodeSource>> {
        query.sources().iter().filter_map(|name| self.sources.find(name)).collect()
    }

    /// The version of the query's frontier.
    async fn version(
        &self,
        query: &Arc<Query>,
        newest: &Arc<Published>,
    ) -> Result<Arc<Published>, ServingError> {
        check_served(query, newest)?;
        if query.is_at(newest) && query.has_states(newest) {
            return Ok(newest.clone());
        }
        // At a frontier that the request names, the log has the answer.
        if query.at().is_none() {
            return Err(ServingError::Backfilling { metric: query.metric().to_owned() });
        }
        if let Some(kept) = self.answering.kept().find(query) {
            return Ok(kept);
        }
        if let Some(frontier) = query.cursor_frontier().filter(|_| !query.names_frontier()) {
            return Err(ServingError::CursorGone { frontier: frontier.to_vec() });
        }
        let (turn, cancelled) = (self.past.turn().await?, Cancelled::default());
        let (own, query, is_cancelled) = (self.clone(), query.clone(), cancelled.flag());
        let from_log = move || {
            let _turn = turn;
            own.past(&query, &is_cancelled).map(Arc::new)
        };
        blocking(from_log).await
    }

    async fn open_answer(
        &self,
        query: &Arc<Query>,
        newest: &Arc<Published>,
    ) -> Result<OpenAnswer, ServingError> {
        let version = self.version(query, newest).await?;
        self.open_from(query, &version).await
    }

    /// The answer from a version.
    pub(crate) async fn open_from(
        &self,
        query: &Arc<Query>,
        version: &Arc<Published>,
    ) -> Result<OpenAnswer, ServingError> {
        let mut answer = self.answering.open(query, version).await?;
        self.complete(query, &mut answer);
        Ok(answer)
    }

    async fn table_of(
        &self,
        query: &Arc<Query>,
        newest: &Arc<Published>,
    ) -> Result<ServedTable, ServingError> {
        let answer = self.open_answer(query, newest).await?;
        match answer.rows.n_left() <= FEW_ROWS {
            true => whole(answer),
            false => self.turns().take(move || whole(answer)).await?,
        }
    }

    /// The newest version that covers what these requests want to see, and the requests, resolved.
    async fn resolved(
        &self,
        requests: Vec<ReadRequest>,
    ) -> Result<(Vec<Arc<Query>>, Arc<Published>), ServingError> {
        requests.iter().try_for_each(|request| self.check_epoch(request))?;
        let queries = self.local.queries(requests)?;
        let queries: Vec<Arc<Query>> = queries.into_iter().map(Arc::new).collect();
        let newest = self.covering(&queries).await?;
        Ok((queries, newest))
    }

    /// Adds the epoch, and the ends of the logs to a receipt.
    fn complete<R>(&self, query: &Query, answer: &mut Served<R>) {
        answer.epoch = self.epoch();
        if let Some(receipt) = &mut answer.receipt {
            let end = |source: &Arc<NodeSource>| (source.name().to_owned(), source.end().0);
            receipt.ends = self.sources_of(query).iter().map(end).collect();
        }
    }

    /// The epoch of the log; all sources are in one.
    pub fn epoch(&self) -> Option<String> {
        self.sources.now().first().map(|source| source.log.snapshot().epoch_of_positions())
    }

    /// Resolves a request for the newest rows.
    #[cfg(feature = "sinks")]
    pub(crate) fn query(&self, request: ReadRequest) -> Result<Query, ServingError> {
        self.local.query(request)
    }

    /// The names of the metrics of the version that is live.
    #[cfg(feature = "sinks")]
    pub(crate) fn metric_names(&self) -> Vec<String> {
        self.local.metric_names()
    }

    /// Whether an epoch is one of this log, now or before a loss of events.
    #[cfg(feature = "sinks")]
    pub(crate) fn is_of_log(&self, epoch: &str) -> bool {
        self.sources.now().iter().any(|source| {
            let log = source.log.snapshot();
            format!("{:032x}", log.id()) == epoch
                || log.epochs(source.name()).iter().any(|(known, _)| known == epoch)
        })
    }

    /// Rejects a request whose positions are of another epoch.
    pub(crate) fn check_epoch(&self, request: &ReadRequest) -> Result<(), ServingError> {
        match (&request.epoch, self.epoch()) {
            (Some(wanted), Some(epoch)) if *wanted != epoch => {
                Err(ServingError::OtherEpoch { epoch, wanted: wanted.clone() })
            }
            _ => Ok(()),
        }
    }

    /// The version of the frontier that a query asks for: the view, if it ends before, and what follows it in
    /// the log.
    fn past(&self, query: &Query, is_cancelled: &Arc<AtomicBool>) -> Result<Published, ServingError> {
        let mut past = Published::default();
        for (source, at) in self.frontiers_of(query, query.at().unwrap_or_default())? {
            past.extend(published_at(&source, query, &at, is_cancelled)?);
        }
        Ok(past)
    }

    /// The sources of a query, each with its part of a frontier that a request has named.
    pub(crate) fn frontiers_of(
        &self,
        query: &Query,
        at: &[u64],
    ) -> Result<Vec<(Arc<NodeSource>, Frontier)>, ServingError> {
        let n_partitions = |source: &Arc<NodeSource>| source.end().0.len();
        let sources = self.sources_of(query);
        if sources.iter().map(n_partitions).sum::<usize>() != at.len() {
            let problem = "offsets: it takes one for each partition of the metric's sources";
            return Err(ServingError::Request(format!("`at` has {} {problem}", at.len())));
        }
        let mut rest = at;
        let part = |source: Arc<NodeSource>| {
            let (of_source, others) = rest.split_at(n_partitions(&source));
            rest = others;
            (source, Frontier(of_source.to_vec()))
        };
        Ok(sources.into_iter().map(part).collect())
    }
}

pub(crate) fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> ServingError {
    ServingError::Failed(error.into())
}

/// Runs long work beside the answers of others.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ServingError> + Send + 'static,
) -> Result<T, ServingError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(failed)?
}

/// The metrics of a query over a source at a frontier: the last version of the view that ends before and has
/// them, and the states of the log from there on.
fn published_at(
    source: &NodeSource,
    query: &Query,
    at: &Frontier,
    is_cancelled: &Arc<AtomicBool>,
) -> Result<Published, ServingError> {
    check_readable(source, at)?;
    let of_source = query.plans().iter().filter(|plan| plan.metric.source.name == source.name());
    let plan = source.plan_of(&of_source.cloned().collect::<Vec<_>>()).map_err(failed)?;
    let view = source.view_before(&plan, at);
    let from = view.as_ref().map_or_else(|| start_of(at), |view| view.frontier.clone());
    let options = EngineOptions { workers: 1, ..EngineOptions::default() };
    let from_log = states_unless(is_cancelled, source, &plan, (&from, at), &options, &|_| ());
    if from_log.as_ref().is_err_and(StatesError::is_cancelled) {
        source.counters.past_given_up(source.name());
    }
    let from_log = from_log.map_err(failed)?;
    let parts = |(metric, from_log): (&Arc<MetricPlan>, _)| {
        let in_view = view.as_ref().and_then(|view| view.segment_of(metric)).cloned();
        let in_view = in_view.map(|segment| segment.with_layer(Layer::Batch));
        in_view.into_iter().chain([IndexedSegment::from(from_log).with_layer(Layer::Log)]).collect()
    };
    let parts = plan.metrics.iter().zip(from_log).map(parts);
    let segments: Vec<(&MetricPlan, Vec<IndexedSegment>)> =
        plan.metrics.iter().map(|metric| &**metric).zip(parts).collect();
    Published::new(&segments).map_err(failed)
}

/// The sources of a node that has just started are not served yet.
pub(crate) fn check_served(query: &Query, newest: &Published) -> Result<(), ServingError> {
    match query.sources().iter().find(|source| newest.frontier(source).is_none()) {
        Some(origin) => Err(ServingError::NotReady { origin: origin.clone() }),
        None => Ok(()),
    }
}

/// Checks that the log has a frontier, between two requests. Blocks the calling thread.
pub(crate) fn check_readable(source: &NodeSource, at: &Frontier) -> Result<(), ServingError> {
    let end = source.end();
    if at.0.iter().zip(&end.0).any(|(offset, end)| offset > end) {
        let problem = format!("`at` is {at}, and the log of source `{}` ends at {end}", source.name());
        return Err(ServingError::Request(problem));
    }
    between_requests(source, at)
}

/// There are answers only between two requests: each is in one as a whole, or not at all.
fn between_requests(source: &NodeSource, at: &Frontier) -> Result<(), ServingError> {
    let (before, after) = source.log.snapshot().ends_around(source.name(), at).map_err(failed)?;
    if before == *at {
        return Ok(());
    }
    let name = source.name();
    let problem =
        format!("in the middle of a request of source `{name}`: its events are in an answer all together");
    let nearest = format!("the nearest frontiers are {before} before it and {after} after it");
    Err(ServingError::Request(format!("`at` is {at}, {problem}; {nearest}")))
}

impl Serving for NodeServing {
    fn metrics(&self) -> BoxFuture<'_, Result<Vec<ServedMetric>, ServingError>> {
        let metrics = self.local.metrics();
        let version = self.local.live_version();
        // Costs are those of all rows.
        let sees_all = *self.local.access() == Access::Everything;
        let cost = move |name: &str| {
            if !sees_all {
                return None;
            }
            let plan = version.base.iter().find(|plan| plan.metric.name == name)?;
            self.sources.find(&plan.metric.source.name)?.cost_of(plan)
        };
        async move {
            let mut metrics = metrics.await?;
            metrics.iter_mut().for_each(|metric| metric.cost = cost(&metric.name));
            Ok(metrics)
        }
        .boxed()
    }

    fn read(&self, request: ReadRequest) -> BoxFuture<'_, Result<Served, ServingError>> {
        self.table(request).map(|table| served(table?)).boxed()
    }

    fn read_many(&self, requests: Vec<ReadRequest>) -> BoxFuture<'_, Result<Vec<Served>, ServingError>> {
        self.tables(requests).map(|tables| tables?.into_iter().map(served).collect()).boxed()
    }

    fn explain(&self, request: ReadRequest) -> BoxFuture<'_, Result<Explained, ServingError>> {
        self.explain_table(request).map(|answer| explained(answer?)).boxed()
    }

    fn subscribe(&self, request: ReadRequest) -> BoxStream<'static, Result<Served, ServingError>> {
        self.subscribe_table(request).map(|table| served(table?)).boxed()
    }
}

impl ServingTables for NodeServing {
    fn check_columns(&self, request: &ReadRequest) -> Result<(), ServingError> {
        self.local.check_columns(request)
    }

    fn tables(&self, requests: Vec<ReadRequest>) -> BoxFuture<'_, Result<Vec<ServedTable>, ServingError>> {
        async move {
            let (queries, newest) = self.resolved(requests).await?;
            let mut tables = Vec::with_capacity(queries.len());
            for query in &queries {
                tables.push(self.table_of(query, &newest).await?);
            }
            Ok(tables)
        }
        .boxed()
    }

    fn open(&self, requests: Vec<ReadRequest>) -> BoxFuture<'_, Result<Vec<OpenAnswer>, ServingError>> {
        async move {
            let (queries, newest) = self.resolved(requests).await?;
            let mut answers = Vec::with_capacity(queries.len());
            for query in &queries {
                answers.push(self.open_answer(query, &newest).await?);
            }
            Ok(answers)
        }
        .boxed()
    }

    fn versions(&self, request: ReadRequest) -> Result<Versions, ServingError> {
        self.check_epoch(&request)?;
        Ok(self.local.subscribe_query(request)?.take_until(self.closed()).boxed())
    }

    fn newest(&self) -> Arc<Published> {
        self.local.published()
    }

    fn open_version(
        &self,
        query: Arc<Query>,
        published: Arc<Published>,
    ) -> BoxFuture<'_, Result<OpenAnswer, ServingError>> {
        async move { self.open_answer(&query, &published).await }.boxed()
    }

    fn turns(&self) -> Turns {
        self.answering.turns()
    }

    fn explain_table(
        &self,
        request: ReadRequest,
    ) -> BoxFuture<'_, Result<Explained<Presented>, ServingError>> {
        async move {
            let (queries, newest) = self.resolved(vec![request]).await?;
            let [query] = &queries[..] else { return Err(failed("a request has no answer")) };
            let version = self.version(query, &newest).await?;
            let mut explained = self.answering.compute(query, &version, Query::explain).await?;
            self.complete(query, &mut explained.answer);
            Ok(explained)
        }
        .boxed()
    }

    fn subscribe_table(&self, request: ReadRequest) -> BoxStream<'static, Result<ServedTable, ServingError>> {
        let checked = self.check_epoch(&request);
        let versions = match checked.and_then(|()| self.local.subscribe_query(request)) {
            Ok(versions) => versions,
            Err(error) => return futures::stream::once(async { Err(error) }).boxed(),
        };
        let own = self.clone();
        let answers = versions.then(move |version| {
            let own = own.clone();
            async move {
                let (query, published) = version?;
                own.table_of(&query, &published).await
            }
        });
        until_error(answers).take_until(self.closed()).boxed()
    }
}
