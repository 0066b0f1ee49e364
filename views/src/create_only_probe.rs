//! Whether a store keeps what the versions of views rely on.

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use crate::{ViewError, ViewStore};

impl ViewStore {
    /// Checks that the store creates what is not there, and nothing else: on that the versions rely.
    ///
    /// # Errors
    /// [`ViewError::Overwrites`] if it does not, and [`ViewError::Store`] if it fails.
    pub async fn probe(&self) -> Result<(), ViewError> {
        let path = Path::from_iter([self.source.as_str(), "probe"]);
        let create = || {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            self.store.put_opts(&path, PutPayload::from_static(b"probe"), options)
        };
        // A probe that was killed may have left it.
        match self.store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        create().await?;
        let again = create().await;
        self.store.delete(&path).await?;
        match again {
            Ok(_) => Err(ViewError::Overwrites),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
