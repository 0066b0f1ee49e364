//! A webhook: a request for each version, with one change for each row that differs.
//!
//! A webhook cannot be asked what it holds. The node keeps what it has acknowledged, and what it may have
//! got: after a kill, that is sent again as it was, with the same `Idempotency-Key`. It gets every change at
//! least once, and in order.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Certificate, Client, StatusCode, Url};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::with_causes;
use crate::{Change, Changes, Held, Row, Secret, Sink, SinkError, Stored, Version, Written};

/// Changes of one request, and bytes of them. A change that is larger goes alone.
const MOST_CHANGES: usize = 1000;
const MOST_BYTES: usize = 1_000_000;
/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Where requests go.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// `https://HOST/PATH`.
    pub url: String,
    /// The header `Authorization`.
    pub authorization: Option<Secret>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Certificates that are trusted besides those of this machine.
    pub ca: Option<PathBuf>,
}

/// A server that gets a request for each version.
#[derive(Debug)]
pub struct WebhookSink {
    url: Url,
    client: Client,
    authorization: Option<HeaderValue>,
}

impl WebhookSink {
    /// Checks the settings; does not connect.
    ///
    /// # Errors
    /// What is wrong with a setting, without what stands there.
    pub fn new(settings: WebhookSettings) -> Result<Self, String> {
        let form = "it must be of the form `https://HOST/PATH`";
        let url = Url::parse(&settings.url)
            .map_err(|error| format!("`url` cannot be understood ({error}): {form}"))?;
        if !["http", "https"].contains(&url.scheme()) || url.host().is_none() {
            return Err(format!("`url` is not the address of a web server: {form}"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("`url` has a user: set `authorization = \"env:NAME\"` instead".to_owned());
        }
        let authorization = settings.authorization.map(|Secret(value)| {
            let mut value = HeaderValue::from_str(&value)
                .map_err(|_| "`authorization` has characters that a header cannot have".to_owned())?;
            value.set_sensitive(true);
            Ok::<_, String>(value)
        });
        let mut builder = Client::builder()
            .user_agent(concat!("metricc/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(settings.timeout)
            // A redirect would show the header to another server.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(path) = &settings.ca {
            let cannot = |error: &dyn std::fmt::Display| {
                format!("`ca`: `{}` cannot be read as PEM: {error}", path.display())
            };
            let pem = std::fs::read(path).map_err(|error| cannot(&error))?;
            for certificate in Certificate::from_pem_bundle(&pem).map_err(|error| cannot(&error))? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let client = builder.build().map_err(|error| with_causes(&error))?;
        Ok(WebhookSink { url, client, authorization: authorization.transpose()? })
    }

    /// Sends some changes of a version.
    async fn post(&self, version: &Version, part: &Part) -> Result<(), SinkError> {
        let body = part.body(version).map_err(|error| SinkError::Refused(error.to_string()))?;
        // Of equal versions, bodies are equal; it is part of the key all the same, since a server that drops
        // a request that it took for another one would lose changes.
        let mut digest = DefaultHasher::new();
        body.hash(&mut digest);
        let Stored { hash, version: number, .. } = &version.next;
        let key = format!("{}:{hash}:{number}:{}:{:016x}", version.metric, part.number, digest.finish());
        let mut request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        request = request.header("idempotency-key", key).body(body);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        // The error has the URL, whose query may be a secret.
        let sent = request.send().await.map_err(|error| {
            SinkError::Unreachable(format!("{}: {}", self.shown(), with_causes(&error.without_url())))
        })?;
        let status = sent.status();
        if status.is_success() {
            return Ok(());
        }
        let problem = format!("{} answered {status}", self.shown());
        let is_passing = status.is_server_error()
            || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS]
                .contains(&status);
        Err(if is_passing { SinkError::Unreachable(problem) } else { SinkError::Refused(problem) })
    }

    /// The server, without path and query.
    fn shown(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

/// Some changes of a version.
#[derive(Debug, Default)]
struct Part {
    number: usize,
    is_last: bool,
    /// The JSON of each change.
    changes: Vec<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    metric: &'a str,
    #[serde(flatten)]
    next: &'a Stored,
    /// The frontier that the receiver has.
    from: Option<&'a [u64]>,
    complete: bool,
    part: usize,
    last: bool,
    changes: Vec<&'a RawValue>,
}

#[derive(Serialize)]
struct ChangedRow<'a> {
    key: &'a RawValue,
    window: &'a RawValue,
    row: Option<&'a RawValue>,
}

impl Part {
    fn body(&self, version: &Version) -> serde_json::Result<String> {
        let changes = self.changes.iter().map(|change| serde_json::from_str::<&RawValue>(change));
        let base = version.base.as_ref().filter(|_| !version.is_complete);
        serde_json::to_string(&Body {
            metric: &version.metric,
            next: &version.next,
            from: base.map(|base| &base.frontier[..]),
            complete: version.is_complete,
            part: self.number,
            last: self.is_last,
            changes: changes.collect::<Result<_, _>>()?,
        })
    }
}

/// The changes in parts of a limited size, which are the same however they come.
struct Parts<'a> {
    changes: &'a mut dyn Changes,
    waiting: VecDeque<String>,
    n_waiting_bytes: usize,
    n_parts: usize,
    is_over: bool,
}

impl<'a> Parts<'a> {
    fn new(changes: &'a mut dyn Changes) -> Self {
        Parts { changes, waiting: VecDeque::new(), n_waiting_bytes: 0, n_parts: 0, is_over: false }
    }

    /// Whether what waits is more than a part: one change more tells whether it is the last one.
    fn has_more_than_a_part(&self) -> bool {
        let n = self.waiting.len();
        n > MOST_CHANGES || (n > 1 && self.n_waiting_bytes > MOST_BYTES)
    }

    fn next(&mut self) -> Result<Option<Part>, SinkError> {
        while !self.is_over && !self.has_more_than_a_part() {
            match self.changes.next()? {
                Some(change) => {
                    let rows = changed_rows(&change)?;
                    self.n_waiting_bytes += rows.iter().map(String::len).sum::<usize>();
                    self.waiting.extend(rows);
                }
                None => self.is_over = true,
            }
        }
        let mut changes = Vec::new();
        let mut n_bytes = 0;
        while let Some(change) = self.waiting.pop_front() {
            let is_over_limit = changes.len() == MOST_CHANGES || n_bytes + change.len() > MOST_BYTES;
            if is_over_limit && !changes.is_empty() {
                self.waiting.push_front(change);
                break;
            }
            n_bytes += change.len();
            changes.push(change);
        }
        if changes.is_empty() {
            return Ok(None);
        }
        self.n_waiting_bytes -= n_bytes;
        let part = Part { number: self.n_parts, is_last: self.waiting.is_empty(), changes };
        self.n_parts += 1;
        Ok(Some(part))
    }
}

/// The JSON of each change.
fn changed_rows(change: &Change) -> Result<Vec<String>, SinkError> {
    let (rows, is_removed) = match change {
        Change::Written(rows) => (rows, false),
        Change::Removed(rows) => (rows, true),
    };
    let json = |json: &String| {
        let failed = |error: serde_json::Error| SinkError::Refused(error.to_string());
        let Row { key, window, .. } = Row::parse(json)?;
        let row = if is_removed { None } else { Some(serde_json::from_str(json).map_err(failed)?) };
        serde_json::to_string(&ChangedRow { key, window, row }).map_err(failed)
    };
    rows.json.iter().map(json).collect()
}

#[async_trait]
impl Sink for WebhookSink {
    async fn held(&mut self, _: &str) -> Result<Held, SinkError> {
        // The query of a URL may be a secret.
        let mut digest = DefaultHasher::new();
        self.url.as_str().hash(&mut digest);
        Ok(Held::Unknown { receiver: format!("{} {:016x}", self.shown(), digest.finish()) })
    }

    async fn write(&mut self, version: &Version, changes: &mut dyn Changes) -> Result<Written, SinkError> {
        let mut parts = Parts::new(changes);
        // A version without changes is told as well: the next one begins at its frontier.
        let mut next =
            Some(parts.next()?.unwrap_or_else(|| Part { number: 0, is_last: true, changes: Vec::new() }));
        let mut n_rows = 0;
        while let Some(part) = next {
            self.post(version, &part).await?;
            n_rows += part.changes.len() as u64;
            next = parts.next()?;
        }
        Ok(Written { n_rows })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::RecordBatch;
    use arrow::datatypes::Schema;

    use super::*;
    use crate::Rows;

    struct Pieces(Vec<Change>);

    impl Changes for Pieces {
        fn next(&mut self) -> Result<Option<Change>, SinkError> {
            Ok(if self.0.is_empty() { None } else { Some(self.0.remove(0)) })
        }
    }

    fn pieces(sizes: &[usize]) -> Pieces {
        let mut number = 0;
        let piece = |n: &usize| {
            let mut row = || {
                number += 1;
                format!(r#"{{"metric":"m","key":{{"k":{number}}},"window":null,"value":1}}"#)
            };
            let json = (0..*n).map(|_| row()).collect();
            let columns = RecordBatch::new_empty(Arc::new(Schema::empty()));
            Change::Written(Rows { columns, json, is_bare: true })
        };
        Pieces(sizes.iter().map(piece).collect())
    }

    #[test]
    fn parts_are_the_same_however_changes_come() {
        for n in [0, 1, MOST_CHANGES - 1, MOST_CHANGES, MOST_CHANGES + 1, 2 * MOST_CHANGES + 7] {
            let parts_of = |sizes: &[usize]| {
                let mut changes = pieces(sizes);
                let mut parts = Parts::new(&mut changes);
                let mut all = Vec::new();
                while let Some(part) = parts.next().unwrap() {
                    all.push((part.number, part.is_last, part.changes));
                }
                all
            };
            let whole = parts_of(&[n]);
            assert_eq!(whole, parts_of(&vec![1; n]));
            assert_eq!(whole.iter().map(|(_, _, changes)| changes.len()).sum::<usize>(), n);
            assert_eq!(whole.iter().filter(|(_, is_last, _)| *is_last).count(), usize::from(n > 0));
        }
    }

    #[test]
    fn parts_are_limited_by_bytes_and_a_larger_change_goes_alone() {
        let row = |n_bytes: usize| {
            let text = "x".repeat(n_bytes);
            format!(r#"{{"metric":"m","key":{{"k":"{text}"}},"window":null,"value":1}}"#)
        };
        let sizes_of = |sizes: &[usize], is_at_once: bool| {
            let columns = RecordBatch::new_empty(Arc::new(Schema::empty()));
            let rows = |json| Change::Removed(Rows { columns: columns.clone(), json, is_bare: true });
            let all: Vec<String> = sizes.iter().map(|n_bytes| row(*n_bytes)).collect();
            let pieces = match is_at_once {
                true => vec![rows(all)],
                false => all.into_iter().map(|json| rows(vec![json])).collect(),
            };
            let mut changes = Pieces(pieces);
            let mut parts = Parts::new(&mut changes);
            let mut found = Vec::new();
            while let Some(part) = parts.next().unwrap() {
                found.push((part.changes.len(), part.is_last));
            }
            found
        };
        let (large, third) = (MOST_BYTES + 1, MOST_BYTES / 3 + 1);
        for (sizes, wanted) in [
            (vec![large], vec![(1, true)]),
            (vec![large, 1], vec![(1, false), (1, true)]),
            (vec![1, large, 1, 1], vec![(1, false), (1, false), (2, true)]),
            (vec![third; 5], vec![(2, false), (2, false), (1, true)]),
        ] {
            for is_at_once in [true, false] {
                assert_eq!(sizes_of(&sizes, is_at_once), wanted, "{} changes", sizes.len());
            }
        }
    }
}
