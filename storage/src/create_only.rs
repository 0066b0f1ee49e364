//! Creating objects only where there are none: on that versions, manifests and results rely.

use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, Result};

/// Creates an object. Returns whether there was none; otherwise it stays as it is.
///
/// # Errors
/// Those of the store.
pub async fn create_if_absent(store: &dyn ObjectStore, path: &Path, bytes: PutPayload) -> Result<bool> {
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    match store.put_opts(path, bytes, options).await {
        Ok(_) => Ok(true),
        Err(Error::AlreadyExists { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a store creates an object only where there is none. Some take the condition and ignore it. An
/// object at the path, which only probes have, is removed.
///
/// # Errors
/// Those of the store.
pub async fn creates_only(store: &dyn ObjectStore, path: &Path) -> Result<bool> {
    let probe = || PutPayload::from_static(b"probe");
    // A probe that was killed may have left it.
    match store.delete(path).await {
        Ok(()) | Err(Error::NotFound { .. }) => {}
        Err(error) => return Err(error),
    }
    create_if_absent(store, path, probe()).await?;
    let again = create_if_absent(store, path, probe()).await;
    store.delete(path).await?;
    again.map(|was_absent| !was_absent)
}
