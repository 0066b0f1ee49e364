//! One metric of a sink: the version that the sink holds, and the version that it is sent next.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metricc_client::{ReadRequest, ServingError};
use metricc_runtime_serve::{OpenAnswer, Published, Query, ServingTables, record_batch};
use metricc_sinks::{Sink, SinkError, Stored, Version};

use super::changes::TableChanges;
use super::memory::{Base, Memory, Pending};
use crate::reading::NodeServing;

/// The first wait after a failure, and the longest one.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How long a sink that has nothing new to get is not asked whether it still holds what it has.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// A metric of a sink.
pub(super) struct Feed {
    query: Arc<Query>,
    memory: Memory,
    /// What the sink holds; `None` until it has been asked.
    base: Option<Base>,
    asked: Instant,
    /// The version that was written last: it is what the next one is compared with.
    last: Option<Arc<Published>>,
    /// Whether all rows are written next.
    is_complete_next: bool,
    /// When it is looked at next.
    pub(super) due: Instant,
    wait: Duration,
    pub(super) has_problem: bool,
}

/// What a sink is sent next.
struct Target {
    next: Stored,
    /// Whether the changes since what it holds are enough.
    is_incremental: bool,
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
    pub(super) fn new(metric: &str, serving: &NodeServing, memory: &Path) -> Result<Self, ServingError> {
        let query = serving.query(ReadRequest { metric: metric.to_owned(), ..ReadRequest::default() })?;
        query.check_columns()?;
        Ok(Feed {
            query: Arc::new(query),
            memory: Memory::new(memory, metric),
            base: None,
            asked: Instant::now(),
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
        self.base = None;
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
        let base = match self.base.clone() {
            Some(base) => base,
            None => {
                self.asked = Instant::now();
                self.memory.base(sink.held(self.query.metric()).await?)?
            }
        };
        self.base = Some(base.clone());
        let epoch = serving.epoch().unwrap_or_default();
        let Some(Target { next, is_incremental }) = self.target(&base, &epoch, serving, newest)? else {
            if self.asked.elapsed() > ASK_AGAIN {
                self.base = None;
            }
            return Ok(base.stored.map(|stored| Done { stored, n_rows: None }));
        };
        let is_newest = next.frontier == self.query.frontier(newest);
        let answer = match is_newest {
            true => serving.open_version(self.query.clone(), newest.clone()).await,
            false => self.open_at(serving, &next).await,
        };
        let answer = answer.map_err(|error| SinkError::Refused(error.to_string()))?;
        let earlier = match &base.stored {
            Some(stored) if is_incremental && !self.is_complete_next => self.earlier(serving, stored).await,
            _ => None,
        };
        let version = version(&answer, base.stored.clone(), next, earlier.is_none())?;
        self.memory.sends(&base, &version.next, version.is_complete)?;
        let mut changes = TableChanges::new(answer, earlier)?;
        let written = sink.write(&version, &mut changes).await;
        if let Err(SinkError::NotComparable(problem)) = &written {
            tracing::debug!(metric = version.metric, problem, "all rows are written");
            self.is_complete_next = true;
        }
        let written = written?;
        self.memory.holds(&version.next)?;
        self.base = Some(Base { stored: Some(version.next.clone()), is_own: true, ..Base::default() });
        self.last = is_newest.then(|| newest.clone());
        (self.asked, self.is_complete_next) = (Instant::now(), false);
        Ok(Some(Done { stored: version.next, n_rows: Some(written.n_rows) }))
    }

    /// What is written next, if anything.
    fn target(
        &self,
        base: &Base,
        epoch: &str,
        serving: &NodeServing,
        newest: &Published,
    ) -> Result<Option<Target>, SinkError> {
        let (hash, frontier) = (self.query.hash().to_owned(), self.query.frontier(newest));
        let of_place = base.stored.as_ref().map(|stored| &stored.epoch).or(base.epoch.as_ref());
        if let Some(other) = of_place.filter(|epoch| !serving.is_of_log(epoch)) {
            let problem = "give this node a place of its own, or remove what is there";
            return Err(SinkError::Refused(format!(
                "the sink holds rows of the log of another node (epoch {other}): {problem}"
            )));
        }
        let is_same = |stored: &&Stored| stored.hash == hash && stored.epoch == epoch;
        let same = base.stored.as_ref().filter(is_same);
        if let Some(Pending { version, complete }) =
            base.pending.as_ref().filter(|pending| is_same(&&pending.version))
        {
            let is_incremental = same.is_some() && !complete;
            return Ok(Some(Target { next: version.clone(), is_incremental }));
        }
        if let Some(same) = same.filter(|_| base.pending.is_none()) {
            if same.frontier == frontier && base.is_own {
                return Ok(None);
            }
            is_before(&same.frontier, &frontier)?;
        }
        let pending = base.pending.as_ref().map(|pending| &pending.version);
        let version = base.stored.iter().chain(pending).map(|stored| stored.version).max().unwrap_or(0) + 1;
        let id = format!("{:016x}", rand::random::<u64>());
        // What a version of another definition has left half sent is known to nobody.
        let is_incremental = same.is_some() && base.is_own && base.pending.is_none();
        Ok(Some(Target {
            next: Stored { hash, epoch: epoch.to_owned(), frontier, version, id },
            is_incremental,
        }))
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

/// Refuses a sink that is ahead of this node.
fn is_before(held: &[u64], next: &[u64]) -> Result<(), SinkError> {
    if held.len() == next.len() && held.iter().zip(next).all(|(held, next)| held <= next) {
        return Ok(());
    }
    Err(SinkError::Refused(format!(
        "the sink holds frontier {held:?}, which is not before {next:?}, that of this node: another node with a copy of the \
         log writes to it"
    )))
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
