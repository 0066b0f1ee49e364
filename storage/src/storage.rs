//! A place in an object store.

use std::io;
use std::sync::Arc;

use futures::TryStreamExt;
use metricc_log::{FileStore, ReadAt, StoredFile};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::address::{Kind, StorageUrl, key};
use crate::background::wait;
#[cfg(feature = "cloud")]
use crate::cloud::cloud;
use crate::create_only::creates_only;
use crate::object_file::{Object, ObjectFile};
use crate::small_objects::SmallObjects;
use crate::{StorageError, error};

/// A place in an object store, and the store. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Storage {
    url: StorageUrl,
    /// The path of the URL.
    key: Path,
    /// All of the bucket; of `file://`, the root of this machine.
    store: Arc<dyn ObjectStore>,
    small: Arc<SmallObjects>,
}

impl Storage {
    /// Connects to a store, without a request.
    ///
    /// # Errors
    /// [`StorageError`] if the environment does not say what is needed, or the store is not compiled in.
    pub fn open(url: StorageUrl) -> Result<Self, StorageError> {
        let (store, key) = (connect(&url)?, url.key()?);
        Ok(Storage { url, key, store, small: Arc::default() })
    }

    /// Where it is.
    pub fn url(&self) -> &StorageUrl {
        &self.url
    }

    /// The store with this place as its root.
    pub fn below(&self) -> Arc<dyn ObjectStore> {
        Arc::new(PrefixStore::new(self.store.clone(), self.key.clone()))
    }

    /// The same store at another place of it.
    #[must_use]
    pub fn join(&self, below: &str) -> Self {
        let key = below.split('/').fold(self.key.clone(), Path::join);
        Storage { url: self.url.join(below), key, ..self.clone() }
    }

    /// Checks that the store can be read and written here, and creates an object only where there is none.
    ///
    /// # Errors
    /// [`StorageError::Overwrites`] if it replaces the object, [`StorageError::Store`] if it fails.
    pub fn probe(&self) -> Result<(), StorageError> {
        let (store, path) = (self.store.clone(), self.key.clone().join("probe"));
        let outcome = wait(async move { creates_only(store.as_ref(), &path).await });
        match outcome {
            Some(Ok(true)) => Ok(()),
            Some(Ok(false)) => Err(StorageError::Overwrites { url: self.url.to_string() }),
            Some(Err(error)) => Err(StorageError::of_store(&self.url, &error)),
            None => Err(ended(&self.url)),
        }
    }

    /// The bytes of an object below; `None` if there is none.
    ///
    /// # Errors
    /// [`StorageError::Store`], also if it has more than `most_bytes`.
    pub fn read(&self, below: &str, most_bytes: u64) -> Result<Option<Vec<u8>>, StorageError> {
        let place = self.join(below);
        let (store, path) = (place.store, place.key);
        let bytes = wait(async move {
            let found = store.get(&path).await?;
            if found.meta.size > most_bytes {
                return Ok(None);
            }
            found.bytes().await.map(Some)
        });
        match bytes {
            Some(Ok(Some(bytes))) => Ok(Some(bytes.into())),
            Some(Ok(None)) => {
                let problem = format!("it has more than {most_bytes} bytes");
                Err(StorageError::Store { url: place.url.to_string(), problem })
            }
            Some(Err(object_store::Error::NotFound { .. })) => Ok(None),
            Some(Err(error)) => Err(StorageError::of_store(&place.url, &error)),
            None => Err(ended(&place.url)),
        }
    }

    /// Runs work with the store on the threads of stores, and waits for it.
    ///
    /// # Errors
    /// [`StorageError::Store`] of its error.
    pub fn run<T, W>(&self, work: impl FnOnce(Arc<dyn ObjectStore>) -> W) -> Result<T, StorageError>
    where
        T: Send + 'static,
        W: Future<Output = object_store::Result<T>> + Send + 'static,
    {
        let outcome = wait(work(self.below())).ok_or_else(|| ended(&self.url))?;
        outcome.map_err(|error| StorageError::of_store(&self.url, &error))
    }

    fn shown_path(&self, path: &str) -> String {
        StorageUrl { path: path.to_owned(), ..self.url.clone() }.to_string()
    }
}

fn ended(url: &StorageUrl) -> StorageError {
    StorageError::Store { url: url.to_string(), problem: "the request was not finished".to_owned() }
}

impl FileStore for Storage {
    fn shown(&self, path: &str) -> String {
        self.shown_path(path)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<StoredFile>> {
        let unreadable = |error: &object_store::Error| io::Error::other(error::problem(self.url.kind, error));
        let (store, prefix) = (self.store.clone(), key(folder).map_err(|error| unreadable(&error))?);
        let found = wait(async move {
            let below: Vec<_> = store.list(Some(&prefix)).try_collect().await?;
            if !below.is_empty() || prefix.as_ref().is_empty() {
                return Ok(below);
            }
            // An object lies at the path itself, or nothing does.
            match store.head(&prefix).await {
                Ok(object) => Ok(vec![object]),
                Err(object_store::Error::NotFound { .. }) => Ok(Vec::new()),
                Err(error) => Err(error),
            }
        });
        let found = found.ok_or_else(|| io::Error::other("the request was not finished"))?;
        let found = found.map_err(|error| unreadable(&error))?;
        let mut files: Vec<StoredFile> = found
            .into_iter()
            .map(|object| StoredFile {
                path: object.location.to_string(),
                n_bytes: object.size,
                modified: Some(object.last_modified.into()),
                tag: object.e_tag,
            })
            .collect();
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    fn open(&self, file: &StoredFile) -> io::Result<Arc<dyn ReadAt>> {
        let path = key(&file.path).map_err(|error| io::Error::other(error.to_string()))?;
        let object = Object {
            store: self.store.clone(),
            path,
            kind: self.url.kind,
            shown: self.shown_path(&file.path),
            n_bytes: file.n_bytes,
            tag: file.tag.clone(),
        };
        Ok(Arc::new(ObjectFile::new(object, file.modified, &self.small)))
    }
}

fn connect(url: &StorageUrl) -> Result<Arc<dyn ObjectStore>, StorageError> {
    match url.kind {
        Kind::File => Ok(Arc::new(LocalFileSystem::new())),
        _ => cloud(url),
    }
}

#[cfg(not(feature = "cloud"))]
fn cloud(url: &StorageUrl) -> Result<Arc<dyn ObjectStore>, StorageError> {
    Err(StorageError::NotBuilt { url: url.to_string() })
}
