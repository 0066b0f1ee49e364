//! What all handlers of requests share.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::limits::Limits;
use crate::Node;

/// The state that handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) node: Arc<Node>,
    pub(crate) limits: Limits,
    /// The byte budget of the bodies of all connections.
    pub(crate) bodies: Arc<Semaphore>,
}
