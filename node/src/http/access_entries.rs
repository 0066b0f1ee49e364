//! A line of the access log for each read over HTTP, when its answer is complete, or its reader gone.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use metricc_client::wire::{Endpoint, Route, Scope};
use metricc_http_api::{AnswerFacts, parameters_of};

use super::request_limits::Peer;
use crate::access_log::{AccessEntry, AccessLog, AccessedMetric};
use crate::permission::Permission;

/// A read whose answer is not complete yet.
pub(super) struct Pending {
    log: AccessLog,
    entry: AccessEntry,
    since: Instant,
    facts: Option<AnswerFacts>,
    is_live: bool,
}

/// Begins the line of a request; `None` for what reads nothing.
pub(super) fn begin(log: &AccessLog, route: Option<&Route>, request: &Request) -> Option<Pending> {
    let route = route.filter(|route| is_read(route))?;
    let parameters = parameters_of(request.uri().query().unwrap_or_default());
    // What the route does not know may be anything, a token among them.
    let parameters = parameters.filter(|parameters| route.check_query(parameters).is_ok());
    let peer = request.extensions().get::<Peer>();
    let entry = AccessEntry {
        event: "read",
        door: "http",
        address: peer.map(|peer| peer.address.to_string()),
        route: format!("{} {}", route.method, route.path),
        metrics: named(route, request.uri().path()),
        parameters: parameters.unwrap_or_default(),
        ..AccessEntry::default()
    };
    let is_live = route.endpoint == Endpoint::Live;
    Some(Pending { log: log.clone(), entry, since: Instant::now(), facts: None, is_live })
}

/// Whether a route gives out rows, counts or records.
fn is_read(route: &Route) -> bool {
    route.scope == Some(Scope::Query) || route.endpoint == Endpoint::Quarantine
}

/// The metric that a path names, before it is known whether there is one.
fn named(route: &Route, path: &str) -> Vec<AccessedMetric> {
    let parts = route.path.split('/').zip(path.split('/'));
    let metrics = parts.filter(|(part, _)| *part == "{metric}").map(|(_, name)| {
        let metric = percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned();
        AccessedMetric { metric, frontier: Vec::new() }
    });
    metrics.collect()
}

impl Pending {
    /// The response, which ends the line with its body.
    pub(super) fn of_response(
        mut self,
        permission: Option<&Arc<Permission>>,
        response: Response,
    ) -> Response {
        self.entry.reader = permission.map(|permission| permission.name().to_owned());
        self.entry.status = response.status().as_u16();
        // A body without bytes is not asked for any.
        self.entry.complete = response.body().is_end_stream();
        self.facts = response.extensions().get::<AnswerFacts>().cloned();
        if let Some(facts) = &self.facts {
            let metrics = facts.frontiers.iter().map(|(metric, frontier)| AccessedMetric {
                metric: metric.clone(),
                frontier: frontier.clone(),
            });
            self.entry.metrics = metrics.collect();
        }
        if self.is_live && response.status().is_success() {
            let opened = AccessEntry { event: "open", ..self.entry.clone() };
            self.log.write(&opened, self.since);
        }
        response.map(|body| Body::new(Logged { body, pending: self }))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.entry.rows = self.facts.as_ref().map(AnswerFacts::n_rows);
        self.log.write(&self.entry, self.since);
    }
}

/// A body that is counted.
struct Logged {
    body: Body,
    pending: Pending,
}

impl HttpBody for Logged {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(None) => self.pending.entry.complete = true,
            Poll::Ready(Some(Ok(frame))) => {
                self.pending.entry.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                // A body of one piece is not asked for another one.
                self.pending.entry.complete = self.body.is_end_stream();
            }
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
