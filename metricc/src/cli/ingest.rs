//! `metricc ingest`: sends files to a node, without losing or repeating an event.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::ProgressBar;
use metricc_client::with_causes;
use metricc_log::{BodyFormat, FileRequest, FileRequests};
use reqwest::StatusCode;
use serde_json::Value;

use super::arguments::IngestArguments;
use super::check::counted;
use super::node_client::{NodeClient, error_of};
use super::terminal::{self, Failure};

/// How often a request is sent before the command gives up.
const MAX_TRIES: u32 = 12;

/// Rejected records that are shown one by one.
const SHOWN: usize = 5;

/// The receipts of all requests, added up.
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
    node: NodeClient,
    /// Events of a request.
    n_events: usize,
}

impl Sender {
    fn new(arguments: &IngestArguments) -> Result<Self, Failure> {
        let path = ["sources", &arguments.source, "events"];
        let node = NodeClient::new(&arguments.node, &path, Some(Duration::from_secs(60)))?;
        Ok(Sender { node, n_events: arguments.events as usize })
    }

    async fn file(&self, path: &PathBuf, bar: &ProgressBar, sums: &mut Sums) -> Result<(), Failure> {
        let mut requests = FileRequests::open(path, self.n_events)?;
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
            let request = self.node.post().body(sent.body.clone());
            let request = request.header("Idempotency-Key", &sent.key);
            let request = request.header("Content-Type", sent.format.media_type());
            match request.send().await {
                Ok(response) if response.status().is_success() => {
                    let receipt: Value = serde_json::from_str(&response.text().await?)?;
                    sums.add(&receipt, path, sent);
                    return Ok(());
                }
                Ok(response) => {
                    let status = response.status();
                    last = error_of(response).await.to_string();
                    let is_temporary = status == StatusCode::TOO_MANY_REQUESTS
                        || status.is_server_error()
                        || status == StatusCode::REQUEST_TIMEOUT;
                    if !is_temporary {
                        return Err(Failure::Message(format!("{}: {last} (status {status})", self.node.url)));
                    }
                }
                Err(error) => last = with_causes(&error),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(10));
        }
        Err(Failure::Message(format!(
            "{}: gave up at record {} of {} after {MAX_TRIES} tries: {last}\n  help: run the same command again when the \
             node is back: it does not take an event twice",
            self.node.url,
            sent.first + 1,
            path.display()
        )))
    }
}

impl Sums {
    fn add(&mut self, receipt: &Value, path: &Path, sent: &FileRequest) {
        let number = |name: &str| receipt[name].as_u64().unwrap_or(0);
        self.accepted += number("accepted");
        self.duplicates += number("duplicates");
        self.conflicts += number("conflicts");
        self.quarantined += number("quarantined");
        self.repeated += u64::from(receipt["repeated"] == true);
        for exception in receipt["exceptions"].as_array().into_iter().flatten() {
            if exception["verdict"] != "quarantined" || self.n_shown >= SHOWN {
                continue;
            }
            self.n_shown += 1;
            let record = sent.first + exception["record"].as_u64().unwrap_or(0) + 1;
            // A record of NDJSON is a line, which an editor can go to.
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
    add(sums.conflicts, "of them in conflict with the first event");
    add(sums.quarantined, "quarantined");
    add(sums.repeated, "requests that the node had already");
    terminal::note(format!("{source}: {}", parts.join(", ")));
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Message(format!("{}: {error}", path.display()))
}
