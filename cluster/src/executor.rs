//! An executor: takes tasks from a scheduler and does their jobs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_executor::executor_server::TERMINATING;
use metricc_jobs::{ScratchFolder, Worker};
use tokio::net::TcpStream;

use crate::listen::{check_executor, of_executor, wait_until_free};
use crate::plan::Codec;
use crate::{Address, ClusterError, HEARTBEAT_SECONDS, MESSAGE_BYTES};

/// How an executor runs.
#[derive(Debug, Clone)]
pub struct Executor {
    /// The scheduler.
    pub scheduler: Address,
    /// Where it listens for the scheduler; it takes the port after this one as well.
    pub listen: SocketAddr,
    /// What the scheduler and clients call its host, if it is not the address.
    pub host: Option<String>,
    /// Jobs that it does at a time.
    pub slots: usize,
    /// How long it waits for the scheduler at the start, in seconds.
    pub wait_seconds: u16,
}

/// How often it tries to reach the scheduler.
const TRY_EVERY: Duration = Duration::from_millis(300);

/// How long an executor that has ended waits before it starts again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Waits until the scheduler listens; without a number of seconds, for as long as it takes.
async fn wait_for(scheduler: &Address, seconds: Option<u16>) -> std::io::Result<()> {
    let address = format!("{}:{}", scheduler.host, scheduler.port);
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds.into()));
    loop {
        match TcpStream::connect(&address).await {
            Ok(_) => return Ok(()),
            Err(error) if until.is_some_and(|until| Instant::now() >= until) => return Err(error),
            Err(_) => tokio::time::sleep(TRY_EVERY).await,
        }
    }
}

/// Runs an executor until it fails or the process is told to stop. If it loses its scheduler, it waits for it
/// to come back, or for another one in its place.
///
/// # Errors
/// [`ClusterError`] if it cannot listen, or the scheduler does not answer in time.
pub async fn run_executor(executor: &Executor, worker: Arc<Worker>) -> Result<(), ClusterError> {
    let start =
        |what: String, source: Box<dyn std::error::Error + Send + Sync>| ClusterError::Start { what, source };
    let Executor { scheduler, listen, host, slots, wait_seconds } = executor;
    let [_, control] = of_executor(*listen)?;
    check_executor(*listen)?;
    let folder = ScratchFolder::new("metricc-executor-");
    let folder =
        folder.map_err(|error| start("no temporary folder could be made".to_owned(), error.into()))?;
    let away = |error: std::io::Error| start(format!("scheduler {scheduler} does not answer"), error.into());
    wait_for(scheduler, Some(*wait_seconds)).await.map_err(away)?;
    let config = ExecutorProcessConfig {
        executor_id: worker.name().to_owned(),
        bind_host: listen.ip().to_string(),
        external_host: Some(host.clone().unwrap_or_else(|| listen.ip().to_string())),
        port: listen.port(),
        grpc_port: control.port(),
        scheduler_host: scheduler.host.clone(),
        scheduler_port: scheduler.port,
        // Ballista's own waiting has no end.
        scheduler_connect_timeout_seconds: 0,
        vcores: *slots,
        work_dir: Some(folder.path().to_string_lossy().into_owned()),
        executor_heartbeat_interval_seconds: HEARTBEAT_SECONDS,
        grpc_max_decoding_message_size: MESSAGE_BYTES,
        grpc_max_encoding_message_size: MESSAGE_BYTES,
        override_physical_codec: Some(Codec::shared(Some(worker))),
        ..ExecutorProcessConfig::default()
    };
    let config = Arc::new(config);
    loop {
        let ended = start_executor_process(config.clone()).await;
        // Ballista's executor ends after five signs of life that nobody took, since it counts on somebody who
        // starts its process again.
        if let Err(error) = ended
            && TcpStream::connect((scheduler.host.as_str(), scheduler.port)).await.is_ok()
        {
            let what = format!("the executor on {listen} for scheduler {scheduler}");
            return Err(start(what, Box::new(error)));
        }
        tracing::warn!("the executor has lost scheduler {scheduler}, and waits for it");
        tokio::time::sleep(AGAIN_AFTER).await;
        wait_for(scheduler, None).await.map_err(away)?;
        // Ballista does not say that it could not listen: it ends as if it had lost the scheduler.
        wait_until_free(*listen).await?;
        TERMINATING.store(false, Ordering::Release);
    }
}
