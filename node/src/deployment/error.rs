//! Why a version of the package is not deployed.

use metricc_compiler::CompileError;

/// Why a version of the package was not deployed, or a step with it not taken.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The package has errors.
    #[error("{0}")]
    Package(String),
    /// A question has errors.
    #[error("{0}")]
    Question(String),
    /// The live version is no longer the one that a metric was to be added to.
    #[error("another version has become live meanwhile: try again")]
    Changed,
    /// A metric cannot be planned.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The settings of a source that it brings along do not fit it.
    #[error("source `{origin}` is new to the node, and cannot be opened: {problem}")]
    NewSource {
        /// The name.
        origin: String,
        /// What is wrong with them.
        problem: String,
    },
    /// A source that it brings along could not be opened now.
    #[error("source `{origin}` is new to the node, and could not be opened: {problem}")]
    Opening {
        /// The name.
        origin: String,
        /// What has failed.
        problem: String,
    },
    /// The version is there, and a source that it brings along was not started.
    #[error(
        "the version is deployed, and its new sources need threads that the system does not start ({0}): start the node again"
    )]
    Thread(String),
    /// It declares a source in a way in which its log cannot be read.
    #[error(
        "source `{origin}` was declared otherwise when its events came in: {problem}; put it back, or declare another source and \
         send the events to it (docs/changing.md says what may change)"
    )]
    Source {
        /// The source.
        origin: String,
        /// What has changed.
        problem: String,
    },
    /// As [`DeployError::Source`], of a source without events.
    #[error(
        "source `{origin}`: {problem}; it has no events yet, so start the node again with the new file, which then is the live \
         version"
    )]
    NoEvents {
        /// The source.
        origin: String,
        /// What has changed.
        problem: String,
    },
    /// The condition of a reader does not fit a metric.
    #[error("{0}")]
    Readers(String),
    /// The metrics of the node are those of a program.
    #[error("the metrics of this node are those of its program, and are changed with it")]
    Program,
    /// The metrics of the node are those of a program, which questions cannot name.
    #[error(
        "the metrics of this node are those of its program, and questions are asked of a package that is a `.metric` file: ask \
         without the node, with such a file and `--source`"
    )]
    ProgramAsked,
    /// A cluster evaluates the batch of the node.
    #[error(
        "the batch of this node runs on a cluster, which plans from the file that the node was started with; start it again with \
         the new file"
    )]
    Cluster,
    /// Another version is being computed, or previewed.
    #[error("version {version}, deployed by {by}, is {}: {}", if *.is_preview { "a preview" } else { "being computed" }, underway_help(*.version, *.is_preview))]
    Underway {
        /// Its number.
        version: u64,
        /// Who deployed it.
        by: String,
        /// Whether it is a preview.
        is_preview: bool,
    },
    /// There is no such version.
    #[error("there is no version {version}; {}", listed(.known))]
    Unknown {
        /// The number.
        version: u64,
        /// Those that there are.
        known: Vec<u64>,
    },
    /// No version before the live one is kept.
    #[error("no version before the live one is kept: {}", kept_help(.others))]
    NothingKept {
        /// Later versions that are kept.
        others: Vec<u64>,
    },
    /// A version that was live is not promoted.
    #[error("version {version} was live before: `metricc rollback {version}` makes it live again")]
    WasLive {
        /// The number.
        version: u64,
    },
    /// A version that was never live is not rolled back to.
    #[error("version {version} was never live: `metricc promote {version}` makes a preview live")]
    NeverLive {
        /// The number.
        version: u64,
    },
    /// The states of a version are not there.
    #[error(
        "version {version} has not all metrics yet: `{metric}` is still being computed from the log; `metricc status` shows how far \
         it is"
    )]
    NotFollowed {
        /// The number.
        version: u64,
        /// A metric whose states are missing.
        metric: String,
    },
    /// No version is on its way that could be compared with the live one.
    #[error("no version is on its way: {}", compared_help(.kept))]
    NothingUnderway {
        /// Those that are kept.
        kept: Vec<u64>,
    },
    /// A version is not compared with itself.
    #[error(
        "version {version} would be compared with itself: name another one as the old version (`--old-version`, `against`)"
    )]
    Same {
        /// The number.
        version: u64,
    },
    /// Neither of two versions has the metric.
    #[error("neither version has a metric `{metric}`; the metrics are `{}`", .known.join("`, `"))]
    UnknownMetric {
        /// The name.
        metric: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The live version is not retired.
    #[error("version {version} is live: deploy another one, or roll back, before you retire it")]
    IsLive {
        /// The number.
        version: u64,
    },
    /// The versions could not be written to the disk.
    #[error("the versions of the package cannot be written: {0}")]
    Disk(#[from] std::io::Error),
}

fn underway_help(version: u64, is_preview: bool) -> String {
    match is_preview {
        true => format!("`metricc promote {version}` makes it live, `metricc retire {version}` gives it up"),
        false => format!("wait for it, or give it up with `metricc retire {version}`"),
    }
}

fn compared_help(kept: &[u64]) -> String {
    match kept.iter().max() {
        Some(last) => format!(
            "name one that is kept, such as {last} (`--of-version {last}`, `version={last}`), or deploy a preview"
        ),
        None => "`metricc deploy FILE --preview` computes one beside the live version".to_owned(),
    }
}

fn kept_help(others: &[u64]) -> String {
    match others.iter().max() {
        Some(last) => format!("`metricc rollback {last}` goes to version {last}, which came after it"),
        None => "deploy its file again".to_owned(),
    }
}

fn listed(known: &[u64]) -> String {
    let mut sorted = known.to_vec();
    sorted.sort_unstable();
    match &sorted[..] {
        [only] => format!("there is {only}"),
        all => {
            let all: Vec<String> = all.iter().map(u64::to_string).collect();
            format!("there are {}", all.join(", "))
        }
    }
}
