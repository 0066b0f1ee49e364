//! A read request, resolved once, and what its answer needs of one published version.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use metricc_client::{ReadRequest, ServingError};
use metricc_compiler::{MetricPlan, Segment, Spread};

use crate::cursor::{self, Cursor};
use crate::published::PublishedStates;
use crate::reading::with_states;
use crate::roll_up::{in_range, starts};
use crate::served_metrics::{Catalogue, CatalogueEntry, ServedPlan, ServedVersions};
use crate::{Access, Presented, Published, ReadOptions, Reading, RowFilter, ServeError};

pub(crate) mod answer;
mod measured;
mod row_limit;

pub use row_limit::RowEstimate;

/// A metric of sliding windows, and the step (µs) and number of their panes.
type Overlapping<'a> = (&'a Arc<MetricPlan>, &'a PublishedStates, (i64, i64));

/// A request that makes sense: its metric is served, and its keys, range and grain are of that metric.
#[derive(Debug)]
pub struct Query {
    entry: Arc<CatalogueEntry>,
    request: ReadRequest,
    reading: Reading,
    cursor: Option<Cursor>,
    fingerprint: u64,
    /// The rows that the reader may read, if those are not all.
    filter: Option<Arc<RowFilter>>,
}

impl Query {
    /// A request of its own.
    pub(crate) fn new(
        served: &ServedVersions,
        request: ReadRequest,
        access: &Access,
    ) -> Result<Self, ServingError> {
        let catalogue = served.of_requests(std::slice::from_ref(&request), access)?;
        Query::of_version(catalogue, request, access)
    }

    /// A request that a version answers.
    pub(crate) fn of_version(
        catalogue: &Catalogue,
        request: ReadRequest,
        access: &Access,
    ) -> Result<Self, ServingError> {
        let entry = catalogue.entry(&request, access)?.clone();
        let filter = catalogue.filter(access, &request.metric);
        let grain = catalogue.grain(&request, entry.window())?;
        let of_filter = filter.as_ref().map(|filter| filter.text());
        let fingerprint = cursor::fingerprint(&entry.metric.hash, &request, grain.as_ref(), of_filter);
        let reading = Reading::new(&entry.row_type, &request, grain)?;
        let cursor = request.cursor.as_deref().map(|text| Cursor::parse(text, fingerprint)).transpose()?;
        if let (Some(cursor), Some(at)) = (&cursor, &request.at)
            && cursor.frontier != *at
        {
            let problem = "`cursor` is of another frontier than `at`: leave out one of them";
            return Err(ServingError::Request(problem.to_owned()));
        }
        if request.limit == Some(0) {
            return Err(ServingError::Request("`limit=0` is no page: it takes at least 1 row".to_owned()));
        }
        Ok(Query { entry, request, reading, cursor, fingerprint, filter })
    }

    /// The name of its metric.
    pub fn metric(&self) -> &str {
        &self.entry.metric.name
    }

    /// The hash of its metric.
    pub fn hash(&self) -> &str {
        &self.entry.metric.hash
    }

    /// The base metrics that it reads; one may occur several times.
    pub fn plans(&self) -> &[Arc<MetricPlan>] {
        self.entry.plan.base()
    }

    /// Whether a version has the states of all base metrics that it reads.
    pub fn has_states(&self, published: &Published) -> bool {
        self.plans().iter().all(|plan| published.has(plan))
    }

    /// Whether the answer says where its rows come from.
    pub fn wants_receipt(&self) -> bool {
        self.request.receipt
    }

    pub(crate) fn cursor(&self) -> Option<&Cursor> {
        self.cursor.as_ref()
    }

    /// What tells it from requests for other rows: those with equal ones have equal rows of one frontier.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Most rows that the request wants.
    pub fn limit(&self) -> Option<usize> {
        self.request.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
    }

