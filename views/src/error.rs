//! Why a view or a table could not be read or written.

/// Why a view could not be read or committed.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The object store failed.
    #[error("view store: {0}")]
    Store(#[from] object_store::Error),
    /// A file is corrupt, or cannot be written as it is: it has to be rebuilt from the log.
    #[error("view file `{path}`: {source}")]
    Corrupt {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store replaces what is there, also where it is told not to: of two writers both would have
    /// committed.
    #[error(
        "the view store replaces files that it is told to create: versions of views would not be safe there"
    )]
    Overwrites,
    /// Another writer has committed this version.
    #[error("version {version} of the view was committed by another writer")]
    Lost {
        /// The version.
        version: u64,
    },
}

/// A file that is corrupt, or that cannot be written.
pub(crate) fn corrupt(
    path: &impl ToString,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ViewError {
    ViewError::Corrupt { path: path.to_string(), source: source.into() }
}
