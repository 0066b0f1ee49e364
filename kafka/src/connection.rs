//! How a broker is reached: TLS and SASL.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use krafka::Kafka;
use krafka::auth::{AuthConfig, TlsConfig};

use crate::{KafkaError, TopicAddress};

/// The name of this client in the logs of a broker.
const CLIENT: &str = "metricc";
/// How long a broker may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// What brokers want before they answer. Without anything, connections are plain and nobody logs in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Security {
    /// Whether connections are encrypted.
    pub tls: Option<Tls>,
    /// Who logs in.
    pub sasl: Option<Sasl>,
}

/// Which certificates of brokers are trusted, and what this client shows them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// A file of certificates in PEM; those of the public web without it.
    pub ca: Option<PathBuf>,
    /// The certificate of this client, for brokers that ask for one.
    pub client: Option<ClientCertificate>,
}

/// A certificate, and the key that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate and those that have issued it, in PEM.
    pub certificate: PathBuf,
    /// Its private key in PEM, not encrypted.
    pub key: PathBuf,
}

/// A user and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Sasl {
    /// How the password is proved.
    pub mechanism: Mechanism,
    /// The user.
    pub user: String,
    /// The password; no message and no `Debug` shows it.
    pub password: String,
}

impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sasl")
            .field("mechanism", &self.mechanism)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// How a password is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mechanism {
    /// The broker is told it: only with TLS.
    Plain,
    /// SCRAM-SHA-256: the broker is not told it.
    ScramSha256,
    /// SCRAM-SHA-512.
    #[default]
    ScramSha512,
}

impl FromStr for Mechanism {
    type Err = String;

    /// # Errors
    /// A message with the mechanisms that there are.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "plain" => Ok(Mechanism::Plain),
            "scram-sha-256" => Ok(Mechanism::ScramSha256),
            "scram-sha-512" => Ok(Mechanism::ScramSha512),
            _ => {
                Err(format!("unknown mechanism `{text}`: it is `plain`, `scram-sha-256` or `scram-sha-512`"))
            }
        }
    }
}

impl Tls {
    fn config(&self) -> TlsConfig {
        let mut config = TlsConfig::new();
        if let Some(ca) = &self.ca {
            config = config.with_ca_cert(ca.to_string_lossy());
        }
        match &self.client {
            Some(ClientCertificate { certificate, key }) => {
                config.with_client_cert(certificate.to_string_lossy(), key.to_string_lossy())
            }
            None => config,
        }
    }
}

impl Security {
    fn config(&self) -> AuthConfig {
        let tls = self.tls.as_ref().map(Tls::config);
        let Some(Sasl { mechanism, user, password }) = &self.sasl else {
            return tls.map_or_else(AuthConfig::plaintext, AuthConfig::ssl);
        };
        let config = match mechanism {
            Mechanism::Plain => AuthConfig::sasl_plain(user, password),
            Mechanism::ScramSha256 => AuthConfig::sasl_scram_sha256(user, password),
            Mechanism::ScramSha512 => AuthConfig::sasl_scram_sha512(user, password),
        };
        match tls {
            Some(tls) => config.with_tls(tls),
            None => config,
        }
    }
}

/// Connects to a cluster.
pub(crate) async fn connect(address: &TopicAddress, security: &Security) -> Result<Kafka, KafkaError> {
    let builder = Kafka::builder(address.broker_list())
        .client_id(CLIENT)
        .connect_timeout(CONNECT)
        .allow_auto_create_topics(false)
        .security(security.config());
    builder.connect().await.map_err(|error| KafkaError::of_connection(address, &error))
}
