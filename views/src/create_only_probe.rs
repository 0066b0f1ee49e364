//! Whether a store keeps what the versions of views rely on.

use metricc_storage::creates_only;
use object_store::path::Path;

use crate::{ViewError, ViewStore};

impl ViewStore {
    /// Checks that the store creates what is not there, and nothing else: on that the versions rely.
    ///
    /// # Errors
    /// [`ViewError::Overwrites`] if it does not, and [`ViewError::Store`] if it fails.
    pub async fn probe(&self) -> Result<(), ViewError> {
        let path = Path::from_iter([self.source.as_str(), "probe"]);
        if creates_only(self.store.as_ref(), &path).await? { Ok(()) } else { Err(ViewError::Overwrites) }
    }
}
