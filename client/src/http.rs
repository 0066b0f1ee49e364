//! Reading from a node over HTTP.

use std::time::Duration;

use crate::{Explained, ReadRequest, Served, ServedMetric, Serving, ServingError};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, Url};
use serde_json::Value;

/// Longest time to connect, and to wait for the next bytes of an answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A node, asked over HTTP.
#[derive(Debug, Clone)]
pub struct HttpServing {
    client: Client,
    base: Url,
    token: Option<HeaderValue>,
}

impl HttpServing {
    /// The node at a URL such as `http://127.0.0.1:7171`.
    ///
    /// # Errors
    /// [`ServingError::Request`] if it is no URL.
    pub fn new(url: &str) -> Result<Self, ServingError> {
        let wrong =
            |problem: String| ServingError::Request(format!("`{url}` is no URL of a node: {problem}"));
        let base = Url::parse(url).map_err(|error| wrong(error.to_string()))?;
        if base.cannot_be_a_base() || base.scheme() != "http" {
            return Err(wrong("write it as `http://127.0.0.1:7171`".to_owned()));
        }
        let client = Client::builder().connect_timeout(TIMEOUT).read_timeout(TIMEOUT).build();
        Ok(HttpServing { client: client.map_err(|error| wrong(error.to_string()))?, base, token: None })
    }

    /// The same node, asked with a token.
    ///
    /// # Errors
    /// [`ServingError::Request`] if the token has characters that no token has.
    pub fn with_token(self, token: &str) -> Result<Self, ServingError> {
        let mut header = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| ServingError::Request("the token is no text of visible characters".to_owned()))?;
        header.set_sensitive(true);
        Ok(HttpServing { token: Some(header), ..self })
    }

    /// The rows of a metric in a form that the node has beside JSON: `csv`, or `arrow` (an IPC stream).
    ///
    /// # Errors
    /// [`ServingError`], as for [`Serving::read`].
    pub async fn read_as(&self, request: &ReadRequest, format: &str) -> Result<Vec<u8>, ServingError> {
        let mut url = self.question(request, &[]);
        url.query_pairs_mut().append_pair("format", format);
        let response = Self::ask(self.get(url.clone()), url.clone(), request.metric.clone()).await?;
        Ok(response.bytes().await.map_err(|error| unreachable(&url, &error))?.to_vec())
    }

    fn get(&self, url: Url) -> RequestBuilder {
        let request = self.client.get(url);
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, token.clone()),
            None => request,
        }
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["v1"]).extend(path);
        }
        url
    }

    fn question(&self, request: &ReadRequest, last: &[&str]) -> Url {
        let mut path = vec!["metrics", request.metric.as_str()];
        path.extend(last);
        let mut url = self.url(&path);
        append(&mut url, request);
        if let Some(hash) = &request.hash {
            url.query_pairs_mut().append_pair("hash", hash);
        }
        url
    }

    /// One question of several metrics; none if they are asked in different ways.
    fn many(&self, requests: &[ReadRequest]) -> Option<Url> {
        let first = requests.first()?;
        let mut url = self.url(&["read"]);
        for request in requests {
            let of_first =
                ReadRequest { metric: first.metric.clone(), hash: first.hash.clone(), ..request.clone() };
            if of_first != *first {
                return None;
            }
            let hash = request.hash.as_ref().map(|hash| format!("@{hash}")).unwrap_or_default();
            url.query_pairs_mut().append_pair("metric", &format!("{}{hash}", request.metric));
        }
        append(&mut url, first);
        Some(url)
    }

    async fn ask(request: RequestBuilder, url: Url, metric: String) -> Result<Response, ServingError> {
        let failed = |error: reqwest::Error| unreachable(&url, &error);
        let response = request.send().await.map_err(failed)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = response.text().await.map_err(failed)?;
        Err(refusal(&url, &metric, status.as_u16(), &body))
    }
}

/// Which rows are asked for.
fn append(url: &mut Url, request: &ReadRequest) {
    let mut pairs = url.query_pairs_mut();
    for (key, value) in &request.keys {
        pairs.append_pair(&format!("key.{key}"), &value.to_string());
    }
    for (name, instant) in [("from", request.from), ("to", request.to)] {
        if let Some(instant) = instant {
            pairs.append_pair(name, &instant.to_string());
        }
    }
    if let Some(grain) = &request.grain {
        pairs.append_pair("grain", grain);
    }
    if let Some(at) = &request.at {
        let offsets: Vec<String> = at.iter().map(u64::to_string).collect();
        pairs.append_pair("at", &offsets.join(","));
    }
    for (name, is_set) in [("latest", request.latest), ("receipt", request.receipt)] {
        if is_set {
            pairs.append_pair(name, "true");
        }
    }
}

fn unreachable(url: &Url, error: &dyn std::error::Error) -> ServingError {
    let mut problem = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        problem = format!("{problem}: {error}");
        cause = error.source();
    }
    ServingError::Unreachable { url: url.to_string(), problem }
}

