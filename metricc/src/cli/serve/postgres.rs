//! `[postgres]` of a node.
//!
//! Without the feature `postgres`, the protocol is not compiled, and this says so.

use std::sync::Arc;

use metricc_node::{Config, Node, NodeError};

#[cfg(feature = "postgres")]
pub(super) fn start(
    config: &Config,
    node: &Arc<Node>,
) -> Result<Option<metricc_node::PostgresServer>, NodeError> {
    let Some(postgres) = &config.postgres else { return Ok(None) };
    let server = metricc_node::PostgresServer::start(postgres, node)?;
    crate::cli::terminal::note(format!("speaking PostgreSQL's protocol at {}", server.address()));
    Ok(Some(server))
}

#[cfg(not(feature = "postgres"))]
pub(super) fn start(config: &Config, _: &Arc<Node>) -> Result<(), NodeError> {
    match config.postgres {
        Some(_) => Err(NodeError::Config(
            "`[postgres]` is set, and this `metricc` was built without the feature `postgres`: build it with \
             `cargo build --release --features postgres`"
                .to_owned(),
        )),
        None => Ok(()),
    }
}
