//! A build without TLS: a node that is to speak it does not start.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::config::TlsConfig;
use crate::error::NodeError;

pub(super) const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);

/// There is no value of it.
#[derive(Debug)]
pub(super) enum Tls {}

impl Tls {
    pub(super) fn new(_: &TlsConfig) -> Result<Self, NodeError> {
        let problem = "`[tls]` is set, and this build of metricc has no TLS: build it with the feature `tls`";
        Err(NodeError::Config(problem.to_owned()))
    }

    pub(super) fn look(&self) {
        match *self {}
    }

    pub(super) async fn accept(&self, _: TcpStream) -> std::io::Result<Option<TcpStream>> {
        match *self {}
    }
}
