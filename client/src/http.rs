//! The client of a node.

mod ask;

use std::error::Error;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use eventsource_stream::{EventStreamError, Eventsource};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryFutureExt};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{
    ErrorBody, ErrorFields, Explained, Format, NEXT_HEADER, NOTE_HEADER, OVERFLOW_HEADER, Parameters,
    ReadRequest, Served, ServedMetric, Serving, ServingError, until_error,
};

/// Time limit for connecting, and for the next bytes of an answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A node, read over HTTP.
#[derive(Debug, Clone)]
pub struct HttpServing {
    client: Client,
    base: Url,
    token: Option<HeaderValue>,
    time_limit: Duration,
    /// The authorities that are trusted instead of those of this machine, in PEM.
    trusted: Option<Arc<[u8]>>,
}

/// Rows in some [`Format`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedRows {
    /// The rows.
    pub bytes: Vec<u8>,
    /// As [`Served::notes`], of formats that have rows alone.
    pub notes: Vec<String>,
    /// What could not be computed: the text of [`OVERFLOW_HEADER`].
    pub overflow: Option<String>,
    /// As [`Served::next`].
    pub next: Option<String>,
}

/// The URL of a path below `v1` at a node such as `http://127.0.0.1:7171`.
///
/// # Errors
/// [`ServingError::Request`] if `base` is not the URL of a node.
pub fn node_url(base: &str, path: &[&str]) -> Result<Url, ServingError> {
    let invalid = |problem: &str| {
        let host = base.trim_matches('/');
        let (name, port) = host.rsplit_once(':').unwrap_or((host, "7171"));
        let is_host = !name.is_empty() && !name.contains([':', '/', ' ']) && port.parse::<u16>().is_ok();
        let example = if is_host { host } else { "127.0.0.1:7171" };
        let help = format!("write it as `http://{example}`");
        ServingError::Request(format!("`{base}` is not the URL of a node: {problem}; {help}"))
    };
    let mut url = Url::parse(base).map_err(|error| invalid(&error.to_string()))?;
    if url.scheme() == "https" && !cfg!(feature = "tls") {
        let problem = format!(
            "`{base}` cannot be reached: this build of the client speaks HTTP without TLS; build it with the feature `tls`, \
             or give the address of a tunnel to the node, as `http://127.0.0.1:7171`"
        );
        return Err(ServingError::Request(problem));
    }
    if !["http", "https"].contains(&url.scheme()) {
        return Err(invalid("the scheme is neither `http` nor `https`"));
    }
    match url.path_segments_mut() {
        Ok(mut segments) => segments.pop_if_empty().push("v1").extend(path),
        Err(()) => return Err(invalid("it cannot have a path")),
    };
    Ok(url)
}

/// The body of `GET /v1/metrics`.
#[derive(Deserialize)]
struct Metrics {
    metrics: Vec<ServedMetric>,
}

/// The body of `GET /v1/read`.
#[derive(Deserialize)]
struct Answers {
    answers: Vec<Served>,
}

impl HttpServing {
    /// The node at a URL such as `http://127.0.0.1:7171`.
    ///
    /// # Errors
    /// [`ServingError::Request`] if it is not the URL of a node.
    pub fn new(url: &str) -> Result<Self, ServingError> {
        let base = node_url(url, &[])?;
        Ok(HttpServing {
            client: client(TIMEOUT, None)?,
            base,
            token: None,
            time_limit: TIMEOUT,
            trusted: None,
        })
    }

    /// The same node, with another time limit for the next bytes of an answer; it is 30 s else.
    ///
    /// # Errors
    /// If the system has no client for it.
    pub fn with_time_limit(self, time_limit: Duration) -> Result<Self, ServingError> {
        Ok(HttpServing { client: client(time_limit, self.trusted.as_deref())?, time_limit, ..self })
    }

    /// The same node, whose certificate is of one of these authorities, in PEM, instead of those that this
    /// machine trusts.
    ///
    /// # Errors
    /// As [`trusting`].
    pub fn with_authorities(self, pem: &[u8]) -> Result<Self, ServingError> {
        let client = client(self.time_limit, Some(pem))?;
        Ok(HttpServing { client, trusted: Some(pem.into()), ..self })
    }

