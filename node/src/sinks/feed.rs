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

    /// Goes on with the definition of the metric that is live, if another one is.
    fn resolve(&mut self, serving: &NodeServing) -> Result<(), SinkError> {
        let request = ReadRequest { metric: self.query.metric().to_owned(), ..ReadRequest::default() };
        let refused = |error: ServingError| SinkError::Refused(error.to_string());
        let query = serving.query(request).map_err(refused)?;
        if query.hash() != self.query.hash() {
            query.check_columns().map_err(refused)?;
            (self.query, self.base, self.last) = (Arc::new(query), None, None);
        }
        Ok(())
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

    /// What the sink holds. It is asked, unless it was.
    async fn held(&mut self, sink: &mut dyn Sink) -> Result<Base, SinkError> {
        if let Some(base) = &self.base {
            return Ok(base.clone());
        }
        self.asked = Instant::now();
        let base = self.memory.base(sink.held(self.query.metric()).await?)?;
        self.base = Some(base.clone());
        Ok(base)
    }

    /// Writes the newest version, unless the sink holds it. `None`: there are no answers yet.
    pub(super) async fn write(
        &mut self,
        sink: &mut dyn Sink,
        serving: &NodeServing,
        newest: &Arc<Published>,
    ) -> Result<Option<Done>, SinkError> {
        self.resolve(serving)?;
        if !self.query.has_states(newest) {
            return Ok(None);
        }
        let base = self.held(sink).await?;
        let epoch = serving.epoch().unwrap_or_default();
        let target = self.target(&base, &epoch, serving, newest);
        // What the sink holds is no version of this log: changes cannot be told from there later either.
        self.is_complete_next |= target.is_err();
        let Some(Target { next, is_incremental }) = target? else {
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
        let answer = answer.map_err(|error| not_computed(&error, &base))?;
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
        let removable = base.removable;
        let stored = Some(version.next.clone());
        self.base = Some(Base { stored, is_own: true, removable, ..Base::default() });
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
        // A log that was lost had another epoch; what this node has written from it is replaced.
        let is_other = |epoch: &&String| !base.is_proved() && !serving.is_of_log(epoch);
        if let Some(other) = of_place.filter(is_other) {
            return Err(of_other_log(other, base));
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
            if same.frontier == frontier && base.is_own && !base.is_lost && !self.is_complete_next {
                return Ok(None);
            }
            is_before(&same.frontier, &frontier, base)?;
        }
        let pending = base.pending.as_ref().map(|pending| &pending.version);
        let version = base.stored.iter().chain(pending).map(|stored| stored.version).max().unwrap_or(0) + 1;
        let id = format!("{:016x}", rand::random::<u64>());
        // What a version of another definition has left half sent is known to nobody.
        let is_incremental = same.is_some() && base.is_own && !base.is_lost && base.pending.is_none();
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
fn is_before(held: &[u64], next: &[u64], base: &Base) -> Result<(), SinkError> {
    if held.len() == next.len() && held.iter().zip(next).all(|(held, next)| held <= next) {
        return Ok(());
    }
    Err(SinkError::Refused(format!(
        "the sink holds frontier {held:?}, which is not before {next:?}, that of this node: \
         its data was put back from a backup, or another node with a copy of the log writes to it; \
         all rows are written as soon as the log has passed that frontier: \
         to have them written now, remove {}",
        base.removable
    )))
}

fn of_other_log(epoch: &str, base: &Base) -> SinkError {
    SinkError::Refused(format!(
        "the sink holds rows of the log of another node (epoch {epoch}): \
         give this node a place of its own; or remove {}, and all rows are written",
        base.removable
    ))
}

/// A version that may have arrived has to be sent again as it was, and may be beyond a log that was put back.
fn not_computed(error: &ServingError, base: &Base) -> SinkError {
    SinkError::Refused(match &base.pending {
        Some(_) => format!("{error}; to have all rows sent, remove {}", base.removable),
        None => error.to_string(),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_that_is_ahead_is_refused_with_what_to_remove() {
        let base = Base { removable: "key `p:m`".to_owned(), ..Base::default() };
        assert!(is_before(&[3, 4], &[3, 5], &base).is_ok());
        for next in [&[3, 3][..], &[4, 3], &[3]] {
            let said = is_before(&[3, 4], next, &base).unwrap_err().to_string();
            for part in ["put back from a backup", "another node", "has passed", "remove key `p:m`"] {
                assert!(said.contains(part), "{said}");
            }
        }
    }
}
