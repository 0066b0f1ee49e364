//! How a PostgreSQL server is reached.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::with_causes;
use crate::{Secret, SinkError};

/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// After how long without an answer of its machine a connection is given up.
const SILENT: Duration = Duration::from_secs(20);

/// Where a database is, and who writes to it.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    /// `postgres://USER@HOST:PORT/DATABASE`, without a password.
    pub url: String,
    /// The password of the user.
    pub password: Option<Secret>,
    /// Whether the connection must be encrypted; `sslmode=require` in the URL says the same.
    pub tls: bool,
    /// The certificates that are trusted instead of those of this machine.
    pub ca: Option<PathBuf>,
    /// The schema of the tables.
    pub schema: String,
}

/// Connects to one server.
#[derive(Clone)]
pub(super) struct Connector {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    /// Hosts and ports, for messages.
    shown: String,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connector").field(&self.shown).finish()
    }
}

impl Connector {
    /// # Errors
    /// What is wrong with a setting, without what stands there.
    pub(super) fn new(settings: &PostgresSettings) -> Result<Self, String> {
        let form = "it must be of the form `postgres://USER@HOST:PORT/DATABASE`";
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| settings.url.starts_with(scheme));
        if !is_url {
            return Err(format!("`url` is not the address of a PostgreSQL database: {form}"));
        }
        // The error may show a part of a password.
        let mut config =
            Config::from_str(&settings.url).map_err(|_| format!("`url` cannot be understood: {form}"))?;
        if config.get_password().is_some() {
            let way = "set `password = \"env:NAME\"` or `\"file:PATH\"` instead";
            return Err(format!("`url` has a password, which a configuration must not contain: {way}"));
        }
        if config.get_hosts().is_empty() || config.get_user().is_none() {
            return Err(format!("`url` has no host or no user: {form}"));
        }
        if settings.schema.is_empty() || settings.schema.len() > super::columns::MOST_NAME {
            return Err("`schema` must have 1 to 63 bytes".to_owned());
        }
        let tls = settings.tls || settings.ca.is_some() || config.get_ssl_mode() == SslMode::Require;
        let tls = tls.then(|| crate::tls::client_config(settings.ca.as_deref())).transpose()?;
        config
            .ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable })
            .application_name("metricc")
            .connect_timeout(CONNECT)
            .keepalives_idle(SILENT)
            .tcp_user_timeout(SILENT);
        if let Some(Secret(password)) = &settings.password {
            config.password(password);
        }
        let shown = shown(&config);
        Ok(Connector { config, tls: tls.map(MakeRustlsConnect::new), shown })
    }

    /// # Errors
    /// [`SinkError::Unreachable`].
    pub(super) async fn connect(&self) -> Result<Client, SinkError> {
        let failed = |error: tokio_postgres::Error| {
            SinkError::Unreachable(format!(
                "cannot connect to PostgreSQL at {}: {}",
                self.shown,
                text(&error)
            ))
        };
        // What talks to the server ends with the client, and its errors come up there.
        match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await.map_err(failed)?;
                tokio::spawn(async { drop(connection.await) });
                Ok(client)
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await.map_err(failed)?;
                tokio::spawn(async { drop(connection.await) });
                Ok(client)
            }
        }
    }
}

/// Hosts and ports.
fn shown(config: &Config) -> String {
    let hosts = config.get_hosts().iter().enumerate().map(|(index, host)| {
        let ports = config.get_ports();
        let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
        match host {
            tokio_postgres::config::Host::Tcp(name) => format!("{name}:{port}"),
            #[cfg(unix)]
            tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
        }
    });
    hosts.collect::<Vec<_>>().join(", ")
}

/// What the server, or the connection to it, says.
pub(super) fn text(error: &tokio_postgres::Error) -> String {
    let Some(said) = error.as_db_error() else { return with_causes(error) };
    let parts =
        [said.detail().map(|detail| format!(" ({detail})")), said.hint().map(|hint| format!("; {hint}"))];
    format!("{}{}", said.message(), parts.into_iter().flatten().collect::<String>())
}

/// Whether an error of the server says nothing about the statement: it shuts down, is out of memory or disk,
/// or another transaction was in the way. A lock that somebody holds, and a limit of time, are of one table.
pub(super) fn is_passing(error: &tokio_postgres::Error) -> bool {
    let class = |code: &SqlState| code.code().get(..2).unwrap_or_default().to_owned();
    error.code().is_none_or(|code| {
        let is_of_table = [SqlState::LOCK_NOT_AVAILABLE, SqlState::QUERY_CANCELED].contains(code);
        !is_of_table && ["08", "40", "53", "57", "58"].contains(&class(code).as_str())
    })
}

/// Whether the statement was about a table or a schema that is not there any more.
pub(super) fn is_of_dropped(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME].contains(code))
}

/// An error of the connection, or a passing one of the server.
pub(super) fn unreachable(error: &tokio_postgres::Error) -> SinkError {
    SinkError::Unreachable(format!("PostgreSQL: {}", text(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused_without_the_password() {
        let settings = |url: &str| PostgresSettings {
            url: url.to_owned(),
            password: None,
            tls: false,
            ca: None,
            schema: "public".to_owned(),
        };
        for (url, part) in [
            ("mysql://a@h/d", "not the address of a PostgreSQL database"),
            ("postgres://a:S3cret@h/d", "has a password"),
            ("postgres://a:S3cret@h:port/d", "cannot be understood"),
            ("postgres://h/d", "no user"),
            ("postgres://a@h/d?password=S3cret", "has a password"),
        ] {
            let problem = Connector::new(&settings(url)).unwrap_err();
            assert!(problem.contains(part) && !problem.contains("S3cret"), "{url}: {problem}");
        }
        let connector = Connector::new(&settings("postgres://a@h:5433/d")).unwrap();
        assert_eq!(connector.shown, "h:5433");
        let problem = Connector::new(&PostgresSettings {
            ca: Some("/nowhere/ca.pem".into()),
            ..settings("postgres://a@h/d")
        });
        assert!(problem.unwrap_err().contains("/nowhere/ca.pem"));
    }
}
