//! What a question reads: the states that are served, and those that are evaluated from the log.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use metricc_client::{AskEstimate, AskedSource, Layer, ReadRequest, ServingError};
use metricc_compiler::{EngineOptions, MetricPlan, Segment};
use metricc_log::Frontier;
use metricc_runtime_serve::{IndexedSegment, LocalServing, Published, Query};

use crate::asked_states::KeepStates;
use crate::continued_states::ContinuedStates;
use crate::reading::{NodeServing, blocking, check_readable, check_served, failed};
use crate::source::NodeSource;
use crate::states_of_log::StatesError;

/// Is told of positions of a source that were evaluated.
pub(super) type Progress<'a> = dyn Fn(u64, &NodeSource) + Sync + 'a;

/// A question, its frontier, and what is to be evaluated.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) query: Arc<Query>,
    newest: Arc<Published>,
    /// The version of the frontier that the request names, if it was computed a moment ago.
    computed: Option<Arc<Published>>,
    sources: Vec<SourceWork>,
}

#[derive(Debug)]
struct SourceWork {
    source: Arc<NodeSource>,
    at: Frontier,
    /// Whether answers are of this frontier now: then the states that are served are those of it.
    is_newest: bool,
    /// What is not served, if there is something.
    missing: Option<ContinuedStates>,
}

impl NodeServing {
    /// What a request for the metric of a question reads. `question` resolves it.
    pub(crate) async fn work(
        &self,
        question: &LocalServing,
        request: ReadRequest,
        is_whole: bool,
    ) -> Result<Work, ServingError> {
        self.check_epoch(&request)?;
        let query = Arc::new(question.query(request)?);
        let known = self.sources_of(&query);
        if let Some(unread) =
            query.sources().iter().find(|name| known.iter().all(|source| source.name() != **name))
        {
            let problem = "no metric of the live version reads it, so the node has none of its events";
            return Err(ServingError::Request(format!("source `{unread}`: {problem}")));
        }
        let newest = self.covering(std::slice::from_ref(&query)).await?;
        check_served(&query, &newest)?;
        let own = self.clone();
        blocking(move || Work::new(&own, query, newest, is_whole)).await
    }
}

impl Work {
    fn new(
        serving: &NodeServing,
        query: Arc<Query>,
        newest: Arc<Published>,
        is_whole: bool,
    ) -> Result<Self, ServingError> {
        let least_time = query.least_time().filter(|_| !is_whole);
        let at = query.at().map_or_else(|| query.frontier(&newest), <[u64]>::to_vec);
        let of_range = || serving.ranges().find(&query);
        let computed = query.at().and_then(|_| serving.answering().kept().find(&query).or_else(of_range));
        let sources = serving.frontiers_of(&query, &at)?.into_iter();
        let of_source = |(source, at)| match &computed {
            Some(_) => Ok(SourceWork { source, at, is_newest: false, missing: None }),
            None => SourceWork::new(source, at, (&*query, least_time), &newest),
        };
        let sources = sources.map(of_source).collect::<Result<_, _>>()?;
        Ok(Work { query, newest, computed, sources })
    }

    /// The version that has all of it already.
    pub(super) fn computed(&self) -> Option<&Arc<Published>> {
        self.computed.as_ref()
    }

    /// Records of the log that are read.
    pub(crate) fn n_positions(&self) -> u64 {
        self.sources.iter().map(SourceWork::n_positions).sum()
    }

    /// The frontier of the answer.
    pub(crate) fn frontier(&self) -> Vec<u64> {
        self.sources.iter().flat_map(|source| source.at.0.iter().copied()).collect()
    }