    /// Whether it is a page of an answer: its cursor names the frontier, or is to be given out.
    pub fn is_page(&self) -> bool {
        self.cursor.is_some() || self.request.limit.is_some()
    }

    /// The frontier that its cursor names.
    pub fn cursor_frontier(&self) -> Option<&[u64]> {
        self.cursor.as_ref().map(|cursor| &cursor.frontier[..])
    }

    /// The instant (µs) before which no event is in a row of the answer; `None` if there may be such events.
    /// A window has the events from its start on. Sessions may begin before, windows that are joined,
    /// filled or compared say what else there is, and pages are of an answer that others may have as well.
    pub fn least_time(&self) -> Option<i64> {
        let ServedPlan::Base(plan) = &self.entry.plan else { return None };
        let options = self.options();
        let is_of_windows = plan.metric.window.has_start() && options.grain.is_none();
        let is_alone = !self.request.fill && self.request.compare.is_none() && !self.is_page();
        options.from.filter(|_| is_of_windows && is_alone)
    }

    /// Whether the request names its frontier itself: then it can be computed again.
    pub fn names_frontier(&self) -> bool {
        self.request.at.is_some()
    }

    pub(crate) fn options(&self) -> &ReadOptions {
        self.reading.options()
    }

    /// Whether rows are left out of what is read.
    pub(crate) fn selects_rows(&self) -> bool {
        self.is_filtered() || self.reading.selection().selects()
    }

    /// Whether the reader may not read all rows: what that leaves is known after a look at each group.
    pub fn is_filtered(&self) -> bool {
        self.filter.is_some()
    }

