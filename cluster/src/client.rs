//! The client: submits jobs, and watches until the scheduler is done with them.

use std::time::Duration;

use ballista_core::extension::SessionConfigExt;
use ballista_core::serde::protobuf::execute_query_params::Query;
use ballista_core::serde::protobuf::execute_query_result::Result as Submitted;
use ballista_core::serde::protobuf::job_status::Status;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{CancelJobParams, ExecuteQueryParams, GetJobStatusParams, KeyValuePair};
use ballista_core::version;
use datafusion::prelude::SessionConfig;
use datafusion_proto::physical_plan::AsExecutionPlan;
use datafusion_proto::protobuf::PhysicalPlanNode;
use metricc_jobs::{Job, Submit, SubmitError, Watch};
use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};
use tonic::transport::{Channel, Endpoint};

use crate::plan::{Codec, plan};
use crate::told::Told;
use crate::{Address, MESSAGE_BYTES};

/// How often the scheduler is asked.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// How often whoever waits is told.
const WATCH_EVERY: Duration = Duration::from_millis(300);

/// How long a connection, or an answer, may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the scheduler may be away, unless something else is said.
const AWAY: Duration = Duration::from_secs(30);

type Scheduler = SchedulerGrpcClient<Channel>;

/// A cluster that jobs are submitted to.
#[derive(Debug)]
pub struct Cluster {
    scheduler: Address,
    runtime: Runtime,
    away: Duration,
}

impl Cluster {
    /// The cluster of a scheduler.
    ///
    /// # Errors
    /// If no thread can be started for it.
    pub fn new(scheduler: Address) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("metricc-cluster")
            .enable_all()
            .build()?;
        Ok(Cluster { scheduler, runtime, away: AWAY })
    }

    /// The same, with another time for which the scheduler may be away.
    pub fn waiting(self, away: Duration) -> Self {
        Cluster { away, ..self }
    }

    fn cluster_error(&self, what: &str, error: impl std::fmt::Display) -> SubmitError {
        SubmitError::Cluster(format!("scheduler {} {what}: {error}", self.scheduler))
    }

    /// Connects to the scheduler, which may be starting.
    async fn connect(&self, watch: Watch<'_>) -> Result<Scheduler, SubmitError> {
        let url = format!("http://{}:{}", self.scheduler.host, self.scheduler.port);
        let endpoint =
            Endpoint::new(url).map_err(|error| self.cluster_error("has no such address", error))?;
        let endpoint = endpoint.connect_timeout(ANSWER_TIMEOUT.min(self.away)).tcp_nodelay(true);
        let started = std::time::Instant::now();
        loop {
            watch()?;
            match endpoint.connect().await {
                Ok(channel) => {
                    let client = SchedulerGrpcClient::new(channel);
                    let most = MESSAGE_BYTES as usize;
                    return Ok(client.max_encoding_message_size(most).max_decoding_message_size(most));
                }
                Err(error) if started.elapsed() >= self.away => {
                    return Err(self.cluster_error("does not answer", causes(&error)));
                }
                Err(_) => sleep(WATCH_EVERY).await,
            }
        }
    }

    async fn start(
        &self,
        scheduler: &mut Scheduler,
        run: &str,
        jobs: &[&Job],
    ) -> Result<String, SubmitError> {
        let encoding = |error| self.cluster_error("is sent no plan", error);
        let plan = plan(run, jobs).map_err(|error| encoding(error.to_string()))?;
        let node = PhysicalPlanNode::try_from_physical_plan(plan, Codec::shared(None).as_ref());
        let mut bytes = Vec::new();
        node.and_then(|node| node.try_encode(&mut bytes)).map_err(|error| encoding(error.to_string()))?;
        let config = SessionConfig::new_with_ballista();
        let setting =
            |entry: datafusion::config::ConfigEntry| KeyValuePair { key: entry.key, value: entry.value };
        let mut request = tonic::Request::new(ExecuteQueryParams {
            query: Some(Query::PhysicalPlan(bytes)),
            settings: config.options().entries().into_iter().map(setting).collect(),
            session_id: run.to_owned(),
            operation_id: run.to_owned(),
        });
        version::insert_version_header(request.metadata_mut());
        let answer = scheduler.execute_query(request).await;
        let answer = answer.map_err(|status| self.cluster_error("takes no jobs", status.message()))?;
        match answer.into_inner().result {
            Some(Submitted::Success(success)) => Ok(success.job_id),
            Some(Submitted::Failure(failure)) => {
                Err(self.cluster_error("takes no jobs", format!("{failure:?}")))
            }
            None => Err(self.cluster_error("takes no jobs", "it says nothing")),
        }
    }

    /// Asks until the scheduler is done with a job of its own, which has all of ours.
    async fn wait(&self, scheduler: &mut Scheduler, id: &str, watch: Watch<'_>) -> Result<(), SubmitError> {
        let (mut watched, started) = (std::time::Instant::now(), std::time::Instant::now());
        let mut is_known = false;
        loop {
            sleep(ASK_EVERY).await;
            if watched.elapsed() >= WATCH_EVERY {
                watched = std::time::Instant::now();
                if let Err(end) = watch() {
                    self.cancel(scheduler, id).await;
                    return Err(end.into());
                }
            }
            let asked = scheduler.get_job_status(GetJobStatusParams { job_id: id.to_owned() });
            let status = match timeout(ANSWER_TIMEOUT, asked).await {
                Ok(Ok(answer)) => answer.into_inner().status.and_then(|status| status.status),
                Ok(Err(status)) => return Err(self.cluster_error("is gone", status.message())),
                Err(_) => return Err(self.cluster_error("is gone", "it does not answer")),
            };
            match status {
                // Another scheduler, in the place of one that has died, does not know what that one did.
                None if is_known || started.elapsed() >= ANSWER_TIMEOUT => {
                    return Err(
                        self.cluster_error("was started again", "it does not know the jobs of this run")
                    );
                }
                None => {}
                Some(Status::Queued(_) | Status::Running(_)) => is_known = true,
                Some(Status::Failed(failed)) => return Err(self.failed(failed.error)),
                // How often each job ran is not asked: those of an executor that has died run again, and what
                // counts is in the store.
                Some(Status::Successful(_)) => return Ok(()),
            }
        }
    }

    /// Why the scheduler has given up the plan.
    fn failed(&self, text: String) -> SubmitError {
        match Told::find(&text) {
            Some(Told::OtherStore { executor, store }) => SubmitError::OtherStore { executor, store },
            Some(Told::Failed(why)) => SubmitError::Cluster(why),
            None => self.cluster_error("has given up the jobs", text),
        }
    }

    async fn cancel(&self, scheduler: &mut Scheduler, id: &str) {
        let asked = scheduler.cancel_job(CancelJobParams { job_id: id.to_owned() });
        if !matches!(timeout(ANSWER_TIMEOUT, asked).await, Ok(Ok(_))) {
            tracing::warn!(scheduler = %self.scheduler, "the scheduler was not told that the run was given up");
        }
    }
}

impl Submit for Cluster {
    fn submit(&self, run: &str, jobs: &[&Job], watch: Watch<'_>) -> Result<(), SubmitError> {
        self.runtime.block_on(async {
            let mut scheduler = self.connect(watch).await?;
            let id = self.start(&mut scheduler, run, jobs).await?;
            self.wait(&mut scheduler, &id, watch).await
        })
    }
}

/// An error and what it comes from, in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line
}
