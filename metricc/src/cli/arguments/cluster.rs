//! Arguments of the cluster: its processes, and runs on it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples, on one machine:
  metricc cluster local
  metricc run flights.metric --source flights=log/ --cluster df://127.0.0.1:50050

The same, each process in a terminal of its own, or on a machine of its own:
  metricc cluster scheduler
  metricc cluster executor --scheduler df://127.0.0.1:50050

On several machines, executors and `metricc run` need one shared folder (`--store`), and see the \
files of the log under the same paths. Whoever reaches a port of the cluster can use it: keep it \
in a network of its own.

Exit codes:
  0  stopped
  2  it cannot run, or wrong usage")]
pub(crate) struct ClusterArguments {
    #[command(subcommand)]
    pub(crate) command: ClusterCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Start a scheduler and executors on this machine, until Ctrl-C
    Local(LocalArguments),
    /// Keep the list of executors, and give them the jobs of runs
    Scheduler(SchedulerArguments),
    /// Do jobs: read parts of logs, and write segments to the store
    Executor(ExecutorArguments),
}

#[derive(Debug, Args)]
pub(crate) struct LocalArguments {
    /// Number of executors
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) executors: u16,
    /// Address and port of the scheduler; executors listen on other ports of this machine
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:50050")]
    pub(crate) listen: SocketAddr,
    /// Folder that executors and runs share [default: a folder of this user's cache]
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Jobs of an executor at a time [default: number of cores, divided by the executors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) slots: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct SchedulerArguments {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:50050")]
    pub(crate) listen: SocketAddr,
    /// Name of this machine for executors and clients [default: the address]
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// End when stdin is closed
    #[arg(long, hide = true)]
    pub(crate) until_closed: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExecutorArguments {
    /// The scheduler
    #[arg(long, value_name = "df://HOST:PORT")]
    pub(crate) scheduler: String,
    /// Address and port to listen on; the port after it is used as well
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:50060")]
    pub(crate) listen: SocketAddr,
    /// Name of this machine for the scheduler [default: the address]
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// Folder that executors and runs share [default: a folder of this user's cache]
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Jobs at a time [default: number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) slots: Option<u16>,
    /// Seconds to wait for the scheduler at the start
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) wait: u16,
    /// End when stdin is closed
    #[arg(long, hide = true)]
    pub(crate) until_closed: bool,
}

/// A run whose jobs others do.
#[derive(Debug, Args)]
pub(crate) struct RunOnCluster {
    /// Have executors of this scheduler compute, by the batch engine
    #[arg(long, value_name = "df://HOST:PORT", group = "shared", conflicts_with_all = ["engine", "cut"])]
    pub(crate) cluster: Option<String>,
    /// Folder that executors and runs share, or the processes of all hosts [default: a folder of this user's
    /// cache]
    #[arg(long, value_name = "DIR", requires = "shared")]
    pub(crate) store: Option<PathBuf>,
    /// Events of a job, about
    #[arg(
        long,
        value_name = "N",
        default_value_t = 4_000_000,
        requires = "cluster",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub(crate) job_events: u64,
    /// MiB of files of states that one process merges at a time; more are merged by jobs, in ranges
    #[arg(
        long,
        value_name = "MIB",
        default_value_t = 64,
        requires = "cluster",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub(crate) merge_mib: u64,
}
