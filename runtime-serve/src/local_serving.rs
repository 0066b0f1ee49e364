//! A serving layer in this process: segments are published, readers get rows of one frontier.
//!
//! The newest version is one value that is replaced as a whole, so no reader sees a mixture of two frontiers.
//! A request is resolved to a [`Query`] once, and answered from the version that was the newest at that time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use metricc_client::{Explained, ReadRequest, Served, ServedMetric, Serving, ServingError, until_error};
use metricc_compiler::{DerivedPlan, MetricPlan, StateHash};
use metricc_log::Frontier;
use tokio::sync::watch;

use crate::served_metrics::{ServedVersion, ServedVersions};
use crate::served_table::{ServedTable, ServingTables, explained, served};
use crate::{Access, IndexedSegment, OpenAnswer, Presented, Published, Query, ServeError, Turns};

/// Metrics that are served in this process.
#[derive(Debug, Clone)]
pub struct LocalServing {
    versions: Arc<RwLock<Arc<ServedVersions>>>,
    published: watch::Sender<Arc<Published>>,
    /// The version before the newest one. It is kept until the next one is published, so that the publisher
    /// frees its memory, and not the reader that happens to hold it last.
    retired: Arc<Mutex<Arc<Published>>>,
    /// Who reads through this value.
    access: Access,
}

/// What was served at one moment.
#[derive(Debug, Clone)]
pub struct ServedSnapshot {
    versions: Arc<ServedVersions>,
    published: Arc<Published>,
    access: Access,
}

impl ServedSnapshot {
    /// The names of the metrics: base metrics, then derived ones.
    pub fn metric_names(&self) -> impl Iterator<Item = &str> {
        self.versions.live.metrics(&self.access).map(|metric| metric.name.as_str())
    }

    /// Resolves a request.
    ///
    /// # Errors
    /// As [`LocalServing::query`].
    pub fn query(&self, request: ReadRequest) -> Result<Query, ServingError> {
        Query::new(&self.versions, request, &self.access)
    }

    /// Whether both are of one moment, so that all answers from them are equal.
    pub fn is_same(&self, other: &ServedSnapshot) -> bool {
        Arc::ptr_eq(&self.versions, &other.versions)
            && Arc::ptr_eq(&self.published, &other.published)
            && self.access == other.access
    }

    /// The states.
    pub fn published(&self) -> &Arc<Published> {
        &self.published
    }
}

/// A query, with each version that answers it. An error is the last item: why there are no more.
pub type Versions = BoxStream<'static, Result<(Arc<Query>, Arc<Published>), ServingError>>;

impl LocalServing {
    /// Serves these metrics; they have no rows until something is published.
    pub fn new(plans: &[Arc<MetricPlan>]) -> Self {
        LocalServing::with_derived(plans, &[])
    }

    /// Serves these metrics, and metrics derived from them.
    pub fn with_derived(plans: &[Arc<MetricPlan>], derived: &[Arc<DerivedPlan>]) -> Self {
        LocalServing::of_version(ServedVersion {
            base: plans.to_vec(),
            derived: derived.to_vec(),
            ..ServedVersion::default()
        })
    }

    /// Serves the metrics of a version of a package; they have no rows until something is published.
    pub fn of_version(version: ServedVersion) -> Self {
        LocalServing {
            versions: Arc::new(RwLock::new(Arc::new(ServedVersions::new(version, &[])))),
            published: watch::Sender::new(Arc::default()),
            retired: Arc::default(),
            access: Access::Everything,
        }
    }

    /// The same metrics, as a reader sees them: others are not there, and rows that the reader may not read
    /// are in no answer.
    #[must_use]
    pub fn with_access(&self, access: Access) -> Self {
        LocalServing { access, ..self.clone() }
    }

    /// Who reads.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Serves another version from now on, and further ones to requests that name their hashes. A request is
    /// resolved by one of them as a whole, and so are requests that are resolved together. Subscriptions that
    /// name no hash go on with the version that is live.
    pub fn serve_version(&self, live: ServedVersion, others: &[ServedVersion]) {
        let next = Arc::new(ServedVersions::new(live, others));
        *self.versions.write().unwrap_or_else(PoisonError::into_inner) = next;
        // Subscriptions look at the versions when they are woken.
        self.published.send_modify(|_| ());
    }

