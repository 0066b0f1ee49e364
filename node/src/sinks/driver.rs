//! The loop of a sink: its metrics one after the other, each as often as it may be and has something new.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metricc_client::ServingError;
use metricc_runtime_serve::ServingTables;
use metricc_sinks::{Sink, SinkError};

use super::feed::{Done, Feed};
use crate::reading::NodeServing;
use crate::sink_status::SinkState;

/// How long to wait for the first answers of the node.
const UNTIL_READY: Duration = Duration::from_millis(100);

/// What drives a sink.
pub(super) struct Driver {
    state: Arc<SinkState>,
    every: Duration,
    sink: Box<dyn Sink>,
    serving: NodeServing,
    feeds: Vec<Feed>,
    /// Whether it was said that the sink cannot be reached.
    is_unreachable: bool,
}

impl Driver {
    /// # Errors
    /// If a metric is not served.
    pub(super) fn new(
        state: Arc<SinkState>,
        every: Duration,
        metrics: &[String],
        sink: Box<dyn Sink>,
        serving: NodeServing,
    ) -> Result<Self, ServingError> {
        let feeds = metrics.iter().map(|metric| Feed::new(metric, &serving));
        let feeds: Vec<Feed> = feeds.collect::<Result<_, _>>()?;
        for (index, feed) in feeds.iter().enumerate() {
            state.reads(index, feed.query().sources().iter().cloned());
        }
        Ok(Driver { state, every, sink, serving, feeds, is_unreachable: false })
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
        while let Some(due) = self.feeds.iter().map(|feed| feed.due).min() {
            tokio::time::sleep_until(due.into()).await;
            let newest = self.serving.newest();
            for index in 0..self.feeds.len() {
                if self.feeds[index].due > Instant::now() {
                    continue;
                }
                let started = Instant::now();
                let written = self.feeds[index].write(&mut *self.sink, &self.serving, &newest).await;
                match written {
                    Ok(None) => self.feeds[index].rest(UNTIL_READY),
                    // A large table takes at most half of a thread.
                    Ok(Some(done)) => self.succeeded(index, &done, self.every.max(started.elapsed())),
                    Err(SinkError::NotComparable(_)) => self.feeds[index].rest(Duration::ZERO),
                    Err(SinkError::Unreachable(problem)) => {
                        self.unreachable(&problem);
                        break;
                    }
                    Err(error) => self.failed(index, &error),
                }
            }
        }
    }

    fn succeeded(&mut self, index: usize, done: &Done, rest: Duration) {
        let (feed, sink) = (&mut self.feeds[index], &self.state.name);
        if std::mem::take(&mut self.is_unreachable) {
            tracing::info!(sink, "the sink is reached again");
        }
        if std::mem::take(&mut feed.has_problem) {
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

    /// No metric can be written: all of them wait.
    fn unreachable(&mut self, problem: &str) {
        if !std::mem::replace(&mut self.is_unreachable, true) {
            tracing::warn!(sink = self.state.name, problem, "the sink cannot be reached; it is tried again");
        }
        for (index, feed) in self.feeds.iter_mut().enumerate() {
            feed.back_off();
            self.state.change(index, |status| status.problem = Some(problem.to_owned()));
        }
    }

    fn failed(&mut self, index: usize, error: &SinkError) {
        let feed = &mut self.feeds[index];
        feed.back_off();
        if !std::mem::replace(&mut feed.has_problem, true) {
            let metric = feed.query().metric();
            tracing::warn!(sink = self.state.name, metric, %error, "the sink is not written; it is tried again");
        }
        self.state.change(index, |status| status.problem = Some(error.to_string()));
    }
}
