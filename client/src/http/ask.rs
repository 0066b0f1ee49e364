//! Questions to a node, over HTTP.

use eventsource_stream::{EventStreamError, Eventsource};
use futures::stream::BoxStream;
use futures::{StreamExt, TryFutureExt};
use reqwest::{Response, Url};

use super::{EncodedRows, HttpServing, node_of, unreachable};
use crate::{
    AskEstimate, AskEvent, ErrorBody, ErrorFields, Format, ReadRequest, Served, ServingError, until_error,
};

impl HttpServing {
    /// What answering a question takes; nothing is computed.
    ///
    /// # Errors
    /// [`ServingError::Question`] if it has errors, and as for [`Serving::read`](crate::Serving::read).
    pub async fn estimate(&self, question: &str, request: &ReadRequest) -> Result<AskEstimate, ServingError> {
        let url = self.ask_url(request, &[("estimate", "true")]);
        let response = self.ask(&url, question).await?;
        self.json(&url, response).await
    }

    /// Has the states of a question computed; says how far they are. An error is the last item. A node stops
    /// if this is dropped before [`AskEvent::Computed`].
    pub fn compute(
        &self,
        question: &str,
        request: &ReadRequest,
    ) -> BoxStream<'static, Result<AskEvent, ServingError>> {
        let (client, url) = (self.clone(), self.ask_url(request, &[("progress", "true")]));
        let question = question.to_owned();
        async move {
            let response = client.ask(&url, &question).await?;
            Ok(ask_events(url, response))
        }
        .try_flatten_stream()
        .boxed()
    }

    /// The rows of a question.
    ///
    /// # Errors
    /// As for [`HttpServing::estimate`].
    pub async fn answer(&self, question: &str, request: &ReadRequest) -> Result<Served, ServingError> {
        let url = self.ask_url(request, &[]);
        let response = self.ask(&url, question).await?;
        self.json(&url, response).await
    }

    /// The rows of a question in some format, as the node sends them.
    ///
    /// # Errors
    /// As for [`HttpServing::estimate`].
    pub async fn answer_as(
        &self,
        question: &str,
        request: &ReadRequest,
        format: Format,
    ) -> Result<EncodedRows, ServingError> {
        let url = self.ask_url(request, &[("format", format.name())]);
        let response = self.ask(&url, question).await?;
        self.encoded(&url, response).await
    }

    /// The URL of a question whose metric is named as in the request, if it is named: then it is to become a
    /// metric, and the states of all windows are computed.
    fn ask_url(&self, request: &ReadRequest, more: &[(&str, &str)]) -> Url {
        let mut url = self.url(&["ask"], &request.parameters());
        let name = Some(request.metric.as_str()).filter(|name| !name.is_empty());
        let whole = name.map(|_| ("whole", "true"));
        let more = more.iter().copied().chain(name.map(|name| ("name", name))).chain(whole);
        url.query_pairs_mut().extend_pairs(more);
        url
    }

    async fn ask(&self, url: &Url, question: &str) -> Result<Response, ServingError> {
        self.send(url, self.client.post(url.clone()).body(question.to_owned())).await
    }
}

/// What a node says of a question. An error is the last item.
fn ask_events(url: Url, response: Response) -> BoxStream<'static, Result<AskEvent, ServingError>> {
    let of_other = |url: &Url| ServingError::Unreachable {
        url: node_of(url),
        source: "the events that it sends are not those of a node".into(),
    };
    let events = response.bytes_stream().eventsource().map(move |event| match event {
        Ok(event) if event.event == "error" => Err(match serde_json::from_str::<ErrorFields>(&event.data) {
            Ok(error) => ErrorBody { error }.into(),
            Err(error) => unreachable(&url, error),
        }),
        Ok(event) => match AskEvent::parse(&event.event, &event.data) {
            Some(parsed) => parsed.map_err(|error| unreachable(&url, error)),
            None => Err(of_other(&url)),
        },
        Err(EventStreamError::Transport(error)) => Err(unreachable(&url, error)),
        Err(_) => Err(of_other(&url)),
    });
    until_error(events)
}