    fn versions(&self) -> Arc<ServedVersions> {
        self.versions.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is served now: all that is asked of it is of one version of the package, and of one frontier.
    pub fn snapshot(&self) -> ServedSnapshot {
        let (versions, published) = (self.versions(), self.published());
        ServedSnapshot { versions, published, access: self.access.clone() }
    }

    /// The version of the package that is live.
    pub fn live_version(&self) -> ServedVersion {
        self.versions().live.version().clone()
    }

    /// The names of the metrics of the version that is live: base metrics, then derived ones.
    pub fn metric_names(&self) -> Vec<String> {
        self.versions().live.metrics(&self.access).map(|metric| metric.name.clone()).collect()
    }

    /// The base metrics of the version that is live over a source.
    pub fn base_metrics_of(&self, source: &str) -> Vec<Arc<MetricPlan>> {
        let versions = self.versions();
        let plans = versions.live.version().base.iter();
        plans.filter(|plan| plan.metric.source.name == source).cloned().collect()
    }

    /// Replaces what is served of the sources of these metrics: for each metric the segments that cover the
    /// log of its source from the start to a frontier, in order. Readers see all of it or nothing. Metrics of
    /// the same source that are not among these are no longer served.
    ///
    /// # Errors
    /// As [`Published::new`]; the newest version stays.
    pub fn publish<S: Clone + Into<IndexedSegment>>(
        &self,
        segments: &[(&MetricPlan, Vec<S>)],
    ) -> Result<(), ServeError> {
        let changed = Published::new(segments)?;
        let before = self.published();
        for (plan, _) in segments {
            // Reads by key have built an index of the version before: the next one shall not wait for it.
            let was_read_by_key =
                before.states(plan).is_some_and(|metric| metric.parts.iter().any(IndexedSegment::is_indexed));
            if let Some(metric) = changed.states(plan).filter(|_| was_read_by_key) {
                metric.parts.iter().for_each(|part| part.prepare(plan));
            }
        }
        drop(before);
        let mut replaced = Arc::default();
        self.published.send_modify(|published| {
            let mut next = Published::clone(published);
            next.extend(changed);
            replaced = std::mem::replace(published, Arc::new(next));
        });
        let retired =
            std::mem::replace(&mut *self.retired.lock().unwrap_or_else(PoisonError::into_inner), replaced);
        drop(retired);
        Ok(())
    }

    /// The newest version.
    pub fn published(&self) -> Arc<Published> {
        self.published.borrow().clone()
    }

    /// The first version from now on that is as wanted; it never comes if nothing more is published.
    pub async fn published_when(&self, is_wanted: impl FnMut(&Arc<Published>) -> bool) -> Arc<Published> {
        let mut versions = self.published.subscribe();
        match versions.wait_for(is_wanted).await {
            Ok(published) => published.clone(),
            // The sender is this value's.
            Err(_) => self.published(),
        }
    }

    /// The frontier up to which a source is served; `None` if nothing of it was published.
    pub fn frontier(&self, source: &str) -> Option<Frontier> {
        self.published.borrow().frontier(source).cloned()
    }

    /// The newest version of a source: its frontier, and its segments, by their state hash.
    pub fn published_of(&self, source: &str) -> Option<(Frontier, BTreeMap<StateHash, Vec<IndexedSegment>>)> {
        let published = self.published();
        Some((published.frontier(source)?.clone(), published.parts_of(source)))
    }

    /// Resolves a request.
    ///
    /// # Errors
    /// [`ServingError`] if the metric is not served, or the request does not fit it.
    pub fn query(&self, request: ReadRequest) -> Result<Query, ServingError> {
        Query::new(&self.versions(), request, &self.access)
    }

    /// Resolves requests by one version of the package.
    ///
    /// # Errors
    /// As [`LocalServing::query`], for the first that cannot be resolved.
    pub fn queries(&self, requests: Vec<ReadRequest>) -> Result<Vec<Query>, ServingError> {
        let versions = self.versions();
        let version = versions.of_requests(&requests, &self.access)?;
        let query = |request| Query::of_version(version, request, &self.access);
        requests.into_iter().map(query).collect()
    }

    /// The newest version, and each later one in which the frontier of a query has moved. If its metric is
    /// served no longer, [`ServingError::Ended`] is the last item.
    ///
    /// # Errors
    /// As [`LocalServing::query`], and for a request that names a frontier.
    pub fn subscribe_query(&self, request: ReadRequest) -> Result<Versions, ServingError> {
        let known = self.versions();
        let query = Arc::new(Query::new(&known, request.clone(), &self.access)?);
        if query.at().is_some() {
            let problem = "`at` names one frontier: a subscription follows the newest one";
            return Err(ServingError::Request(problem.to_owned()));
        }
        if let Err(error @ ServingError::Request(_)) = query.check_covered(&self.published()) {
            return Err(error);
        }
        let mut published = self.published.subscribe();
        // The newest version is the first item.
        published.mark_changed();
        let start = Subscription { serving: self.clone(), request, known, query, published, seen: None };
        Ok(until_error(stream::unfold(start, Subscription::next)))
    }

    /// The query, if the newest version answers it.
    fn at_newest(&self, published: &Published, query: Query) -> Result<Arc<Query>, ServingError> {
        query.check_covered(published)?;
        if query.is_at(published) {
            return Ok(Arc::new(query));
        }
        if let Some(frontier) = query.cursor_frontier() {
            return Err(ServingError::CursorGone { frontier: frontier.to_vec() });
        }
        let (at, newest) = (query.at().unwrap_or_default(), query.frontier(published));
        let problem =
            format!("frontier {at:?} is not served: the newest one is {newest:?}, and no log is kept here");
        Err(ServingError::Request(problem))
    }
}

/// A reader that follows the newest version.
struct Subscription {
    serving: LocalServing,
    request: ReadRequest,
    /// The versions of the package by which the query was resolved.
    known: Arc<ServedVersions>,
    query: Arc<Query>,
    published: watch::Receiver<Arc<Published>>,
    /// The frontier that it has seen last.
    seen: Option<Vec<u64>>,
}

impl Subscription {
    /// The query with the next version that it has not seen, or why it has no more.
    async fn next(mut self) -> Option<(Result<(Arc<Query>, Arc<Published>), ServingError>, Self)> {
        loop {
            self.published.changed().await.ok()?;
            if let Err(error) = self.resolve_again() {
                return Some((Err(error), self));
            }
            let published = self.published.borrow_and_update().clone();
            let frontier = Some(self.query.frontier(&published));
            // Another source may have moved, or batch may have taken over what the tail had.
            if frontier != self.seen
                && !matches!(self.query.check_covered(&published), Err(ServingError::Behind { .. }))
            {
                self.seen = frontier;
                return Some((Ok((self.query.clone(), published)), self));
            }
        }
    }

