//! Why a node does not start.

use std::path::{Path, PathBuf};

use metricc_compiler::CompileError;
use metricc_durable_log::DurableError;
use metricc_log::LogError;
use metricc_views::ViewError;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A folder cannot be used.
    #[error("folder `{}` cannot be used", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another node uses the folder.
    #[error("folder `{}` is in use by another node: {holder}", .path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
        /// The process that uses it.
        holder: String,
    },
    /// Everybody keeps files in the folder.
    #[error("folder `{}` is shared by all users (mode {mode:o})", .path.display())]
    Shared {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The log does not have what is proved to have been in it: acknowledged events are lost.
    #[error("the log in `{}` has lost events that were acknowledged:\n  {}", .path.display(), .losses.join("\n  "))]
    Loss {
        /// The folder of the log.
        path: PathBuf,
        /// What is lost, and what proves it.
        losses: Vec<String>,
    },
    /// A setting cannot be applied.
    #[error("{0}")]
    Config(String),
    /// The log could not be opened.
    #[error(transparent)]
    Log(#[from] DurableError),
    /// The events of a source cannot be decoded as declared.
    #[error(transparent)]
    Source(#[from] LogError),
    /// A metric could not be planned.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The views could not be read.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The versions of the package cannot be read or written.
    #[error("the versions of the package in the data folder cannot be used")]
    Versions(#[source] std::io::Error),
    /// There is no tokio runtime.
    #[error("a node must be started in a tokio runtime")]
    Runtime(#[from] tokio::runtime::TryCurrentError),
    /// A thread could not be started.
    #[error("cannot start a thread")]
    Thread(#[from] std::io::Error),
}

impl NodeError {
    /// For `map_err`: the folder cannot be used.
    pub(crate) fn folder<E: std::error::Error + Send + Sync + 'static>(path: &Path) -> impl Fn(E) -> Self {
        move |error| NodeError::Folder { path: path.to_owned(), source: Box::new(error) }
    }

    /// How to solve the problem, if known.
    pub fn help(&self) -> Option<String> {
        match self {
            NodeError::Log(error) => error.help(),
            NodeError::Source(error) => error.help(),
            NodeError::Taken { .. } => Some("stop that node, or set another folder with `data`".to_owned()),
            NodeError::Shared { path, .. } => {
                let own = path.join("metricc-data");
                Some(format!("set a folder of the node's own with `data`, such as `{}`", own.display()))
            }
            NodeError::Loss { .. } => Some(
                "restore the log, or mount its disk; to go on without these events: `metricc serve --accept-loss`"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
