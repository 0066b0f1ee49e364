//! Interval jobs on Ballista, DataFusion's distributed engine.
//!
//! [`Cluster`] has jobs done by a cluster, and [`InSession`] by a DataFusion session of this process.
//!
//! One program is scheduler, executor or client. What is sent to executors is no operator of ours but jobs as
//! text ([`metricc_jobs`]): Ballista runs the partitions of a plan on copies of the plan in separate
//! processes, so nothing that partitions share in memory would be shared there. The plan is one stage: a
//! table of jobs in memory, one partition each, below an operator that does the jobs of its partition. It has
//! to be an inner operator, since Ballista cuts a task's share out of the leaves that it knows; a leaf of our
//! own would be run as a whole by every task.
//!
//! Nothing is believed that lies on an executor or in the memory of the scheduler: results are files of the
//! shared store. So whatever dies, what has no result is submitted again.

use std::net::SocketAddr;

mod address;
mod client;
mod executor;
mod listen;
mod plan;
mod scheduler;
mod session;
mod told;

pub use address::{Address, AddressError};
pub use client::Cluster;
pub use executor::{Executor, run_executor};
pub use listen::{check_executor, check_scheduler};
pub use scheduler::run_scheduler;
pub use session::InSession;

/// Seconds between two signs of life of an executor.
const HEARTBEAT_SECONDS: u64 = 2;

/// Seconds without a sign of life after which an executor is given up, and its tasks go to others.
const EXECUTOR_TIMEOUT_SECONDS: u64 = 10;

/// Bytes of a message at most: the jobs of a run are sent as one.
const MESSAGE_BYTES: u32 = 1 << 30;

/// Why a process of the cluster ended.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// It could not start.
    #[error("{what}")]
    Start {
        /// What it was about to do.
        what: String,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It cannot listen where it should.
    #[error("the {who} cannot listen at {address}")]
    Listen {
        /// The process.
        who: &'static str,
        /// The address.
        address: SocketAddr,
        /// The reason.
        source: std::io::Error,
    },
    /// An executor needs two ports, and the last one has none after it.
    #[error("an executor listens at the port after {address} as well, and there is none")]
    NoPort {
        /// The address.
        address: SocketAddr,
    },
}

impl ClusterError {
    /// How to solve the problem, if known.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            ClusterError::Listen { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse => Some(
                "another process has this port: end it, or choose another port with `--listen` (an executor takes the \
                 one after it as well)",
            ),
            ClusterError::Listen { .. } | ClusterError::NoPort { .. } => {
                Some("choose another address or port with `--listen`")
            }
            ClusterError::Start { .. } => None,
        }
    }
}
