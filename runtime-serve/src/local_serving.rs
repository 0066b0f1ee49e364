//! A serving layer in this process: segments are published, readers get rows of one frontier.
//!
//! The newest version is one value that is replaced as a whole, so no reader sees a mixture of two frontiers.
//! A request is resolved to a [`Query`] once, and answered from the version that was the newest at that time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use metricc_client::{Explained, ReadRequest, Served, ServedMetric, Serving, ServingError, until_error};
use metricc_compiler::{DerivedPlan, MetricPlan};
use metricc_ir::Calendar;
use metricc_log::Frontier;
use tokio::sync::watch;

use crate::served_metrics::Catalogue;
use crate::served_table::{ServedTable, ServingTables, explained, served};
use crate::{IndexedSegment, OpenAnswer, Presented, Published, Query, ServeError, Turns};

/// Metrics that are served in this process.
#[derive(Debug, Clone)]
pub struct LocalServing {
    catalogue: Arc<Catalogue>,
    published: watch::Sender<Arc<Published>>,
    /// The version before the newest one. It is kept until the next one is published, so that the publisher
    /// frees its memory, and not the reader that happens to hold it last.
    retired: Arc<Mutex<Arc<Published>>>,
}

/// A query, with each version that answers it.
pub type Versions = BoxStream<'static, (Arc<Query>, Arc<Published>)>;

impl LocalServing {
    /// Serves these metrics; they have no rows until something is published.
    pub fn new(plans: &[Arc<MetricPlan>]) -> Self {
        LocalServing::with_derived(plans, &[])
    }

    /// Serves these metrics, and metrics derived from them.
    pub fn with_derived(plans: &[Arc<MetricPlan>], derived: &[Arc<DerivedPlan>]) -> Self {
        LocalServing {
            catalogue: Arc::new(Catalogue::new(plans, derived)),
            published: watch::Sender::new(Arc::default()),
            retired: Arc::default(),
        }
    }

    /// The same metrics, with the calendars that a `grain` may name. Without them it names zones alone.
    pub fn with_calendars(self, calendars: &[(String, Calendar)]) -> Self {
        LocalServing { catalogue: Arc::new(self.catalogue.with_calendars(calendars)), ..self }
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
                before.metric(plan).is_some_and(|metric| metric.parts.iter().any(IndexedSegment::is_indexed));
            if let Some(metric) = changed.metric(plan).filter(|_| was_read_by_key) {
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

    /// The newest version of a source: its frontier, and the segments of each metric, by its name.
    pub fn published_of(&self, source: &str) -> Option<(Frontier, BTreeMap<String, Vec<IndexedSegment>>)> {
        let published = self.published();
        Some((published.frontier(source)?.clone(), published.parts_of(source)))
    }

    /// Resolves a request.
    ///
    /// # Errors
    /// [`ServingError`] if the metric is not served, or the request does not fit it.
    pub fn query(&self, request: ReadRequest) -> Result<Query, ServingError> {
        Query::new(&self.catalogue, request)
    }

    /// The newest version, and each later one in which the frontier of a query has moved.
    ///
    /// # Errors
    /// As [`LocalServing::query`], and for a request that names a frontier.
    pub fn subscribe_query(&self, request: ReadRequest) -> Result<Versions, ServingError> {
        let query = Arc::new(self.query(request)?);
        if query.at().is_some() {
            let problem = "`at` names one frontier: a subscription follows the newest one";
            return Err(ServingError::Request(problem.to_owned()));
        }
        if let Err(error @ ServingError::Request(_)) = query.check_covered(&self.published()) {
            return Err(error);
        }
        let mut versions = self.published.subscribe();
        // The newest version is the first item.
        versions.mark_changed();
        let unseen: Option<Vec<u64>> = None;
        let moved = stream::unfold((versions, unseen), move |(mut versions, mut seen)| {
            let query = query.clone();
            async move {
                loop {
                    versions.changed().await.ok()?;
                    let published = versions.borrow_and_update().clone();
                    let frontier = Some(query.frontier(&published));
                    // Another source may have moved, or batch may have taken over what the tail had.
                    if frontier != seen
                        && !matches!(query.check_covered(&published), Err(ServingError::Behind { .. }))
                    {
                        seen = frontier;
                        return Some(((query, published), (versions, seen)));
                    }
                }
            }
        });
        Ok(moved.boxed())
    }

    fn answer(&self, published: &Published, request: ReadRequest) -> Result<ServedTable, ServingError> {
        Arc::new(self.at_newest(published, request)?).answer(published)
    }

    /// A query that the newest version answers.
    fn at_newest(&self, published: &Published, request: ReadRequest) -> Result<Query, ServingError> {
        let query = self.query(request)?;
        query.check_covered(published)?;
        if query.is_at(published) {
            return Ok(query);
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

impl Serving for LocalServing {
    fn metrics(&self) -> BoxFuture<'_, Result<Vec<ServedMetric>, ServingError>> {
        let metrics = self.catalogue.metrics().cloned().collect();
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
        async move { requests.into_iter().map(|request| self.answer(&published, request)).collect() }.boxed()
    }

    fn open(&self, requests: Vec<ReadRequest>) -> BoxFuture<'_, Result<Vec<OpenAnswer>, ServingError>> {
        let published = self.published();
        let open = move |request| Arc::new(self.at_newest(&published, request)?).open(&published);
        async move { requests.into_iter().map(open).collect() }.boxed()
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
        async move { Arc::new(self.at_newest(&published, request)?).explain(&published) }.boxed()
    }

    fn subscribe_table(&self, request: ReadRequest) -> BoxStream<'static, Result<ServedTable, ServingError>> {
        match self.subscribe_query(request) {
            Ok(versions) => until_error(versions.map(|(query, published)| query.answer(&published))),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }
}
