//! `[tls]`: the certificate of a node that speaks TLS itself.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A certificate and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The file of the certificate, and of those between it and its authority.
    pub cert: PathBuf,
    /// The file of the private key.
    pub key: PathBuf,
}

impl TlsConfig {
    /// Files are relative to the folder of the configuration.
    pub(super) fn resolve(&mut self, folder: &Path) {
        self.cert = folder.join(&self.cert);
        self.key = folder.join(&self.key);
    }
}
