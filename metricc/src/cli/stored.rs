//! Packages and sources that lie in object stores.

use std::io;
use std::path::Path;
use std::sync::Arc;

use metricc_dsl::{Files, SourceText};
use metricc_ir::{Source, plain_file};
use metricc_log::{Binding, FileStore, Log, LogError, Progress};
use metricc_storage::{Storage, StorageError, StorageUrl, is_url};

use crate::Package;
use crate::package::{PackageError, TOPIC};

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
        LogError::Unreadable { path, cause: io::Error::other(problem) }
    };
    let url: StorageUrl = binding.path.parse().map_err(refused)?;
    let path = url.path().to_owned();
    let store: Arc<dyn FileStore> = Arc::new(Storage::open(url).map_err(refused)?);
    Log::open_stored(source, &store, &path, &binding.options, progress)
}

/// The folder of a package, in which its tables and the files that it uses lie.
struct StoredFolder(Storage);

impl Files for StoredFolder {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        match self.0.read(name, plain_file::MOST_TABLE) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err("there is no such file in this folder".to_owned()),
            Err(error) => Err(error.into_parts().1),
        }
    }
}

/// Reads and checks a package, which is a path or a URL of an object store.
///
/// # Errors
/// [`PackageError::Read`].
pub(crate) fn read_package(path: &Path) -> Result<Package, PackageError> {
    let unreadable = |problem: String| {
        let source = io::Error::other(problem);
        PackageError::Read { path: path.to_owned(), source }
    };
    let Some(text) = path.to_str().filter(|text| is_url(text)) else { return Package::read(path) };
    let url: StorageUrl = text.parse().map_err(|error: StorageError| unreadable(error.into_parts().1))?;
    if let Some(local) = url.local_path() {
        return Package::read(Path::new(local));
    }
    let (folder, name) = text.rsplit_once('/').unwrap_or((text, ""));
    let folder: StorageUrl =
        folder.parse().map_err(|error: StorageError| unreadable(error.into_parts().1))?;
    let folder = Storage::open(folder).map_err(|error| unreadable(error.into_parts().1))?;
    let bytes = folder.read(name, plain_file::MOST_TEXT).map_err(|error| unreadable(error.into_parts().1))?;
    let bytes = bytes.ok_or_else(|| unreadable("it is not there".to_owned()))?;
    Ok(Package::from_text_with(SourceText { name: text.to_owned(), bytes }, &StoredFolder(folder)))
}