    /// What it takes.
    pub(crate) fn estimate(&self) -> AskEstimate {
        let missing = || self.sources.iter().filter_map(|work| Some((work, work.missing.as_ref()?)));
        // They are evaluated one after the other.
        let seconds = missing().map(|(work, states)| {
            let positions = states.n_positions();
            let time = (positions > 0).then(|| work.source.evaluation_estimate(positions));
            time.map_or(Some(0.0), |time| time.map(|time| time.as_secs_f64()))
        });
        let of_source = |work: &SourceWork| AskedSource {
            source: work.source.name().to_owned(),
            events: work.n_positions(),
            to: work.at.0.clone(),
        };
        AskEstimate {
            id: None,
            metric: self.query.metric().to_owned(),
            hash: self.query.hash().to_owned(),
            frontier: self.frontier(),
            events: self.n_positions(),
            bytes: missing().map(|(work, states)| states.n_bytes(&work.source)).sum(),
            seconds: seconds.sum(),
            sources: self.sources.iter().map(of_source).collect(),
        }
    }

    /// The states that are not served, by source.
    pub(super) fn evaluate(
        &self,
        options: &EngineOptions,
        is_cancelled: &Arc<AtomicBool>,
        progress: &Progress<'_>,
    ) -> Result<Vec<Vec<Segment>>, StatesError> {
        let of_source = |work: &SourceWork| match &work.missing {
            Some(states) => {
                states.evaluate(is_cancelled, &work.source, options, &|n| progress(n, &work.source))
            }
            None => Ok(Vec::new()),
        };
        self.sources.iter().map(of_source).collect()
    }

    /// Keeps states for the next question, and for a backfill: not those of a range, which has not all.
    pub(super) fn keep(&self, states: &[Vec<Segment>], keep: KeepStates) {
        for (work, states) in self.sources.iter().zip(states) {
            if !work.missing.as_ref().is_some_and(ContinuedStates::is_of_range) {
                work.source.asked.keep(states, keep);
            }
        }
    }

    /// Whether nothing but its own request may be answered from what is computed.
    pub(crate) fn is_of_range(&self) -> bool {
        self.sources.iter().filter_map(|work| work.missing.as_ref()).any(ContinuedStates::is_of_range)
    }

    /// What the answer is read from: the states that are served, and those that were evaluated.
    pub(super) fn published(&self, states: &[Vec<Segment>]) -> Result<Published, ServingError> {
        let mut all: Vec<(&MetricPlan, Vec<IndexedSegment>)> = Vec::new();
        for (work, states) in self.sources.iter().zip(states) {
            for plan in work.plans(&self.query) {
                let evaluated = states.iter().find(|segment| segment.hash == plan.state_hash);
                let parts = match evaluated {
                    Some(segment) => {
                        vec![IndexedSegment::from(segment.clone()).with_layer(Layer::Log)]
                    }
                    None => self.newest.parts(plan).map(<[IndexedSegment]>::to_vec).unwrap_or_default(),
                };
                all.push((plan, parts));
            }
        }
        Published::new(&all).map_err(failed)
    }
}

impl SourceWork {
    fn new(
        source: Arc<NodeSource>,
        at: Frontier,
        (query, least_time): (&Query, Option<i64>),
        newest: &Published,
    ) -> Result<Self, ServingError> {
        let is_newest = newest.frontier(source.name()) == Some(&at);
        if !is_newest {
            check_readable(&source, &at)?;
        }
        let mut work = SourceWork { source, at, is_newest, missing: None };
        let is_missing = |plan: &&Arc<MetricPlan>| !(work.is_newest && newest.has(plan));
        let missing: Vec<Arc<MetricPlan>> = work.plans(query).filter(is_missing).cloned().collect();
        if !missing.is_empty() {
            let plan = work.source.plan_of(&missing).map_err(failed)?;
            let states = ContinuedStates::new(&work.source, plan, &work.at).map_err(failed)?;
            work.missing = Some(match least_time {
                Some(least) => states.since(&work.source, least).map_err(failed)?,
                None => states,
            });
        }
        Ok(work)
    }

    /// The base metrics of a query over the source.
    fn plans<'a>(&'a self, query: &'a Query) -> impl Iterator<Item = &'a Arc<MetricPlan>> {
        query.plans().iter().filter(|plan| plan.metric.source.name == self.source.name())
    }

    fn n_positions(&self) -> u64 {
        self.missing.as_ref().map_or(0, ContinuedStates::n_positions)
    }
}
