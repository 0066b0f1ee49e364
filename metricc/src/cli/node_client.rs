//! Requests to a node that are not reads.

use std::time::Duration;

use metricc_client::{ServingError, node_of, node_url, problem, problem_within, trusting};
use reqwest::{Client, RequestBuilder, Response, Url};

use super::arguments::NodeArguments;
use super::terminal::Failure;

/// One path of a node.
pub(crate) struct NodeClient {
    client: Client,
    pub(crate) url: Url,
    token: Option<String>,
    time_limit: Option<Duration>,
}

impl NodeClient {
    /// The path below `v1`. Without a time limit, and none of the arguments, a request takes as long as the node does.
    pub(crate) fn new(
        node: &NodeArguments,
        path: &[&str],
        time_limit: Option<Duration>,
    ) -> Result<Self, Failure> {
        let time_limit = node.time_limit().or(time_limit);
        let mut client = Client::builder().connect_timeout(Duration::from_secs(5));
        if let Some(pem) = node.authorities()? {
            client = trusting(client, &pem)?;
        }
        if let Some(limit) = time_limit {
            client = client.timeout(limit);
        }
        let client = client.build().map_err(|error| Failure::Message(problem(&error)))?;
        Ok(NodeClient { client, url: node_url(&node.node, path)?, token: node.token()?, time_limit })
    }

    /// What is wrong with the connection.
    pub(crate) fn problem(&self, error: &reqwest::Error) -> String {
        problem_within(error, self.time_limit)
    }

    /// The failure of a request without an answer.
    pub(crate) fn failure(&self, error: &reqwest::Error) -> Failure {
        Failure::Message(format!("{}: {}", node_of(&self.url), self.problem(error)))
    }

    pub(crate) fn post(&self) -> RequestBuilder {
        self.with_token(self.client.post(self.url.clone()))
    }

    /// Posts to a path below the one of this client.
    pub(crate) fn post_to(&self, path: &[&str], parameters: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.below(path);
        url.query_pairs_mut().extend_pairs(parameters);
        self.with_token(self.client.post(url))
    }

    /// Reads a path below the one of this client.
    pub(crate) fn get_from(&self, path: &[&str]) -> RequestBuilder {
        self.with_token(self.client.get(self.below(path)))
    }

    /// Reads a path below the one of this client, with parameters.
    pub(crate) fn get_below(&self, path: &[&str], parameters: &[(&str, String)]) -> RequestBuilder {
        let mut url = self.below(path);
        url.query_pairs_mut().extend_pairs(parameters);
        self.with_token(self.client.get(url))
    }

    fn below(&self, path: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        url
    }

    /// A request for another path beside the one of this client.
    pub(crate) fn get(&self, name: &str, parameters: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop().push(name);
        }
        url.query_pairs_mut().extend_pairs(parameters);
        self.with_token(self.client.get(url))
    }

    fn with_token(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

/// The error of a response without success.
pub(crate) async fn error_of(response: Response) -> ServingError {
    let status = response.status();
    let body = response.text().await.unwrap_or_default();
    ServingError::of_response(status.as_u16(), &body)
        .unwrap_or_else(|| ServingError::Failed(format!("status {status}: {}", body.trim()).into()))
}
