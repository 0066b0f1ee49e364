//! Sources that lie in object stores.

use std::sync::Arc;

use metricc_ir::Source;
use metricc_log::{Binding, FileStore, Log, LogError, Progress};
use metricc_storage::{Storage, StorageError, StorageUrl, is_url};

use crate::package::TOPIC;

/// A binding of a `file://` URL is one of its path; a path stays as it is.
///
/// # Errors
/// What is wrong with the URL.
pub(crate) fn local(binding: Binding) -> Result<Binding, String> {
    if !is_url(&binding.path) || binding.path.starts_with(TOPIC) {
        return Ok(binding);
    }
    let url: StorageUrl = binding.path.parse().map_err(|error: StorageError| error.to_string())?;
    let path = url.local_path().map(str::to_owned);
    Ok(Binding { path: path.unwrap_or(binding.path), ..binding })
}

/// Opens the log of a source, whether its files lie here or in an object store.
pub(crate) fn open_log(
    source: &Arc<Source>,
    binding: &Binding,
    progress: &dyn Fn(Progress),
) -> Result<Log, LogError> {
    if !is_url(&binding.path) {
        return Log::open_with_progress(source, binding, progress);
    }
    let refused = |error: StorageError| {
        let (path, problem) = error.into_parts();
        LogError::Unreadable { path, cause: std::io::Error::other(problem) }
    };
    let url: StorageUrl = binding.path.parse().map_err(refused)?;
    let path = url.path().to_owned();
    let store: Arc<dyn FileStore> = Arc::new(Storage::open(url).map_err(refused)?);
    Log::open_stored(source, &store, &path, &binding.options, progress)
}
