//! Arguments of the cluster: its processes, and runs on it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use metricc_node::listen_address_like;

/// The usual port of a scheduler.
const SCHEDULER: u16 = 50050;

/// Where a process listens: `HOST:PORT`, or a port of the loopback address.
fn listen(text: &str) -> Result<SocketAddr, String> {
    let address = match text.parse::<u16>() {
        Ok(port) => SocketAddr::from(([127, 0, 0, 1], port)),
        Err(_) => listen_address_like(text, SCHEDULER)?.address,
    };
    match address.port() {
        0 => Err(format!("others have to know the port: choose one, such as `127.0.0.1:{SCHEDULER}`")),
        _ => Ok(address),
    }
}

/// A name or an address of this machine, under which others reach it.
fn host_name(text: &str) -> Result<String, String> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_name = !text.is_empty() && text.chars().all(is_of_name);
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    if is_name || inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok()) {
        return Ok(text.to_owned());
    }
    Err("not the name of a machine, such as `node7.internal` or `10.0.0.7`; the port is in `--listen`"
        .to_owned())
}

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
#[cfg_attr(not(feature = "cluster"), command(before_help = super::super::cluster::NOT_COMPILED))]
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
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:50050", value_parser = listen)]
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
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:50050", value_parser = listen)]
    pub(crate) listen: SocketAddr,
    /// Name of this machine for executors and clients [default: the address]
    #[arg(long, value_name = "HOST", value_parser = host_name)]
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
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:50060", value_parser = listen)]
    pub(crate) listen: SocketAddr,
    /// Name of this machine for the scheduler [default: the address]
    #[arg(long, value_name = "HOST", value_parser = host_name)]
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
    #[arg(long, value_name = "df://HOST:PORT", group = "shared", conflicts_with = "cut")]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_listen_at_addresses_names_and_ports() {
        for (text, address) in [
            ("127.0.0.1:50050", "127.0.0.1:50050"),
            ("localhost:7", "127.0.0.1:7"),
            ("50051", "127.0.0.1:50051"),
            ("[::1]:9", "[::1]:9"),
        ] {
            assert_eq!(listen(text).map(|address| address.to_string()), Ok(address.to_owned()), "{text}");
        }
        for (text, problem) in [("0", "choose one, such as"), ("localhost", "such as"), ("", "such as")] {
            assert!(listen(text).is_err_and(|said| said.contains(problem)), "{text}");
        }
    }

    #[test]
    fn hosts_are_names_without_a_port() {
        for text in ["node7", "10.0.0.7", "[::1]"] {
            assert_eq!(host_name(text), Ok(text.to_owned()));
        }
        for text in ["", "a:1", "a b", "[x]", "df://a"] {
            assert!(host_name(text).is_err(), "{text}");
        }
    }
}
