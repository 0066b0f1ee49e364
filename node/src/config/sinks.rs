//! `[sinks.NAME]`: where a node writes the presented values of metrics to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::{KafkaConfig, duration};
use crate::token::TokenReference;

/// The shortest time between two versions.
const SHORTEST: Duration = Duration::from_millis(10);

/// A sink. It is of one kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkConfig {
    /// The metrics; all of the package without it.
    #[serde(default)]
    pub metrics: Option<Vec<String>>,
    /// Minimum time between two versions that it gets.
    #[serde(default = "second", deserialize_with = "duration")]
    pub every: Duration,
    /// Tables in a PostgreSQL database.
    #[serde(default)]
    pub postgres: Option<PostgresConfig>,
    /// Hashes in a Redis server.
    #[serde(default)]
    pub redis: Option<RedisConfig>,
    /// Records of a topic of Kafka.
    #[serde(default)]
    pub kafka: Option<KafkaConfig>,
    /// Requests to a server.
    #[serde(default)]
    pub webhook: Option<WebhookConfig>,
}

/// A PostgreSQL database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresConfig {
    /// `postgres://USER@HOST:PORT/DATABASE`.
    pub url: String,
    /// Where the password is.
    #[serde(default)]
    pub password: Option<TokenReference>,
    /// The schema of the tables.
    #[serde(default = "metricc")]
    pub schema: String,
    /// Whether the connection must be encrypted.
    #[serde(default)]
    pub tls: bool,
    /// A PEM file with the certificates that are trusted instead of those of this machine.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// A Redis server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisConfig {
    /// `redis://HOST:PORT/DATABASE`, or `rediss://` for an encrypted connection.
    pub url: String,
    /// The user.
    #[serde(default)]
    pub user: Option<String>,
    /// Where the password is.
    #[serde(default)]
    pub password: Option<TokenReference>,
    /// What the names of keys begin with.
    #[serde(default = "metricc")]
    pub prefix: String,
    /// How long a version stays after it was replaced.
    #[serde(default = "ten_seconds", deserialize_with = "duration")]
    pub keep: Duration,
    /// A PEM file with the certificates that are trusted instead of those of this machine.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// A server that gets requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// `https://HOST/PATH`.
    pub url: String,
    /// Where the value of the header `Authorization` is, such as `Bearer …`.
    #[serde(default)]
    pub authorization: Option<TokenReference>,
    /// How long an answer may take.
    #[serde(default = "half_minute", deserialize_with = "duration")]
    pub timeout: Duration,
    /// A PEM file with the certificates that are trusted besides those of this machine.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

fn metricc() -> String {
    "metricc".to_owned()
}

fn second() -> Duration {
    Duration::from_secs(1)
}

