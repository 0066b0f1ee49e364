//! Budgets: how many requests of each kind are answered at a time, in all and for one client.
//!
//! A kind takes no place of another one, so that readers and subscribers keep neither events nor probes out,
//! however many they are. A request has its place until its answer is complete, or its client is gone. A
//! client is whoever has the same token; without tokens, whoever has the same address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use metricc_http_api::ApiError;
use sha2::{Digest, Sha256};

use super::connection_limits::Admitted;
use crate::config::ReadingConfig;

/// Probes and requests with events at a time. Events have a budget of bytes besides.
const MOST_PROBES: usize = 64;
const MOST_INGEST: usize = 256;

/// Connections beyond those that all budgets need: of requests that are just coming in, or refused.
const MORE_CONNECTIONS: usize = 512;

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// What the connection may be used for.
    pub(crate) admitted: Admitted,
}

/// Whose requests share a part of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Client {
    Token([u8; 32]),
    Address(IpAddr),
    Unknown,
}

/// The budget of each kind of request.
#[derive(Debug)]
pub(crate) struct Budgets {
    probes: Arc<Budget>,
    ingest: Arc<Budget>,
    reads: Arc<Budget>,
    live: Arc<Budget>,
}

#[derive(Debug)]
struct Budget {
    /// What its requests are, for messages, and the setting that allows more.
    requests: &'static str,
    setting: Option<&'static str>,
    most: usize,
    most_of_client: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    n: usize,
    of_client: HashMap<Client, usize>,
}

/// A place in a budget, until it is dropped.
#[derive(Debug)]
struct Place {
    budget: Arc<Budget>,
    client: Client,
}

impl Budgets {
    pub(crate) fn new(reading: &ReadingConfig) -> Self {
        let budget = |requests, setting, most: usize, most_of_client: usize| {
            Arc::new(Budget { requests, setting, most, most_of_client, taken: Mutex::default() })
        };
        Budgets {
            probes: budget("probes", None, MOST_PROBES, MOST_PROBES),
            ingest: budget("requests with events", None, MOST_INGEST, MOST_INGEST),
            reads: budget("reads", Some("max_answers"), reading.max_answers, reading.max_answers_per_client),
            live: budget("live clients", Some("max_live"), reading.max_live, reading.max_live_per_client),
        }
    }

    /// Connections that are enough for all budgets.
    pub(crate) fn n_connections(&self) -> usize {
        let all = [&self.probes, &self.ingest, &self.reads, &self.live].map(|budget| budget.most);
        all.iter().fold(MORE_CONNECTIONS, |sum, most| sum.saturating_add(*most))
    }

    fn of(&self, path: &str) -> &Arc<Budget> {
        match path {
            "/healthz" | "/readyz" | "/metrics" => &self.probes,
            path if path.starts_with("/v1/metrics/") && path.ends_with("/live") => &self.live,
            path if path.starts_with("/v1/sources/") && path.ends_with("/events") => &self.ingest,
            _ => &self.reads,
        }
    }
}

impl Budget {
    /// A place for a request of a client.
    fn take(self: &Arc<Self>, client: Client) -> Result<Place, ApiError> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_client = taken.of_client.get(&client).copied().unwrap_or(0);
        if taken.n >= self.most {
            return Err(self.refused(StatusCode::SERVICE_UNAVAILABLE, "", self.most, ""));
        }
        if of_client >= self.most_of_client {
            let status = StatusCode::TOO_MANY_REQUESTS;
            return Err(self.refused(status, " of this client", self.most_of_client, "_per_client"));
        }
        taken.n += 1;
        taken.of_client.insert(client, of_client + 1);
        Ok(Place { budget: self.clone(), client })
    }

    fn refused(&self, status: StatusCode, whose: &str, most: usize, suffix: &str) -> ApiError {
        let more = self.setting.map_or_else(String::new, |setting| {
            format!("; `{setting}{suffix}` under `[reading]` in the configuration of the node allows more")
        });
        let message = format!(
            "{most} {}{whose} are being answered, which is as many as the node allows at a time: try again{more}",
            self.requests
        );
        ApiError::new(status, "busy", message).retry_after(1)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.budget.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.n -= 1;
        let left = taken.of_client.get(&self.client).map_or(0, |n| n - 1);
        match left {
            0 => taken.of_client.remove(&self.client),
            left => taken.of_client.insert(self.client, left),
        };
    }
}

/// Gives each request a place in its budget, until its answer is complete.
pub(crate) async fn check(State(budgets): State<Arc<Budgets>>, request: Request, next: Next) -> Response {
    // The token is known to be one of the node's, if it has any.
    let token = request.headers().get(header::AUTHORIZATION);
    let peer = request.extensions().get::<Peer>();
    let client = match (token, peer) {
        (Some(token), _) => Client::Token(Sha256::digest(token.as_bytes()).into()),
        (None, Some(Peer { address, .. })) => Client::Address(*address),
        (None, None) => Client::Unknown,
    };
    let budget = budgets.of(request.uri().path());
    if let Some(Peer { admitted: Admitted::Probes(limit), .. }) = peer
        && !Arc::ptr_eq(budget, &budgets.probes)
    {
        let (status, message) = limit.told();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        return ApiError::new(status, "busy", message).retry_after(1).into_response();
    }
    match budget.take(client) {
        Ok(place) => {
            let response = next.run(request).await;
            response.map(|body| Body::new(Placed { body, _place: place }))
        }
        Err(refused) => refused.into_response(),
    }
}

/// A body that has a place.
struct Placed {
    body: Body,
    _place: Place,
}

impl HttpBody for Placed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budgets() -> Budgets {
        Budgets::new(&ReadingConfig {
            max_answers: 3,
            max_answers_per_client: 2,
            max_live: 1,
            max_live_per_client: 1,
            ..ReadingConfig::default()
        })
    }

    fn client(n: u8) -> Client {
        Client::Token([n; 32])
    }

    #[test]
    fn a_client_and_all_clients_have_limits_and_places_come_back() {
        let budgets = budgets();
        let reads = budgets.of("/v1/metrics/n");
        let message = |client| format!("{:?}", reads.take(client).expect_err("it is full"));
        let one = [client(1), client(1)].map(|client| reads.take(client).expect("a place"));
        assert!(message(client(1)).contains("2 reads of this client") && message(client(1)).contains("429"));
        assert!(message(client(1)).contains("`max_answers_per_client` under `[reading]`"));
        let other = reads.take(client(2)).expect("a place");
        assert!(message(client(3)).contains("3 reads are") && message(client(3)).contains("503"));
        drop(one);
        assert!(reads.take(client(3)).is_ok());
        drop(other);
        let taken = reads.taken.lock().expect("not poisoned");
        assert_eq!((taken.n, taken.of_client.len()), (0, 0));
    }

    #[test]
    fn no_kind_of_request_takes_a_place_of_another() {
        let budgets = budgets();
        let _live = budgets.of("/v1/metrics/n/live").take(client(1)).expect("a place");
        assert!(budgets.of("/v1/metrics/m/live").take(client(2)).is_err());
        for path in ["/healthz", "/readyz", "/metrics", "/v1/sources/s/events", "/v1/metrics/n", "/v1/read"] {
            assert!(budgets.of(path).take(client(1)).is_ok(), "{path}");
        }
        assert!(budgets.n_connections() > 300);
    }
}