    /// The same node, with a token for each request.
    ///
    /// # Errors
    /// [`ServingError::Request`] if the token has characters that a header cannot have.
    pub fn with_token(self, token: &str) -> Result<Self, ServingError> {
        let mut header = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| ServingError::Request("the token has characters that are not visible".to_owned()))?;
        header.set_sensitive(true);
        Ok(HttpServing { token: Some(header), ..self })
    }

    /// The rows of a metric in some format, as the node sends them, with the notes on the request.
    ///
    /// # Errors
    /// [`ServingError`], as for [`Serving::read`].
    pub async fn read_as(&self, request: &ReadRequest, format: Format) -> Result<EncodedRows, ServingError> {
        let mut url = self.metric_url(request, &[]);
        url.query_pairs_mut().append_pair("format", format.name());
        self.encoded(&url, self.get(url.clone()).await?).await
    }

    /// The rows of a response in some format.
    async fn encoded(&self, url: &Url, response: Response) -> Result<EncodedRows, ServingError> {
        let header = |name: &str| {
            let values = response.headers().get_all(name).iter();
            values.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect::<Vec<_>>()
        };
        let (notes, overflow) = (header(NOTE_HEADER), header(OVERFLOW_HEADER).into_iter().next());
        let next = header(NEXT_HEADER).into_iter().next();
        let bytes = response.bytes().await.map_err(|error| self.unreachable(url, &error))?.to_vec();
        Ok(EncodedRows { bytes, notes, overflow, next })
    }

    fn url(&self, path: &[&str], parameters: &Parameters) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        url
    }

    /// The URL of a metric, or of something below it.
    fn metric_url(&self, request: &ReadRequest, below: &[&str]) -> Url {
        let path: Vec<&str> = ["metrics", request.metric.as_str()].iter().chain(below).copied().collect();
        self.url(&path, &request.parameters())
    }

    async fn get(&self, url: Url) -> Result<Response, ServingError> {
        self.send(&url, self.client.get(url.clone())).await
    }

    async fn send(&self, url: &Url, mut request: RequestBuilder) -> Result<Response, ServingError> {
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        let failed = |error: reqwest::Error| self.unreachable(url, &error);
        let response = request.send().await.map_err(failed)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let body = response.text().await.map_err(failed)?;
        Err(ServingError::of_response(status, &body).unwrap_or_else(|| ServingError::Unreachable {
            url: node_of(url),
            source: format!("the server there is not a node of metricc; it answered with status {status}")
                .into(),
        }))
    }

    async fn get_json<T: DeserializeOwned>(&self, url: Url) -> Result<T, ServingError> {
        let response = self.get(url.clone()).await?;
        self.json(&url, response).await
    }

    async fn json<T: DeserializeOwned>(&self, url: &Url, response: Response) -> Result<T, ServingError> {
        let body = response.bytes().await.map_err(|error| self.unreachable(url, &error))?;
        serde_json::from_slice(&body).map_err(|error| unreachable(url, error))
    }

    fn unreachable(&self, url: &Url, error: &reqwest::Error) -> ServingError {
        let source = problem_within(error, Some(self.time_limit)).into();
        ServingError::Unreachable { url: node_of(url), source }
    }
}

/// A client that trusts these authorities, in PEM, instead of those of this machine.
///
/// # Errors
/// [`ServingError::Request`] if these are no certificates, or this build has no TLS.
#[cfg(feature = "tls")]
pub fn trusting(client: ClientBuilder, pem: &[u8]) -> Result<ClientBuilder, ServingError> {
    let none = || ServingError::Request("the file of authorities has no certificate in PEM".to_owned());
    let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|_| none())?;
    if certificates.is_empty() {
        return Err(none());
    }
    let client = client.tls_built_in_root_certs(false);
    Ok(certificates.into_iter().fold(client, ClientBuilder::add_root_certificate))
}

/// As with TLS.
///
/// # Errors
/// [`ServingError::Request`]: this build has no TLS.
#[cfg(not(feature = "tls"))]
pub fn trusting(_: ClientBuilder, _: &[u8]) -> Result<ClientBuilder, ServingError> {
    let problem = "this build of the client has no TLS: build it with the feature `tls`";
    Err(ServingError::Request(problem.to_owned()))
}

fn client(time_limit: Duration, trusted: Option<&[u8]>) -> Result<Client, ServingError> {
    let client = Client::builder().connect_timeout(time_limit.min(TIMEOUT)).read_timeout(time_limit);
    let client = match trusted {
        Some(pem) => trusting(client, pem)?,
        None => client,
    };
    client.build().map_err(|error| ServingError::Failed(error.into()))
}

fn unreachable(url: &Url, error: impl Error + Send + Sync + 'static) -> ServingError {
    ServingError::Unreachable { url: node_of(url), source: problem(&error).into() }
}

