//! Why a node does not start.

use std::path::PathBuf;

use metricc_compiler::CompileError;
use metricc_durable_log::DurableError;
use metricc_log::LogError;
use metricc_views::ViewError;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The folder cannot be used.
    #[error("folder `{}`: {problem}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// Another node has the folder.
    #[error("folder `{}` belongs to a node that is running: {holder}", .path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        holder: String,
    },
    /// The configuration names something that is not there.
    #[error("{0}")]
    Config(String),
    /// The log could not be opened.
    #[error(transparent)]
    Log(#[from] DurableError),
    /// A source cannot be read as it is declared.
    #[error(transparent)]
    Source(#[from] LogError),
    /// A plan could not be made.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The views could not be read.
    #[error(transparent)]
    View(#[from] ViewError),
    /// A thread could not be started.
    #[error("starting a thread: {0}")]
    Thread(#[from] std::io::Error),
}

impl NodeError {
    /// What to do, if that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            NodeError::Log(error) => error.help(),
            NodeError::Source(error) => error.help(),
            NodeError::Taken { .. } => {
                Some("stop that node, or give this one another folder with `data`".to_owned())
            }
            _ => None,
        }
    }
}