/// What a node said instead of rows.
fn refusal(url: &Url, metric: &str, status: u16, body: &str) -> ServingError {
    let parsed: Value = serde_json::from_str(body).unwrap_or_default();
    let error = &parsed["error"];
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    match error["code"].as_str() {
        Some("unknown_metric") => {
            let known = error["known"].as_array().into_iter().flatten();
            let known = known.filter_map(|name| name.as_str().map(str::to_owned)).collect();
            ServingError::UnknownMetric { name: metric.to_owned(), known }
        }
        Some("other_definition") => ServingError::OtherDefinition {
            metric: metric.to_owned(),
            served: text("served"),
            wanted: text("wanted"),
        },
        Some("request") => ServingError::Request(text("message")),
        Some("starting") => ServingError::NotReady { origin: text("origin") },
        Some(_) => ServingError::Failed(text("message")),
        None => ServingError::Unreachable {
            url: url.to_string(),
            problem: format!("no node of metricc answers there, but something with status {status}"),
        },
    }
}

impl Serving for HttpServing {
    fn metrics(&self) -> BoxFuture<'_, Result<Vec<ServedMetric>, ServingError>> {
        #[derive(serde::Deserialize)]
        struct Metrics {
            metrics: Vec<ServedMetric>,
        }
        let url = self.url(&["metrics"]);
        async move {
            let response = Self::ask(self.get(url.clone()), url.clone(), String::new()).await?;
            let body = response.text().await.map_err(|error| unreachable(&url, &error))?;
            let answer: Metrics = serde_json::from_str(&body).map_err(|error| unreachable(&url, &error))?;
            Ok(answer.metrics)
        }
        .boxed()
    }

    fn read(&self, request: ReadRequest) -> BoxFuture<'_, Result<Served, ServingError>> {
        let url = self.question(&request, &[]);
        async move {
            let response = Self::ask(self.get(url.clone()), url.clone(), request.metric).await?;
            let body = response.text().await.map_err(|error| unreachable(&url, &error))?;
            serde_json::from_str(&body).map_err(|error| unreachable(&url, &error))
        }
        .boxed()
    }

    fn read_many(&self, requests: Vec<ReadRequest>) -> BoxFuture<'_, Result<Vec<Served>, ServingError>> {
        #[derive(serde::Deserialize)]
        struct Answers {
            answers: Vec<Served>,
        }
        async move {
            let url = self.many(&requests);
            let Some(url) = url else {
                let problem = "several metrics are asked for in one way: keys, windows, grain and frontier are the same";
                return Err(ServingError::Request(problem.to_owned()));
            };
            let name = requests.first().map(|request| request.metric.clone()).unwrap_or_default();
            let response = Self::ask(self.get(url.clone()), url.clone(), name).await?;
            let body = response.text().await.map_err(|error| unreachable(&url, &error))?;
            let answers: Answers = serde_json::from_str(&body).map_err(|error| unreachable(&url, &error))?;
            Ok(answers.answers)
        }
        .boxed()
    }

    fn explain(&self, request: ReadRequest) -> BoxFuture<'_, Result<Explained, ServingError>> {
        let url = self.question(&request, &["explain-value"]);
        async move {
            let response = Self::ask(self.get(url.clone()), url.clone(), request.metric).await?;
            let body = response.text().await.map_err(|error| unreachable(&url, &error))?;
            serde_json::from_str(&body).map_err(|error| unreachable(&url, &error))
        }
        .boxed()
    }

    fn subscribe(&self, request: ReadRequest) -> BoxStream<'static, Result<Served, ServingError>> {
        let url = self.question(&request, &["live"]);
        let asked = Self::ask(self.get(url.clone()), url.clone(), request.metric);
        stream::once(asked)
            .flat_map(move |response| match response {
                Err(error) => stream::once(async { Err(error) }).boxed(),
                Ok(response) => events(url.clone(), response),
            })
            .boxed()
    }
}

/// The rows of server-sent events, as they arrive.
fn events(url: Url, response: Response) -> BoxStream<'static, Result<Served, ServingError>> {
    struct State {
        bytes: BoxStream<'static, reqwest::Result<Vec<u8>>>,
        /// What has arrived of the next line, and of the event before it.
        pending: Vec<u8>,
        url: Url,
        is_over: bool,
    }
    let bytes = response.bytes_stream().map(|chunk| chunk.map(|bytes| bytes.to_vec())).boxed();
    let state = State { bytes, pending: Vec::new(), url, is_over: false };
    stream::unfold(state, |mut state| async move {
        loop {
            if state.is_over {
                return None;
            }
            if let Some(end) = state.pending.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = state.pending.drain(..end + 2).collect();
                match event_of(&state.url, &String::from_utf8_lossy(&event)) {
                    None => continue,
                    Some(answer) => {
                        state.is_over = answer.is_err();
                        return Some((answer, state));
                    }
                }
            }
            match state.bytes.next().await {
                None => return None,
                Some(Ok(bytes)) => state.pending.extend(bytes),
                Some(Err(error)) => {
                    state.is_over = true;
                    return Some((Err(unreachable(&state.url, &error)), state));
                }
            }
        }
    })
    .boxed()
}

/// What one event says; none for a sign of life.
fn event_of(url: &Url, event: &str) -> Option<Result<Served, ServingError>> {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name).map(str::trim_start));
    let data = field("data:")?;
    Some(match field("event:") {
        Some("error") => {
            let parsed: Value = serde_json::from_str(data).unwrap_or_default();
            Err(ServingError::Failed(parsed["message"].as_str().unwrap_or(data).to_owned()))
        }
        _ => serde_json::from_str(data).map_err(|error| unreachable(url, &error)),
    })
}
