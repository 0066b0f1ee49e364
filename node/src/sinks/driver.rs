//! The loop of a sink: its metrics one after the other, each as often as it may be and has something new.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use metricc_client::ServingError;
use metricc_runtime_serve::{Published, ServingTables};
use metricc_sinks::{Sink, SinkError};

use super::feed::{Done, Feed};
use crate::reading::NodeServing;
use crate::sink_status::SinkState;

/// How long to wait for the first answers of the node.
const UNTIL_READY: Duration = Duration::from_millis(100);
/// After how long a write is said to take long.
const LONG: Duration = Duration::from_secs(10);

/// What drives a sink.
pub(super) struct Driver {
    state: Arc<SinkState>,
    every: Duration,
    sink: Box<dyn Sink>,
    serving: NodeServing,
    feeds: Vec<Feed>,
    /// The folder of what the node remembers of the sink.
    memory: PathBuf,
    /// The metrics of the version of the package that was live last, if the sink has all of them.
    followed: Option<Vec<String>>,
    /// Whether it was said that the sink cannot be reached.
    is_unreachable: bool,
}

impl Driver {
    /// # Errors
    /// The metric that is not served, or whose rows cannot be columns.
    pub(super) fn new(
        state: Arc<SinkState>,
        every: Duration,
        metrics: &[String],
        (sink, memory): (Box<dyn Sink>, &Path),
        is_of_all: bool,
        serving: NodeServing,
    ) -> Result<Self, (String, ServingError)> {
        let feed =
            |metric: &String| Feed::new(metric, &serving, memory).map_err(|error| (metric.clone(), error));
        let feeds: Vec<Feed> = metrics.iter().map(feed).collect::<Result<_, _>>()?;
        for (index, feed) in feeds.iter().enumerate() {
            state.reads(index, feed.query().sources().iter().cloned());
        }
        let (memory, followed) = (memory.to_owned(), is_of_all.then(|| serving.metric_names()));
        Ok(Driver { state, every, sink, serving, feeds, memory, followed, is_unreachable: false })
    }

    /// Has the metrics of the version of the package that is live, if it is to have all of them.
    fn follow_versions(&mut self) {
        let names = self.serving.metric_names();
        let Some(followed) = self.followed.as_mut().filter(|followed| **followed != names) else { return };
        followed.clone_from(&names);
        let mut before = std::mem::take(&mut self.feeds);
        let mut problems = Vec::new();
        for name in &names {
            let known = before.iter().position(|feed| feed.query().metric() == name);
            let feed = match known {
                Some(index) => Ok(before.swap_remove(index)),
                None => Feed::new(name, &self.serving, &self.memory),
            };
            match feed {
                Ok(feed) => self.feeds.push(feed),
                Err(error) => problems.push((name, error)),
            }
        }
        for (metric, problem) in problems {
            let sink = &self.state.name;
            tracing::error!(sink, metric, %problem, "a metric cannot be written to a sink; name the others in `metrics`");
        }
        let names: Vec<String> = self.feeds.iter().map(|feed| feed.query().metric().to_owned()).collect();
        self.state.set_metrics(&names);
        for (index, feed) in self.feeds.iter().enumerate() {
            self.state.reads(index, feed.query().sources().iter().cloned());
        }
    }

    /// Writes until the node shuts down. What is being written then is given up.
    pub(super) async fn run(mut self) {
        let closed = self.serving.closed();
        tokio::select! {
            () = closed => {}
            () = self.rounds() => {}
        }
    }

    async fn rounds(&mut self) {
        let mut first = 0;
        loop {
            self.follow_versions();
            let due = self.feeds.iter().map(|feed| feed.due).min();
            tokio::time::sleep_until(due.unwrap_or_else(|| Instant::now() + self.every).into()).await;
            let newest = self.serving.newest();
            let n_feeds = self.feeds.len();
            let mut was_unreachable = false;
            // A metric that hangs is not the first of the next round.
            let order = (0..n_feeds).map(move |number| (first + number) % n_feeds);
            for index in order {
                if self.feeds[index].due > Instant::now() {
                    continue;
                }
                let started = Instant::now();
                match self.write(index, &newest).await {
                    Ok(None) => self.feeds[index].rest(UNTIL_READY),
                    // A large table takes at most half of a thread.
                    Ok(Some(done)) => self.succeeded(index, &done, self.every.max(started.elapsed())),
                    Err(SinkError::NotComparable(_)) => self.feeds[index].rest(Duration::ZERO),
                    Err(error @ SinkError::Unreachable(_)) => {
                        self.failed(index, &error);
                        first = (index + 1) % n_feeds;
                        if std::mem::replace(&mut was_unreachable, true) || n_feeds == 1 {
                            self.unreachable(&error);
                            break;
                        }
                        continue;
                    }
                    Err(error) => self.failed(index, &error),
                }
                was_unreachable = false;
            }
        }
    }

    /// Writes a metric. While that takes long, it says so.
    async fn write(&mut self, index: usize, newest: &Arc<Published>) -> Result<Option<Done>, SinkError> {
        let (feed, state) = (&mut self.feeds[index], &self.state);
        let write = feed.write(&mut *self.sink, &self.serving, newest);
        let mut write = std::pin::pin!(write);
        let started = Instant::now();
        loop {
            tokio::select! {
                written = &mut write => return written,
                () = tokio::time::sleep(LONG) => {
                    let problem = format!("writing has taken {} s, and goes on", started.elapsed().as_secs());
                    state.change(index, |status| status.problem = Some(problem));
                }
            }
        }
    }

    fn succeeded(&mut self, index: usize, done: &Done, rest: Duration) {
        let (feed, sink) = (&mut self.feeds[index], &self.state.name);
        let was_unreachable = std::mem::take(&mut self.is_unreachable);
        if was_unreachable {
            tracing::info!(sink, "the sink is reached again");
        }
        if std::mem::take(&mut feed.has_problem) && !was_unreachable {
            tracing::info!(sink, metric = feed.query().metric(), "the sink is written again");
        }
        feed.rest(rest);
        self.state.change(index, |status| {
            status.frontier = Some(done.stored.frontier.clone());
            (status.version, status.problem) = (done.stored.version, None);
            status.n_versions += u64::from(done.n_rows.is_some());
            status.n_rows += done.n_rows.unwrap_or(0);
        });
    }

    /// Two metrics in turn cannot be written: the sink is away, and all of them wait.
    fn unreachable(&mut self, error: &SinkError) {
        if !std::mem::replace(&mut self.is_unreachable, true) {
            tracing::warn!(sink = self.state.name, %error, "the sink cannot be reached; it is tried again");
        }
        for (index, feed) in self.feeds.iter_mut().enumerate().filter(|(_, feed)| feed.due <= Instant::now())
        {
            feed.back_off();
            self.state.change(index, |status| status.problem = Some(error.to_string()));
        }
    }

    fn failed(&mut self, index: usize, error: &SinkError) {
        let feed = &mut self.feeds[index];
        feed.back_off();
        if !std::mem::replace(&mut feed.has_problem, true) && !self.is_unreachable {
            let metric = feed.query().metric();
            tracing::warn!(sink = self.state.name, metric, %error, "the sink is not written; it is tried again");
        }
        self.state.change(index, |status| status.problem = Some(error.to_string()));
    }
}