    /// The states that the reader may read, of those of a base metric.
    fn readable<'a>(
        &self,
        plan: &MetricPlan,
        segment: Cow<'a, Segment>,
    ) -> Result<Cow<'a, Segment>, ServeError> {
        let Some(filter) = &self.filter else { return Ok(segment) };
        let states = filter.states_of(plan, &segment.states)?;
        Ok(Cow::Owned(with_states(&segment, Some(states))))
    }

    /// ⊕ of the states of each base metric that the reader may read.
    fn readable_bases<'a>(
        &self,
        metrics: &[&'a PublishedStates],
    ) -> Result<Vec<Cow<'a, Segment>>, ServeError> {
        let bases = self.entry.plan.base().iter().zip(metrics);
        bases.map(|(base, metric)| self.readable(base, Cow::Borrowed(metric.merged(base)?))).collect()
    }

    /// The states of a piece that has the rows of the request.
    pub(crate) fn selected(&self, plan: &MetricPlan, states: RecordBatch) -> Result<RecordBatch, ServeError> {
        let states = match &self.filter {
            Some(filter) => filter.states_of(plan, &states)?,
            None => states,
        };
        Ok(self.reading.selection().states_of(plan, &states)?.unwrap_or(states))
    }

    /// The names of the sources of its metric, in order.
    pub fn sources(&self) -> &BTreeSet<String> {
        &self.entry.sources
    }

    /// Checks that the rows have columns of different names.
    ///
    /// # Errors
    /// [`ServingError::Request`].
    pub fn check_columns(&self) -> Result<(), ServingError> {
        self.reading.check_columns(&self.entry.row_type).map_err(failed)
    }

    /// The frontier that the request asks for, or its cursor; `None` for the newest one.
    pub fn at(&self) -> Option<&[u64]> {
        self.request.at.as_deref().or(self.cursor_frontier())
    }

    /// The frontier of a version: that of each source of the metric, in order.
    pub fn frontier(&self, published: &Published) -> Vec<u64> {
        let frontiers = self.sources().iter().filter_map(|name| published.frontier(name));
        frontiers.flat_map(|frontier| frontier.0.iter().copied()).collect()
    }

    /// Checks that a version covers the frontier that the request asks for at least.
    ///
    /// # Errors
    /// [`ServingError::Behind`] if it ends before, [`ServingError::Request`] if it has another number of
    /// partitions.
    pub fn check_covered(&self, published: &Published) -> Result<(), ServingError> {
        let Some(wanted) = &self.request.min_frontier else { return Ok(()) };
        let frontier = self.frontier(published);
        let is_whole = self.sources().iter().all(|source| published.frontier(source).is_some());
        if is_whole && frontier.len() != wanted.len() {
            let problem = "offsets: it takes one for each partition of the metric's sources";
            let (given, known) = (wanted.len(), frontier.len());
            return Err(ServingError::Request(format!(
                "`min_frontier` has {given} {problem}, which are {known}"
            )));
        }
        if is_whole && frontier.iter().zip(wanted).all(|(served, wanted)| served >= wanted) {
            return Ok(());
        }
        Err(ServingError::Behind { wanted: wanted.clone(), frontier })
    }

    /// Whether a version is of the frontier that the request asks for.
    pub fn is_at(&self, published: &Published) -> bool {
        self.at().is_none_or(|at| at == self.frontier(published))
    }

    /// The groups that an answer may have to read; 0 where an index finds them.
    pub fn n_groups(&self, published: &Published) -> usize {
        let metrics = || self.entry.plan.base().iter().filter_map(|plan| published.states(plan));
        let has_index = matches!(self.entry.plan, ServedPlan::Base(_)) && self.reading.all_keys().is_some();
        // The first read by all keys builds the index.
        if has_index && metrics().all(PublishedStates::is_indexed) {
            return 0;
        }
        metrics().map(PublishedStates::n_groups).sum()
    }

    /// Whether the rows of the answer are merged piece by piece.
    pub fn is_merged(&self, published: &Published) -> bool {
        self.mergeable(published).is_some()
    }

    /// The base metric whose rows are groups of its segments one to one, if the metric is of that kind.
    fn mergeable<'a>(
        &'a self,
        published: &'a Published,
    ) -> Option<(&'a Arc<MetricPlan>, &'a PublishedStates)> {
        let ServedPlan::Base(plan) = &self.entry.plan else { return None };
        let has_groups = plan.metric.window.has_start() || !plan.metric.keys.is_empty();
        let options = self.options();
        let grain = options.grain.as_ref().filter(|grain| !grain.is_cut_as(&plan.metric.window));
        let is_latest_of_some = self.request.latest && !self.is_latest_of_all();
        let is_by_group =
            plan.spread.is_none() && has_groups && grain.is_none() && self.reading.keeps_groups();
        if !is_by_group || is_latest_of_some || self.reading.all_keys().is_some() {
            return None;
        }
        options.check(&plan.metric.name, &plan.metric.window).ok()?;
        Some((plan, published.states(plan)?))
    }

    /// The base metric whose windows overlap, and are assembled some at a time.
    fn overlapping<'a>(&'a self, published: &'a Published) -> Option<Overlapping<'a>> {
        let ServedPlan::Base(plan) = &self.entry.plan else { return None };
        let Some(Spread::Panes { step, n_panes }) = plan.spread else { return None };
        if self.request.latest || !self.reading.keeps_groups() {
            return None;
        }
        self.options().check(&plan.metric.name, &plan.metric.window).ok()?;
        Some((plan, published.states(plan)?, (step, n_panes)))
    }

    /// Whether it reads the latest window of all rows that there are.
    fn is_latest_of_all(&self) -> bool {
        !self.is_filtered() && self.reading.selection().is_latest_of_all()
    }

    /// The groups of each part that a mergeable answer has.
    fn parts(&self, plan: &MetricPlan, metric: &PublishedStates) -> Result<Vec<RecordBatch>, ServeError> {
        let states = metric.parts.iter().map(|part| &part.segment().states);
        if !plan.metric.window.has_start() {
            return Ok(states.cloned().collect());
        }
        let options = self.options_from_latest(plan, metric)?;
        let in_range = states.map(|states| in_range(&plan.metric.name, states, options.from, options.to));
        Ok(in_range.collect::<Result<_, _>>()?)
    }

    fn rows(&self, published: &Published) -> Result<Presented, ServeError> {
        let bases = self.entry.plan.base();
        let metrics: Option<Vec<_>> = bases.iter().map(|plan| published.states(plan)).collect();
        let Some(metrics) = metrics else {
            return Ok(self.reading.no_rows(&self.entry.row_type));
        };
        match &self.entry.plan {
            ServedPlan::Base(plan) => self.rows_of_base(plan, metrics[0]),
            ServedPlan::Derived(plan) => {
                let segments = self.readable_bases(&metrics)?;
                self.reading.of_derived(plan, &segments.iter().map(|segment| &**segment).collect::<Vec<_>>())
            }
        }
    }

    fn rows_of_base(&self, plan: &MetricPlan, metric: &PublishedStates) -> Result<Presented, ServeError> {
        let (segment, options) = self.states_of_base(plan, metric)?;
        let last = self.last_readable(plan, metric)?;
        self.reading.of_selected(plan, &segment, &options, last)
    }

    /// The start of the last window of all rows that may be read, where rows are compared with earlier ones.
    fn last_readable(&self, plan: &MetricPlan, metric: &PublishedStates) -> Result<Option<i64>, ServeError> {
        if self.request.compare.is_none() || !self.is_filtered() {
            return metric.last_start(plan, None);
        }
        let segment = self.readable(plan, Cow::Borrowed(metric.merged(plan)?))?;
        match plan.metric.window.has_start() {
            true => Ok(starts(self.metric(), segment.states.column(0))?.last().copied()),
            false => Ok(None),
        }
    }

    /// The states that a read of a base metric needs, and which windows of them.
    fn states_of_base<'a>(
        &self,
        plan: &MetricPlan,
        metric: &'a PublishedStates,
    ) -> Result<(Cow<'a, Segment>, ReadOptions), ServeError> {
        if let Some(keys) = self.reading.all_keys() {
            let segment = self.readable(plan, Cow::Owned(metric.of_keys(plan, keys)?))?;
            return Ok((segment, self.reading.wide_options(&plan.metric.window)?));
        }
        let mut options = self.options_from_latest(plan, metric)?;
        let segment = self.readable(plan, metric.of_windows(plan, &options)?)?;
        let selected = self.reading.selection().states_of(plan, &segment.states)?;
        if let Some(Spread::Panes { .. }) = plan.spread
            && self.request.latest
            && self.request.compare.is_none()
            && options.to.is_none()
        {
            // The last pane of these keys begins the last of its windows.
            let panes = selected.as_ref().unwrap_or(&segment.states);
            options.from = options.from.max(starts(self.metric(), panes.column(0))?.last().copied());
        }
        match selected {
            Some(states) => Ok((Cow::Owned(with_states(&segment, Some(states))), options)),
            None => Ok((segment, options)),
        }
    }

    /// The windows of the request; of the latest one alone if it wants no other, whatever the keys.
    fn options_from_latest(
        &self,
        plan: &MetricPlan,
        metric: &PublishedStates,
    ) -> Result<ReadOptions, ServeError> {
        let mut options = self.reading.wide_options(&plan.metric.window)?;
        let is_latest = self.is_latest_of_all() && self.request.compare.is_none();
        if is_latest && options.grain.is_none() {
            // Only the last window has rows.
            options.from = options.from.max(metric.last_start(plan, options.to)?);
        }
        Ok(options)
    }
}

pub(crate) fn failed(error: ServeError) -> ServingError {
    match error {
        ServeError::Options { .. } => ServingError::Request(error.to_string()),
        ServeError::Columns { .. } => ServingError::Request(format!("{error}, or use `format=json`")),
        error => ServingError::Failed(error.into()),
    }
}
