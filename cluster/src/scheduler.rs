//! The scheduler: keeps the list of executors and gives them tasks. Its state is in memory alone.

use std::net::SocketAddr;
use std::sync::Arc;

use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;

use crate::listen::check_scheduler;
use crate::plan::Codec;
use crate::{ClusterError, EXECUTOR_TIMEOUT_SECONDS, MESSAGE_BYTES};

/// Runs a scheduler until it fails. `name` is what executors and clients call its host.
///
/// # Errors
/// [`ClusterError`] if it cannot listen there.
pub async fn run_scheduler(listen: SocketAddr, name: &str) -> Result<(), ClusterError> {
    let failed = |error: ballista_core::error::BallistaError| ClusterError::Start {
        what: format!("the scheduler cannot run on {listen}"),
        source: Box::new(error),
    };
    check_scheduler(listen)?;
    let config = Arc::new(SchedulerConfig {
        bind_host: listen.ip().to_string(),
        bind_port: listen.port(),
        external_host: name.to_owned(),
        executor_timeout_seconds: EXECUTOR_TIMEOUT_SECONDS,
        expire_dead_executor_interval_seconds: 1,
        no_executors_grace_period_seconds: EXECUTOR_TIMEOUT_SECONDS,
        // Nothing is read of what tasks leave behind, so it need not stay.
        finished_job_data_clean_up_interval_seconds: 60,
        finished_job_state_clean_up_interval_seconds: 600,
        grpc_server_max_decoding_message_size: MESSAGE_BYTES,
        grpc_server_max_encoding_message_size: MESSAGE_BYTES,
        grpc_client_max_message_size: MESSAGE_BYTES,
        override_physical_codec: Some(Codec::shared(None)),
        ..SchedulerConfig::default()
    });
    let cluster = BallistaCluster::new_from_config(&config).await.map_err(failed)?;
    start_server(cluster, listen, config).await.map_err(failed)
}
