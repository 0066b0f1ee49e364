//! TLS of connections, from certificate files.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// TLS 1.2 and 1.3 with the certificates of a PEM file, the node's own first, and the key of another one.
///
/// # Errors
/// What is wrong with a file.
pub fn tls_acceptor(cert: &Path, key: &Path) -> Result<TlsAcceptor, String> {
    let of = |path: &Path, what: &str, error: &dyn std::fmt::Display| {
        format!("{}: {what}: {error}", path.display())
    };
    let unreadable = |error| of(cert, "no certificates in PEM", &error);
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert)
        .map_err(unreadable)?
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    if certificates.is_empty() {
        return Err(of(cert, "no certificates in PEM", &"the file has none"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| of(key, "no key in PEM", &error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(certificates, private)
        .map_err(|error| of(cert, "does not fit its key", &error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