fn half_minute() -> Duration {
    Duration::from_secs(30)
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

impl SinkConfig {
    /// Files are relative to the folder of the configuration.
    pub(super) fn resolve(&mut self, folder: &Path) {
        let (mut files, mut secrets) = (Vec::new(), Vec::new());
        if let Some(postgres) = &mut self.postgres {
            files.push(&mut postgres.ca);
            secrets.push(&mut postgres.password);
        }
        if let Some(redis) = &mut self.redis {
            files.push(&mut redis.ca);
            secrets.push(&mut redis.password);
        }
        if let Some(webhook) = &mut self.webhook {
            files.push(&mut webhook.ca);
            secrets.push(&mut webhook.authorization);
        }
        self.kafka.iter_mut().for_each(|kafka| kafka.resolve(folder));
        files.into_iter().flatten().for_each(|file| *file = folder.join(&*file));
        secrets.into_iter().flatten().for_each(|secret| secret.resolve(folder));
    }

    /// Checks what belongs together.
    pub(super) fn check(&self, name: &str) -> Result<(), String> {
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || !name.bytes().all(is_of_name) {
            return Err("the name of a sink has letters, digits, `-` and `_`".to_owned());
        }
        let kinds =
            [self.postgres.is_some(), self.redis.is_some(), self.kafka.is_some(), self.webhook.is_some()];
        match kinds.iter().filter(|is_set| **is_set).count() {
            1 => {}
            0 => {
                return Err("a sink has a kind, one of `postgres`, `redis`, `kafka` and `webhook`".to_owned());
            }
            _ => return Err("a sink has one kind: give each kind a sink with a name of its own".to_owned()),
        }
        let metrics = self.metrics.as_deref();
        if metrics.is_some_and(<[String]>::is_empty) {
            return Err("`metrics` is empty: leave it out for all metrics".to_owned());
        }
        let mut named = metrics.unwrap_or_default().iter().enumerate();
        let is_before = |index: usize, metric| metrics.is_some_and(|all| all[..index].contains(metric));
        if let Some((_, twice)) = named.find(|(index, metric)| is_before(*index, metric)) {
            return Err(format!("`metrics` names `{twice}` twice: name it once"));
        }
        if self.every < SHORTEST {
            return Err("`every` is less than 10ms: a sink gets at most 100 versions a second".to_owned());
        }
        if let Some(kafka) = &self.kafka {
            if let Some(setting) = kafka.of_sources() {
                return Err(format!("in `kafka`: `{setting}` is for sources: leave it out"));
            }
            kafka.check().map_err(|problem| format!("in `kafka`: {problem}"))?;
        }
        let urls = [
            self.postgres.as_ref().map(|postgres| &postgres.url),
            self.redis.as_ref().map(|redis| &redis.url),
            self.webhook.as_ref().map(|webhook| &webhook.url),
        ];
        urls.into_iter().flatten().try_for_each(|url| without_password(url))
    }
}

/// A password in a URL would stand in the configuration itself.
fn without_password(url: &str) -> Result<(), String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else { return Ok(()) };
    match user.contains(':') {
        true => {
            Err("`url` has a password, which a configuration must not contain: name where it is instead, as \
                     `env:NAME` or `file:PATH`"
                .to_owned())
        }
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::Config;

    #[test]
    fn what_belongs_together_is_checked() {
        let postgres = "[sinks.a.postgres]\nurl = \"postgres://u@h/d\"\n";
        for (settings, part) in [
            ("[sinks.a]\nevery = \"1s\"\n".to_owned(), "a sink has a kind"),
            (format!("{postgres}[sinks.a.redis]\nurl = \"redis://h\"\n"), "has one kind"),
            (format!("[sinks.a]\nmetrics = []\n{postgres}"), "`metrics` is empty"),
            (format!("[sinks.a]\nevery = \"0s\"\n{postgres}"), "greater than zero"),
            (format!("[sinks.a]\nevery = \"9ms\"\n{postgres}"), "`every` is less than 10ms"),
            (format!("[sinks.a]\nmetrics = [\"b\", \"a\", \"b\"]\n{postgres}"), "names `b` twice"),
            (format!("{postgres}table = \"t\"\n"), "unknown field"),
            ("[sinks.\"a b\".postgres]\nurl = \"postgres://u@h/d\"\n".to_owned(), "letters, digits"),
            ("[sinks.a.webhook]\nurl = \"http://u:S3cret@h\"\n".to_owned(), "`url` has a password"),
            (
                "[sinks.a.kafka]\nbrokers = [\"b:9\"]\ntopic = \"t\"\nskip_lost = true\n".to_owned(),
                "`skip_lost` is for sources",
            ),
        ] {
            let problem = Config::parse(&format!("package = \"a\"\n{settings}")).unwrap_err();
            assert!(problem.contains(part) && !problem.contains("S3cret"), "{settings}: {problem}");
        }
        for setting in [
            "format = \"csv\"",
            "delimiter = \";\"",
            "columns = [\"a\"]",
            "schema = \"a.avsc\"",
            "message = \"m\"",
            "registry = \"http://h\"",
            "commit_group = \"g\"",
        ] {
            let kafka = "[sinks.a.kafka]\nbrokers = [\"b:9\"]\ntopic = \"t\"\n";
            let problem = Config::parse(&format!("package = \"a\"\n{kafka}{setting}\n")).unwrap_err();
            assert!(problem.contains("is for sources"), "{setting}: {problem}");
        }
        let config = Config::parse(&format!("package = \"a\"\n{postgres}")).unwrap();
        assert_eq!(config.sinks["a"].postgres.as_ref().unwrap().schema, "metricc");
    }
}
