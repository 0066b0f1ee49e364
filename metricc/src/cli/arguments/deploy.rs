//! Arguments of the commands that change the versions of a node's package.

use std::path::PathBuf;

use clap::Args;

use super::NodeArguments;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc deploy payments.metric --plan        only say what it would change
  metricc deploy payments.metric               deploy it, and wait until it is live
  metricc deploy payments.metric --preview     compute it beside the live version, which stays live
  metricc deploy payments.metric --no-wait     return at once; `metricc versions` shows how far it is
  metricc rollback                             go back to the version before

The tests of the file run first; with `--plan`, after the plan is shown. New metrics are computed from the log \
of the node while it goes on taking events and answering. When all of them are there, the version becomes live, \
all metrics at once. A source may be declared otherwise if the events of the log can be read so: events that come \
in from then on are decoded as the version says.

Exit codes:
  0  live, or a preview that is there; with `--plan`, it can be deployed
  1  errors in the file, or one of its tests fails
  2  the node refuses it or cannot be reached, or wrong usage
  3  the node cannot do it yet: it is starting, computing or busy")]
pub(crate) struct DeployArguments {
    /// The `.metric` file: a path, or a URL of an object store
    pub(crate) file: PathBuf,
    /// Only say what would change
    #[arg(long, conflicts_with_all = ["preview", "no_wait"])]
    pub(crate) plan: bool,
    /// Compute it beside the live version; `metricc promote` makes it live
    #[arg(long)]
    pub(crate) preview: bool,
    /// Do not run the `test` blocks of the file before
    #[arg(long)]
    pub(crate) skip_tests: bool,
    /// Do not wait until new metrics are computed
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Print one JSON object per metric on stdout, and at the end one with `version`, `state`, `unchanged` and `notes`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) by: ByArguments,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

/// Who does a step.
#[derive(Debug, Args)]
pub(crate) struct ByArguments {
    /// Who does it, for the history of the node; your user name unless it is given
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
}

impl ByArguments {
    pub(crate) fn name(&self) -> String {
        let variable = |name: &str| std::env::var(name).ok().filter(|user| !user.is_empty());
        let user = || variable("USER").or_else(|| variable("LOGNAME")).or_else(user_of_process);
        self.by.clone().or_else(user).unwrap_or_else(|| "unknown".to_owned())
    }
}

/// The user as whom this process runs: its name, or its number.
#[cfg(unix)]
fn user_of_process() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let uid = std::fs::metadata("/proc/self").ok()?.uid();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    Some(name.unwrap_or_else(|| format!("uid {uid}")))
}

#[cfg(not(unix))]
fn user_of_process() -> Option<String> {
    None
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc promote 4              make version 4, a preview, live, and wait until it is
  metricc promote 4 --no-wait    do not wait: it becomes live as soon as its metrics are computed
  metricc promote 4 --by anna    with another name in the history

`metricc versions` lists the versions. If the version declares a source otherwise, the command returns when events \
are decoded as it says.

Exit codes:
  0  live, or with `--no-wait` live as soon as its metrics are computed
  2  the node refuses it or cannot be reached, or wrong usage
  3  the node cannot do it yet: it is starting, computing or busy")]
pub(crate) struct PromoteArguments {
    /// The number of the version
    #[arg(value_name = "VERSION")]
    pub(crate) number: u64,
    /// Do not wait until it is live, and events are decoded as it says
    #[arg(long)]
    pub(crate) no_wait: bool,
    #[command(flatten)]
    pub(crate) by: ByArguments,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc rollback               make the version before the live one live again: the last one with a lower number
  metricc rollback 3             make version 3 live again
  metricc rollback 3 --no-wait   do not wait until events are decoded as it declares their sources
  metricc rollback --by anna     with another name in the history

Kept versions are followed, so this takes no time. `metricc versions` lists them. A deployment that is still being \
computed becomes a preview: `metricc promote` makes it live.

Exit codes:
  0  live
  2  the node refuses it or cannot be reached, or wrong usage
  3  the node cannot do it yet: it is starting, computing or busy")]
pub(crate) struct RollbackArguments {
    /// The number of the version
    #[arg(value_name = "VERSION")]
    pub(crate) number: Option<u64>,
    /// Do not wait until it is live, and events are decoded as it says
    #[arg(long)]
    pub(crate) no_wait: bool,
    #[command(flatten)]
    pub(crate) by: ByArguments,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc retire 3     stop following version 3, or give it up while it is being computed

Exit codes:
  0  retired
  2  the node refuses it or cannot be reached, or wrong usage
  3  the node cannot do it yet: it is starting, computing or busy")]
pub(crate) struct RetireArguments {
    /// The number of the version
    #[arg(value_name = "VERSION")]
    pub(crate) number: u64,
    #[command(flatten)]
    pub(crate) by: ByArguments,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc versions           the versions of the package, as a table
  metricc versions --json    with metrics and history, as one JSON object

Exit codes:
  0  answered
  2  the node cannot be reached, or wrong usage
  3  the node cannot answer yet: it is starting, computing or busy")]
pub(crate) struct VersionsArguments {
    /// Print the answer of the node, on stdout
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}
