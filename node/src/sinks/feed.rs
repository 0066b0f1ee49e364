//! One metric of a sink: the version that the sink holds, and the version that it is sent next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metricc_client::{ReadRequest, ServingError};
use metricc_runtime_serve::{OpenAnswer, Published, Query, ServingTables, record_batch};
use metricc_sinks::{Held, Sink, SinkError, Stored, Version};

use super::changes::TableChanges;
use crate::reading::NodeServing;

/// The first wait after a failure, and the longest one.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A metric of a sink.
pub(super) struct Feed {
    query: Arc<Query>,
    /// What the sink holds; `None` until it has been asked.
    held: Option<Held>,
    /// The version that was written last: it is what the next one is compared with.
    last: Option<Arc<Published>>,
    /// Whether all rows are written next.
    is_complete_next: bool,
    /// When it is looked at next.
    pub(super) due: Instant,
    wait: Duration,
    pub(super) has_problem: bool,
}

/// What was written.
pub(super) struct Done {
    pub(super) stored: Stored,
    /// Rows that were added, changed or removed; `None` if the sink held that already.
    pub(super) n_rows: Option<u64>,
}

impl Feed {
    /// # Errors
    /// If the metric is not served, or its rows cannot be columns.
    pub(super) fn new(metric: &str, serving: &NodeServing) -> Result<Self, ServingError> {
        let query = serving.query(ReadRequest { metric: metric.to_owned(), ..ReadRequest::default() })?;
        query.check_columns()?;
        Ok(Feed {
            query: Arc::new(query),
            held: None,
            last: None,
            is_complete_next: false,
            due: Instant::now(),
            wait: FIRST_WAIT,
            has_problem: false,
        })
    }

    pub(super) fn query(&self) -> &Query {
        &self.query
    }

    /// After a success: the next look is after a time.
    pub(super) fn rest(&mut self, time: Duration) {
        (self.due, self.wait) = (Instant::now() + time, FIRST_WAIT);
    }

    /// After a failure: the sink is asked again what it holds, after a time that grows.
    pub(super) fn back_off(&mut self) {
        self.held = None;
        self.due = Instant::now() + self.wait;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
    }

    /// Writes the newest version, unless the sink holds it. `None`: there are no answers yet.
    pub(super) async fn write(
        &mut self,
        sink: &mut dyn Sink,
        serving: &NodeServing,
        newest: &Arc<Published>,
    ) -> Result<Option<Done>, SinkError> {
        if self.query.sources().iter().any(|source| newest.frontier(source).is_none()) {
            return Ok(None);
        }
        let held = match &self.held {
            Some(held) => held.clone(),
            None => sink.held(self.query.metric()).await?,
        };
        self.held = Some(held.clone());
        let epoch = serving.epoch().unwrap_or_default();
        let (is_same, target) = self.target(&held, &epoch, serving, newest)?;
        let Some(target) = target else {
            return Ok(held.stored.map(|stored| Done { stored, n_rows: None }));
        };
        let is_newest = target.frontier == self.query.frontier(newest);
        let answer = match is_newest {
            true => serving.open_version(self.query.clone(), newest.clone()).await,
            false => self.open_at(serving, &target).await,
        };
        let answer = answer.map_err(|error| SinkError::Refused(error.to_string()))?;
        let earlier = match &held.stored {
            Some(stored) if is_same && !self.is_complete_next => self.earlier(serving, stored).await,
            _ => None,
        };
        let version = version(&answer, held.stored, target, earlier.is_none())?;
        let mut changes = TableChanges::new(answer, earlier)?;
        let written = sink.write(&version, &mut changes).await;
        if let Err(SinkError::NotComparable(problem)) = &written {
            tracing::debug!(metric = version.metric, problem, "all rows are written");
            self.is_complete_next = true;
        }
        let written = written?;
        self.held = Some(Held { stored: Some(version.next.clone()), pending: None });
        self.last = is_newest.then(|| newest.clone());
        self.is_complete_next = false;
        Ok(Some(Done { stored: version.next, n_rows: Some(written.n_rows) }))
    }

    /// What is written next, if anything; and whether what is held is of the same rows at another frontier.
    fn target(
        &self,
        held: &Held,
        epoch: &str,
        serving: &NodeServing,
        newest: &Published,
    ) -> Result<(bool, Option<Stored>), SinkError> {
        let (hash, frontier) = (self.query.hash().to_owned(), self.query.frontier(newest));
        let is_same = |stored: &&Stored| stored.hash == hash && stored.epoch == epoch;
        if let Some(other) = held.stored.as_ref().filter(|stored| !serving.is_of_log(&stored.epoch)) {
            let problem = "give this node a place of its own, or remove what is there";
            return Err(SinkError::Refused(format!(
                "it holds rows of the log of another node (epoch {}): {problem}",
                other.epoch
            )));
        }
        let same = held.stored.as_ref().filter(is_same);
        if let Some(pending) = held.pending.as_ref().filter(is_same) {
            return Ok((same.is_some(), Some(pending.clone())));
        }
        if let Some(same) = same {
            if same.frontier == frontier {
                return Ok((true, None));
            }
            let is_before = same.frontier.len() == frontier.len()
                && same.frontier.iter().zip(&frontier).all(|(held, next)| held <= next);
            if !is_before {
                let held = &same.frontier;
                return Err(SinkError::Refused(format!(
                    "it holds frontier {held:?}, which is not before {frontier:?}, that of this node: another node with a \
                     copy of the log writes to it"
                )));
            }
        }
        let versions = held.stored.iter().chain(&held.pending).map(|stored| stored.version);
        let version = versions.max().unwrap_or(0) + 1;
        Ok((same.is_some(), Some(Stored { hash, epoch: epoch.to_owned(), frontier, version })))
    }

    /// The answer that the sink holds, if it can be computed.
    async fn earlier(&self, serving: &NodeServing, stored: &Stored) -> Option<OpenAnswer> {
        if let Some(last) = self.last.as_ref().filter(|last| self.query.frontier(last) == stored.frontier) {
            return serving.open_version(self.query.clone(), last.clone()).await.ok();
        }
        let earlier = self.open_at(serving, stored).await;
        let metric = self.query.metric();
        earlier.inspect_err(|error| tracing::info!(metric, %error, "the sink is sent all rows")).ok()
    }

    async fn open_at(&self, serving: &NodeServing, stored: &Stored) -> Result<OpenAnswer, ServingError> {
        let request = ReadRequest {
            metric: self.query.metric().to_owned(),
            at: Some(stored.frontier.clone()),
            epoch: Some(stored.epoch.clone()),
            ..ReadRequest::default()
        };
        let answer = serving.open(vec![request]).await?.pop();
        answer.ok_or_else(|| ServingError::Failed("a request has no answer".into()))
    }
}

fn version(
    answer: &OpenAnswer,
    base: Option<Stored>,
    next: Stored,
    is_complete: bool,
) -> Result<Version, SinkError> {
    let none = answer.rows.none();
    let schema = record_batch(&none).map_err(|error| SinkError::Refused(error.to_string()))?.schema();
    let n_keys = none.keys.len() + if none.windows.is_some() { 2 } else { 0 };
    Ok(Version { metric: answer.metric.clone(), base, next, is_complete, schema, n_keys })
}
