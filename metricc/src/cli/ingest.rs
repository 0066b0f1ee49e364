//! `metricc ingest`: the client that sends files to a node, and neither loses nor repeats an event on the way.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::ProgressBar;
use metricc_log::{BodyFormat, FileRequest, FileRequests};
use reqwest::StatusCode;
use serde_json::Value;

use super::arguments::IngestArguments;
use super::check::counted;
use super::terminal::{self, Failure};

/// How often a request is sent before that is given up.
const MAX_TRIES: u32 = 12;

/// Exceptions that are shown one by one.
const SHOWN: usize = 5;

/// What the node said of all requests.
#[derive(Debug, Default)]
struct Sums {
    accepted: u64,
    duplicates: u64,
    conflicts: u64,
    quarantined: u64,
    repeated: u64,
    n_shown: usize,
}

pub(crate) fn run(arguments: &IngestArguments) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let total = arguments.files.iter().try_fold(0, |total, path| {
        let length = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
        Ok::<u64, Failure>(total + length)
    })?;
    let bar = super::progress::bar(total, "bytes", &arguments.source);
    let sender = Sender::new(arguments)?;
    let mut sums = Sums::default();
    for path in &arguments.files {
        runtime.block_on(sender.file(path, &bar, &mut sums))?;
    }
    bar.finish_and_clear();
    report(&sums, &arguments.source);
    Ok(if sums.quarantined > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

struct Sender {
    client: reqwest::Client,
    url: reqwest::Url,
    token: Option<String>,
    events: usize,
}

impl Sender {
    fn new(arguments: &IngestArguments) -> Result<Self, Failure> {
        let base = &arguments.node.node;
        let mut url = reqwest::Url::parse(base)
            .map_err(|error| Failure::Message(format!("`{base}` is no URL of a node: {error}")))?;
        match url.path_segments_mut() {
            Ok(mut path) => path.pop_if_empty().extend(["v1", "sources", &arguments.source, "events"]),
            Err(()) => return Err(Failure::Message(format!("`{base}` is no URL of a node"))),
        };
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(60))
            .build()?;
        Ok(Sender { client, url, token: arguments.node.token()?, events: arguments.events as usize })
    }

    async fn file(&self, path: &PathBuf, bar: &ProgressBar, sums: &mut Sums) -> Result<(), Failure> {
        let mut requests = FileRequests::open(path, self.events)?;
        let (n_bytes, start) =
            (std::fs::metadata(path).map_err(|error| unreadable(path, &error))?.len(), bar.position());
        while let Some(request) = requests.next_request()? {
            self.send(path, &request, sums).await?;
            if let Some(n_done) = request.n_bytes_done {
                bar.set_position(start + n_done);
            }
        }
        bar.set_position(start + n_bytes);
        Ok(())
    }

    /// Sends one request until the node has it.
    async fn send(&self, path: &Path, sent: &FileRequest, sums: &mut Sums) -> Result<(), Failure> {
        let mut pause = Duration::from_millis(200);
        let mut last = String::new();
        for _ in 0..MAX_TRIES {
            let request = self.client.post(self.url.clone()).body(sent.body.clone());
            let request = request.header("Idempotency-Key", &sent.key);
            let mut request = request.header("Content-Type", sent.format.media_type());
            if let Some(token) = &self.token {
                request = request.bearer_auth(token);
            }
            match request.send().await {
                Ok(response) if response.status().is_success() => {
                    let answer: Value = serde_json::from_str(&response.text().await?)?;
                    sums.add(&answer, path, sent);
                    return Ok(());
                }
                Ok(response) => {
                    let status = response.status();
                    let text = response.text().await.unwrap_or_default();
                    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
                    last = answer["error"]["message"].as_str().map_or(text, str::to_owned);
                    let is_passing = status == StatusCode::TOO_MANY_REQUESTS
                        || status.is_server_error()
                        || status == StatusCode::REQUEST_TIMEOUT;
                    if !is_passing {
                        return Err(Failure::Message(format!("{}: {last} (status {status})", self.url)));
                    }
                }
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(10));
        }
        Err(Failure::Message(format!(
            "{}: given up at record {} of {} after {MAX_TRIES} tries: {last}\n  help: run the same command again when the \
             node is back: what it has is not sent twice",
            self.url,
            sent.first + 1,
            path.display()
        )))
    }
}

impl Sums {
    fn add(&mut self, answer: &Value, path: &Path, sent: &FileRequest) {
        let number = |name: &str| answer[name].as_u64().unwrap_or(0);
        self.accepted += number("accepted");
        self.duplicates += number("duplicates");
        self.conflicts += number("conflicts");
        self.quarantined += number("quarantined");
        self.repeated += u64::from(answer["repeated"] == true);
        for exception in answer["exceptions"].as_array().into_iter().flatten() {
            if exception["verdict"] != "quarantined" || self.n_shown >= SHOWN {
                continue;
            }
            self.n_shown += 1;
            let record = sent.first + exception["record"].as_u64().unwrap_or(0) + 1;
            // A record of NDJSON is a line, which editors find.
            let location = match sent.format {
                BodyFormat::Ndjson => format!("{}:{record}", path.display()),
                _ => format!("{}: record {record}", path.display()),
            };
            let field =
                exception["field"].as_str().map(|field| format!("field `{field}`: ")).unwrap_or_default();
            let problem = exception["problem"].as_str().unwrap_or_default();
            terminal::warning(&format!("{location}: quarantined: {field}{problem}"));
        }
    }
}

fn report(sums: &Sums, source: &str) {
    let mut parts = vec![counted(sums.accepted as usize, "event", "events")];
    let mut add = |n: u64, what: &str| {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    };
    add(sums.duplicates, "duplicates left out");
    add(sums.conflicts, "of them in conflict with the first");
    add(sums.quarantined, "quarantined");
    add(sums.repeated, "requests that the node had already");
    terminal::note(format!("{source}: {}", parts.join(", ")));
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Message(format!("{}: {error}", path.display()))
}