    /// Goes on with the definition that is live, if another one is.
    fn resolve_again(&mut self) -> Result<(), ServingError> {
        let versions = self.serving.versions();
        if !Arc::ptr_eq(&versions, &self.known) {
            let ended = |error: ServingError| {
                let metric = &self.request.metric;
                let why = "the versions of the package have changed";
                ServingError::Ended(format!("the subscription to `{metric}` has ended, since {why}: {error}"))
            };
            let query = Query::new(&versions, self.request.clone(), &self.serving.access).map_err(ended)?;
            if query.hash() != self.query.hash() {
                self.seen = None;
            }
            (self.query, self.known) = (Arc::new(query), versions);
        }
        Ok(())
    }
}

impl Serving for LocalServing {
    fn metrics(&self) -> BoxFuture<'_, Result<Vec<ServedMetric>, ServingError>> {
        let metrics = self.versions().live.metrics(&self.access).cloned().collect();
        async { Ok(metrics) }.boxed()
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

impl ServingTables for LocalServing {
    fn check_columns(&self, request: &ReadRequest) -> Result<(), ServingError> {
        self.query(request.clone())?.check_columns()
    }

    fn tables(&self, requests: Vec<ReadRequest>) -> BoxFuture<'_, Result<Vec<ServedTable>, ServingError>> {
        let published = self.published();
        let answer = move |query| self.at_newest(&published, query)?.answer(&published);
        async move { self.queries(requests)?.into_iter().map(answer).collect() }.boxed()
    }

    fn open(&self, requests: Vec<ReadRequest>) -> BoxFuture<'_, Result<Vec<OpenAnswer>, ServingError>> {
        let published = self.published();
        let open = move |query| self.at_newest(&published, query)?.open(&published);
        async move { self.queries(requests)?.into_iter().map(open).collect() }.boxed()
    }

    fn versions(&self, request: ReadRequest) -> Result<Versions, ServingError> {
        self.subscribe_query(request)
    }

    fn newest(&self) -> Arc<Published> {
        self.published()
    }

    fn open_version(
        &self,
        query: Arc<Query>,
        published: Arc<Published>,
    ) -> BoxFuture<'_, Result<OpenAnswer, ServingError>> {
        async move { query.open(&published) }.boxed()
    }

    fn turns(&self) -> Turns {
        Turns::default()
    }

    fn explain_table(
        &self,
        request: ReadRequest,
    ) -> BoxFuture<'_, Result<Explained<Presented>, ServingError>> {
        let published = self.published();
        async move { self.at_newest(&published, self.query(request)?)?.explain(&published) }.boxed()
    }

    fn subscribe_table(&self, request: ReadRequest) -> BoxStream<'static, Result<ServedTable, ServingError>> {
        match self.subscribe_query(request) {
            Ok(versions) => until_error(versions.map(|version| {
                let (query, published) = version?;
                query.answer(&published)
            })),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }
}
