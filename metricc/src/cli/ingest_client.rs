//! The requests of `metricc ingest` to a node, and when they are sent again.
//!
//! Before the first answer, nobody may be there, and waiting helps only who says so (`--retry-for`). After
//! it, a node that does not answer is one that restarts, or is busy: requests are sent again for a while, and
//! the idempotency keys keep them from being taken twice.

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use metricc_client::{ServingError, node_of, problem};
use metricc_log::{FileRequest, Slice};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::arguments::IngestArguments;
use super::node_client::{NodeClient, error_of};
use super::terminal::{self, Failure};

/// How long a node that has answered before may be away.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long events that are durable may take to be readable.
const READABLE_WITHIN: Duration = Duration::from_secs(120);

/// Whether the events that were sent are in answers.
pub(crate) enum Readable {
    Yes,
    NotYet { served: Vec<u64> },
}

pub(crate) struct IngestClient {
    node: NodeClient,
    retry_for: Duration,
    /// Whether the node has answered once.
    has_answered: Cell<bool>,
}

/// Why a request got no success.
enum Problem {
    /// Nobody answers.
    Away(String),
    /// It may be another time.
    Temporary(ServingError),
    Lasting(Failure),
}

#[derive(Deserialize)]
struct Known {
    requests: Vec<KnownRequest>,
}

#[derive(Deserialize)]
struct KnownRequest {
    key: String,
    positions: Vec<Slice>,
}

#[derive(Deserialize)]
struct ServedOf {
    served: Option<Vec<u64>>,
}

impl IngestClient {
    pub(crate) fn new(arguments: &IngestArguments) -> Result<Self, Failure> {
        let path = ["sources", &arguments.source, "events"];
        let node = NodeClient::new(&arguments.node, &path, Some(Duration::from_secs(60)))?;
        let retry_for = Duration::from_micros(arguments.retry_for.unsigned_abs());
        Ok(IngestClient { node, retry_for, has_answered: Cell::new(false) })
    }

    /// The requests that the node remembers whose keys begin with a text.
    pub(crate) async fn known(&self, prefix: &str) -> Result<Vec<(String, Vec<Slice>)>, Failure> {
        let request = || self.node.get("requests", &[("prefix", prefix)]);
        let answer = self.answered(request, "before the first record").await?;
        let known: Known = json(answer).await?;
        Ok(known.requests.into_iter().map(|known| (known.key, known.positions)).collect())
    }

    /// Sends one request until the node has it. Returns the receipt.
    pub(crate) async fn send(&self, path: &Path, sent: &FileRequest) -> Result<Value, Failure> {
        let request = || {
            let request = self.node.post().body(sent.body.clone());
            let request = request.header("Idempotency-Key", &sent.key);
            request.header("Content-Type", sent.format.media_type())
        };
        let place = format!("at record {} of {}", sent.first + 1, path.display());
        json(self.answered(request, &place).await?).await
    }

    /// Waits until answers cover a frontier.
    pub(crate) async fn wait_until_readable(&self, frontier: &[u64]) -> Result<Readable, Failure> {
        let text = frontier.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let end = Instant::now() + READABLE_WITHIN;
        while !frontier.is_empty() {
            let request = || self.node.get("served", &[("min_frontier", &text)]);
            let answer = self.answered(request, "after the last record").await?;
            let served = json::<ServedOf>(answer).await?.served.unwrap_or_default();
            let covers = served.len() >= frontier.len()
                && served.iter().zip(frontier).all(|(served, wanted)| served >= wanted);
            match covers {
                true => break,
                false if Instant::now() >= end => return Ok(Readable::NotYet { served }),
                // A node that is reading its log answers at once.
                false if served.is_empty() => tokio::time::sleep(Duration::from_millis(200)).await,
                false => {}
            }
        }
        Ok(Readable::Yes)
    }

    /// Sends a request until it succeeds, or there is no point in going on.
    async fn answered(&self, request: impl Fn() -> RequestBuilder, place: &str) -> Result<Response, Failure> {
        let mut pause = Duration::from_millis(200);
        let (start, mut is_away) = (Instant::now(), false);
        loop {
            let node = node_of(&self.node.url);
            let answer = self.once(request()).await;
            let is_still_away = matches!(answer, Err(Problem::Away(_)));
            if is_away && !is_still_away {
                terminal::note(format!("node at {node} is back"));
            }
            let (problem, temporary) = match answer {
                Ok(response) => return Ok(response),
                Err(Problem::Lasting(failure)) => return Err(failure),
                Err(Problem::Away(problem)) => (problem, None),
                Err(Problem::Temporary(error)) => (error.to_string(), Some(error)),
            };
            let has_answered = self.has_answered.get();
            let patience = if has_answered { PATIENCE.max(self.retry_for) } else { self.retry_for };
            if start.elapsed() + pause > patience {
                let help = match has_answered {
                    true => {
                        "run the same command again when the node is back: it does not take an event twice"
                    }
                    false => "`--retry-for 60s` waits for a node that is being started",
                };
                let gave_up = if has_answered { format!(": gave up {place}") } else { String::new() };
                let message = format!("{node}: {problem}{gave_up}\n  help: {help}");
                return Err(match temporary {
                    Some(error) => Failure::of_node(&error, &message),
                    None => Failure::Message(message),
                });
            }
            if is_still_away && !is_away {
                let seconds = patience.saturating_sub(start.elapsed()).as_secs_f64().ceil();
                terminal::note(format!("node at {node} does not answer; trying again for {seconds} s"));
            }
            is_away = is_still_away;
            tokio::time::sleep(pause).await;
            // A node keeps a connection without a request for five seconds.
            pause = (pause * 2).min(Duration::from_secs(3));
        }
    }

    async fn once(&self, request: RequestBuilder) -> Result<Response, Problem> {
        let response = request.send().await.map_err(|error| Problem::Away(self.node.problem(&error)))?;
        self.has_answered.set(true);
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let error = error_of(response).await;
        let is_temporary = status == StatusCode::TOO_MANY_REQUESTS
            || status.is_server_error()
            || status == StatusCode::REQUEST_TIMEOUT;
        Err(match is_temporary {
            true => Problem::Temporary(error),
            false => {
                let node = node_of(&self.node.url);
                Problem::Lasting(Failure::Message(format!("{node}: {error} (status {status})")))
            }
        })
    }
}

async fn json<T: serde::de::DeserializeOwned>(response: Response) -> Result<T, Failure> {
    let node = node_of(response.url());
    let failed = |problem: String| Failure::Message(format!("{node}: {problem}"));
    let bytes = response.bytes().await.map_err(|error| failed(problem(&error)))?;
    serde_json::from_slice(&bytes).map_err(|error| failed(problem(&error)))
}
