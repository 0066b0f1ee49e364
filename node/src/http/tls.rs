//! TLS of the node itself: TLS 1.2 and 1.3, with a certificate that is read again when its files change.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::TlsConfig;
use crate::error::NodeError;

/// How often the files are looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The first byte of a client that speaks TLS.
const HANDSHAKE: u8 = 22;

/// What a client without TLS is told.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n\
    Content-Length: 91\r\n\r\n\
    {\"error\":{\"code\":\"tls\",\"message\":\"this node speaks TLS: begin its address with https://\"}}\n";

/// When files were changed last, and their lengths.
type Stamp = Vec<Option<(SystemTime, u64)>>;

/// The certificate of a node, and its key.
pub(super) struct Tls {
    files: TlsConfig,
    current: RwLock<Arc<ServerConfig>>,
    read: Mutex<Stamp>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Tls {
    /// # Errors
    /// [`NodeError::Config`] if a file is not what it should be.
    pub(super) fn new(files: &TlsConfig) -> Result<Self, NodeError> {
        let stamp = stamp(files);
        let current = server_config(files).map_err(NodeError::Config)?;
        Ok(Tls { files: files.clone(), current: RwLock::new(current), read: Mutex::new(stamp) })
    }

    /// Reads the files again if they have changed. New connections use what is there now; files that cannot
    /// be used leave the certificate as it is, and are reported once.
    pub(super) fn look(&self) {
        let now = stamp(&self.files);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if *read == now {
            return;
        }
        *read = now;
        match server_config(&self.files) {
            Ok(next) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
                tracing::info!("the certificate of the node was read again");
            }
            Err(problem) => tracing::error!("the certificate of the node stays as it was: {problem}"),
        }
    }

    /// A connection, after its handshake; `None` if the client speaks no TLS, which it is told.
    ///
    /// # Errors
    /// If the client is gone, or the handshake fails.
    pub(super) async fn accept(
        &self,
        mut stream: TcpStream,
    ) -> std::io::Result<Option<TlsStream<TcpStream>>> {
        let mut first = [0];
        if stream.peek(&mut first).await? > 0 && first[0] != HANDSHAKE {
            stream.write_all(PLAIN).await?;
            stream.shutdown().await?;
            return Ok(None);
        }
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        TlsAcceptor::from(current).accept(stream).await.map(Some)
    }
}

fn stamp(files: &TlsConfig) -> Stamp {
    let of = |path: &PathBuf| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    [&files.cert, &files.key].map(of).to_vec()
}

/// # Errors
/// What is wrong with which file.
fn server_config(files: &TlsConfig) -> Result<Arc<ServerConfig>, String> {
    let certificates = certificates(&files.cert)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| unreadable("key", &files.key, "PRIVATE KEY", &error))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| format!("`[tls]`: {error}"))?;
    let mut config = builder.with_no_client_auth().with_single_cert(certificates, key).map_err(|error| {
        let (cert, key) = (files.cert.display(), files.key.display());
        format!("`tls.cert` (`{cert}`) and `tls.key` (`{key}`) cannot be used together: {error}")
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |error: &pem::Error| unreadable("cert", path, "CERTIFICATE", error);
    let read = CertificateDer::pem_file_iter(path).map_err(|error| failed(&error))?;
    let read = read.collect::<Result<Vec<_>, _>>().map_err(|error| failed(&error))?;
    if read.is_empty() {
        return Err(failed(&pem::Error::NoItemsFound));
    }
    Ok(read)
}

fn unreadable(setting: &str, path: &Path, section: &str, error: &pem::Error) -> String {
    let place = format!("`tls.{setting}`: `{}`", path.display());
    match error {
        pem::Error::NoItemsFound => {
            format!("{place} has no section `BEGIN {section}`: it has to be a file in PEM")
        }
        pem::Error::Io(error) => format!("{place} cannot be read: {error}"),
        error => format!("{place} is not a file in PEM: {error:?}"),
    }
}