/// The URL of the node alone: what follows it is not what cannot be reached.
pub fn node_of(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// As [`problem`], of a request whose answer is awaited for so long.
pub fn problem_within(error: &reqwest::Error, time_limit: Option<Duration>) -> String {
    match time_limit {
        Some(limit) if error.is_timeout() && !error.is_connect() => format!(
            "no answer within {} s, though the connection is there: the node is busy or hangs (`--timeout` of the command waits longer)",
            limit.as_secs_f64()
        ),
        _ => problem(error),
    }
}

/// What is wrong with a connection, in words: libraries speak of their own layers.
pub fn problem(error: &(dyn Error + 'static)) -> String {
    let request = error.downcast_ref::<reqwest::Error>();
    let is = |test: fn(&reqwest::Error) -> bool| request.is_some_and(test);
    match io_kind(error) {
        Some(ErrorKind::ConnectionRefused) => {
            "no node answers (connection refused); is it running? `metricc serve` starts one".to_owned()
        }
        Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof) => {
            "the connection was closed before the answer was complete".to_owned()
        }
        Some(ErrorKind::InvalidData) if is(reqwest::Error::is_connect) => format!(
            "no connection with TLS: {}; `--ca-cert FILE` of the command names the authority of the node's certificate",
            last_cause(error)
        ),
        _ if is(reqwest::Error::is_timeout) => "no answer within the time limit".to_owned(),
        _ if is(reqwest::Error::is_connect) => {
            "no connection: the name of the host is not known, or the network is down".to_owned()
        }
        _ if is(reqwest::Error::is_decode) || request.is_none() => {
            "the answer is not one of a node of this version of metricc".to_owned()
        }
        _ => "the connection was closed before the answer was complete".to_owned(),
    }
}

/// What the innermost cause of an error says.
fn last_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The kind of an error, or of the one that it wraps, which is not among its causes.
fn innermost_kind(error: &std::io::Error) -> ErrorKind {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<std::io::Error>());
    inner.map_or_else(|| error.kind(), innermost_kind)
}

/// The kind of the error of the system among the causes of an error.
fn io_kind(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    let mut cause = Some(error);
    let mut found = None;
    while let Some(error) = cause {
        found = error.downcast_ref::<std::io::Error>().map(innermost_kind).or(found);
        cause = error.source();
    }
    found
}

impl Serving for HttpServing {
    fn metrics(&self) -> BoxFuture<'_, Result<Vec<ServedMetric>, ServingError>> {
        let url = self.url(&["metrics"], &Vec::new());
        async move { Ok(self.get_json::<Metrics>(url).await?.metrics) }.boxed()
    }

    fn read(&self, request: ReadRequest) -> BoxFuture<'_, Result<Served, ServingError>> {
        self.get_json(self.metric_url(&request, &[])).boxed()
    }

    fn read_many(&self, requests: Vec<ReadRequest>) -> BoxFuture<'_, Result<Vec<Served>, ServingError>> {
        async move {
            let parameters = ReadRequest::several_parameters(&requests).ok_or_else(|| {
                let problem = "requests that are sent together differ in the metric alone: keys, range, grain and \
                               frontier are the same";
                ServingError::Request(problem.to_owned())
            })?;
            Ok(self.get_json::<Answers>(self.url(&["read"], &parameters)).await?.answers)
        }
        .boxed()
    }

    fn explain(&self, request: ReadRequest) -> BoxFuture<'_, Result<Explained, ServingError>> {
        self.get_json(self.metric_url(&request, &["explain-value"])).boxed()
    }

    fn subscribe(&self, request: ReadRequest) -> BoxStream<'static, Result<Served, ServingError>> {
        let (client, url) = (self.clone(), self.metric_url(&request, &["live"]));
        async move { Ok(answers(url.clone(), client.get(url).await?)) }.try_flatten_stream().boxed()
    }
}

/// The answers in a stream of server-sent events. An error is the last item.
fn answers(url: Url, response: Response) -> BoxStream<'static, Result<Served, ServingError>> {
    let events = response.bytes_stream().eventsource();
    // Other events say nothing of rows: one that was begun is skipped if a newer version follows it.
    let events = events.filter(|event| {
        let is_other = event.as_ref().is_ok_and(|event| !["rows", "error"].contains(&event.event.as_str()));
        std::future::ready(!is_other)
    });
    let answers = events.map(move |event| match event {
        Ok(event) if event.event == "error" => Err(match serde_json::from_str::<ErrorFields>(&event.data) {
            Ok(error) => ErrorBody { error }.into(),
            Err(error) => unreachable(&url, error),
        }),
        Ok(event) => serde_json::from_str(&event.data).map_err(|error| unreachable(&url, error)),
        Err(EventStreamError::Transport(error)) => Err(unreachable(&url, error)),
        Err(_) => Err(ServingError::Unreachable {
            url: node_of(&url),
            source: "the events that it sends are not those of a node".into(),
        }),
    });
    until_error(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_url_is_shown_as_one() {
        for (given, wanted) in [
            ("127.0.0.1:7300", "write it as `http://127.0.0.1:7300`"),
            ("localhost:7300", "write it as `http://localhost:7300`"),
            ("ftp://node:443/", "write it as `http://127.0.0.1:7171`"),
            ("a node", "write it as `http://127.0.0.1:7171`"),
        ] {
            let error = node_url(given, &[]).expect_err(given).to_string();
            assert!(error.ends_with(wanted), "{error}");
        }
    }
}
