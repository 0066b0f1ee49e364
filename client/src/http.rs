//! The client of a node.

use std::error::Error;
use std::time::Duration;

use eventsource_stream::{EventStreamError, Eventsource};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryFutureExt};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, Response, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{
    ErrorBody, ErrorFields, Explained, Format, Parameters, ReadRequest, Served, ServedMetric, Serving,
    ServingError, until_error,
};

/// Time limit for connecting, and for the next bytes of an answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A node, read over HTTP.
#[derive(Debug, Clone)]
pub struct HttpServing {
    client: Client,
    base: Url,
    token: Option<HeaderValue>,
}

/// The URL of a path below `v1` at a node such as `http://127.0.0.1:7171`.
///
/// # Errors
/// [`ServingError::Request`] if `base` is not the URL of a node.
pub fn node_url(base: &str, path: &[&str]) -> Result<Url, ServingError> {
    let invalid = |problem: &str| {
        let help = "write it as `http://127.0.0.1:7171`";
        ServingError::Request(format!("`{base}` is not the URL of a node: {problem}; {help}"))
    };
    let mut url = Url::parse(base).map_err(|error| invalid(&error.to_string()))?;
    if url.scheme() != "http" {
        return Err(invalid("the scheme is not `http`"));
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
        let client = Client::builder().connect_timeout(TIMEOUT).read_timeout(TIMEOUT).build();
        let client = client.map_err(|error| ServingError::Failed(error.into()))?;
        Ok(HttpServing { client, base, token: None })
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

    /// The rows of a metric in some format, as the node sends them.
    ///
    /// # Errors
    /// [`ServingError`], as for [`Serving::read`].
    pub async fn read_as(&self, request: &ReadRequest, format: Format) -> Result<Vec<u8>, ServingError> {
        let mut url = self.metric_url(request, &[]);
        url.query_pairs_mut().append_pair("format", format.name());
        let response = self.get(url.clone()).await?;
        Ok(response.bytes().await.map_err(|error| unreachable(&url, error))?.to_vec())
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
        let mut request = self.client.get(url.clone());
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        let failed = |error: reqwest::Error| unreachable(&url, error);
        let response = request.send().await.map_err(failed)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let body = response.text().await.map_err(failed)?;
        Err(match serde_json::from_str::<ErrorBody>(&body) {
            Ok(body) => body.into(),
            Err(_) => ServingError::Unreachable {
                url: url.to_string(),
                source: format!(
                    "the server there is not a node of metricc; it answered with status {status}"
                )
                .into(),
            },
        })
    }

    async fn get_json<T: DeserializeOwned>(&self, url: Url) -> Result<T, ServingError> {
        let response = self.get(url.clone()).await?;
        let body = response.bytes().await.map_err(|error| unreachable(&url, error))?;
        serde_json::from_slice(&body).map_err(|error| unreachable(&url, error))
    }
}

fn unreachable(url: &Url, error: impl Into<Box<dyn Error + Send + Sync>>) -> ServingError {
    ServingError::Unreachable { url: url.to_string(), source: error.into() }
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
    let answers = events.map(move |event| match event {
        Ok(event) if event.event == "error" => Err(match serde_json::from_str::<ErrorFields>(&event.data) {
            Ok(error) => ErrorBody { error }.into(),
            Err(error) => unreachable(&url, error),
        }),
        Ok(event) => serde_json::from_str(&event.data).map_err(|error| unreachable(&url, error)),
        Err(EventStreamError::Transport(error)) => Err(unreachable(&url, error)),
        Err(error) => Err(unreachable(&url, error)),
    });
    until_error(answers)
}
