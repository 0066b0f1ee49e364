//! What a client may take: time, bytes and events.

use std::time::Duration;

use crate::Config;

/// Limits for clients.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Time for the headers of a request, also of the next one on a connection: one without a request is
    /// closed then.
    pub headers: Duration,
    /// The same, for connections that are kept for probes.
    pub probe_headers: Duration,
    /// Time between two pieces of a body.
    pub idle: Duration,
    /// Time for a body in all, and for a client to take a piece of an answer.
    pub request: Duration,
    /// Time for running requests when the node shuts down.
    pub drain: Duration,
    /// Bytes of a body, before and after it is unpacked.
    pub body_bytes: usize,
    /// Events of a request.
    pub events: u64,
}

impl Limits {
    /// The limits of a configuration.
    pub fn new(config: &Config) -> Self {
        Limits {
            headers: Duration::from_secs(5),
            probe_headers: Duration::from_millis(500),
            idle: Duration::from_secs(10),
            request: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            body_bytes: config.ingest.max_bytes,
            events: config.ingest.max_events,
        }
    }
}
