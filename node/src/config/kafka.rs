//! `[sources.NAME.kafka]`: a topic whose records a node takes into its log.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::token::TokenReference;

/// Names of mechanisms.
const MECHANISMS: [&str; 3] = ["plain", "scram-sha-256", "scram-sha-512"];

/// A topic of Kafka.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// `HOST:PORT` of some brokers.
    pub brokers: Vec<String>,
    /// The topic.
    pub topic: String,
    /// Whether brokers are reached by TLS.
    #[serde(default)]
    pub tls: bool,
    /// A PEM file with the certificates that are trusted instead of those of the public web.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// A PEM file with the certificate that the brokers are shown, and those that have issued it.
    #[serde(default)]
    pub client_cert: Option<PathBuf>,
    /// A PEM file with the private key of that certificate, not encrypted.
    #[serde(default)]
    pub client_key: Option<PathBuf>,
    /// The user who logs in.
    #[serde(default)]
    pub user: Option<String>,
    /// Where the password is.
    #[serde(default)]
    pub password: Option<TokenReference>,
    /// How the password is proved.
    #[serde(default = "default_mechanism")]
    pub mechanism: String,
    /// What the records are: `json` without it, `csv`, `tsv`, `text`, `avro` or `protobuf`.
    #[serde(default)]
    pub format: Option<String>,
    /// The character between the cells of CSV, or `tab`.
    #[serde(default)]
    pub delimiter: Option<String>,
    /// The names of the cells of CSV, in their order.
    #[serde(default)]
    pub columns: Option<Vec<String>>,
    /// A file with the schema of all records.
    #[serde(default)]
    pub schema: Option<PathBuf>,
    /// Which message of a `.proto` file the records are.
    #[serde(default)]
    pub message: Option<String>,
    /// The URL of the registry that has the schemas of the records.
    #[serde(default)]
    pub registry: Option<String>,
    /// Where `USER:PASSWORD` or the token for the registry is.
    #[serde(default)]
    pub registry_auth: Option<TokenReference>,
    /// A group for which the offsets that are in the log are committed, for programs that watch its lag.
    #[serde(default)]
    pub commit_group: Option<String>,
    /// Whether to go on where retention has removed records that the log does not have.
    #[serde(default)]
    pub skip_lost: bool,
}

fn default_mechanism() -> String {
    MECHANISMS[2].to_owned()
}

impl KafkaConfig {
    /// Files are relative to the folder of the configuration.
    pub(super) fn resolve(&mut self, folder: &Path) {
        for file in [&mut self.ca, &mut self.client_cert, &mut self.client_key, &mut self.schema] {
            *file = file.take().map(|file| folder.join(file));
        }
        self.password.iter_mut().chain(&mut self.registry_auth).for_each(|secret| secret.resolve(folder));
    }

    /// The name of a setting that is set, and that is only for sources.
    pub(super) fn of_sources(&self) -> Option<&'static str> {
        let settings = [
            ("format", self.format.is_some()),
            ("delimiter", self.delimiter.is_some()),
            ("columns", self.columns.is_some()),
            ("schema", self.schema.is_some()),
            ("message", self.message.is_some()),
            ("registry", self.registry.is_some()),
            ("registry_auth", self.registry_auth.is_some()),
            ("commit_group", self.commit_group.is_some()),
            ("skip_lost", self.skip_lost),
        ];
        settings.into_iter().find(|(_, is_set)| *is_set).map(|(name, _)| name)
    }

    /// Checks what belongs together.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.brokers.is_empty() {
            return Err("`brokers` is empty: name at least one, such as `broker:9092`".to_owned());
        }
        if self.ca.is_some() && !self.tls {
            return Err("`ca` is set without `tls = true`".to_owned());
        }
        match (&self.client_cert, &self.client_key) {
            (Some(_), None) => return Err("`client_cert` is set without `client_key`".to_owned()),
            (None, Some(_)) => return Err("`client_key` is set without `client_cert`".to_owned()),
            (Some(_), Some(_)) if !self.tls => {
                return Err("`client_cert` is set without `tls = true`".to_owned());
            }
            _ => {}
        }
        match (&self.user, &self.password) {
            (Some(_), None) => {
                return Err("`user` is set without `password`, such as `env:PASSWORD`".to_owned());
            }
            (None, Some(_)) => return Err("`password` is set without `user`".to_owned()),
            _ => {}
        }
        if self.registry_auth.is_some() && self.registry.is_none() {
            return Err("`registry_auth` is set without `registry`".to_owned());
        }
        if self.commit_group.as_ref().is_some_and(String::is_empty) {
            return Err("`commit_group` is empty: name the group".to_owned());
        }
        if !MECHANISMS.contains(&self.mechanism.as_str()) {
            let known = MECHANISMS.join("`, `");
            return Err(format!("`mechanism` is none of `{known}`"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::Config;

    #[test]
    fn what_belongs_together_is_checked() {
        let parse = |settings: &str| {
            let text = format!("package = \"a\"\n[sources.s.kafka]\ntopic = \"t\"\n{settings}");
            Config::parse(&text).map(|_| ()).unwrap_err()
        };
        let brokers = "brokers = [\"b:9092\"]\n";
        for (settings, part) in [
            ("brokers = []".to_owned(), "`brokers` is empty"),
            (format!("{brokers}ca = \"a.pem\""), "without `tls = true`"),
            (format!("{brokers}tls = true\nclient_cert = \"a.pem\""), "without `client_key`"),
            (format!("{brokers}tls = true\nclient_key = \"a.key\""), "without `client_cert`"),
            (format!("{brokers}client_cert = \"a.pem\"\nclient_key = \"a.key\""), "without `tls = true`"),
            (format!("{brokers}user = \"u\""), "without `password`"),
            (format!("{brokers}password = \"env:P\""), "without `user`"),
            (format!("{brokers}mechanism = \"gssapi\""), "none of `plain`"),
            (format!("{brokers}registry_auth = \"env:P\""), "without `registry`"),
            (format!("{brokers}commit_group = \"\""), "`commit_group` is empty"),
            (format!("{brokers}group = \"g\""), "unknown field"),
        ] {
            let problem = parse(&settings);
            assert!(problem.contains(part), "{settings}: {problem}");
        }
        let text = format!(
            "package = \"a\"\n[sources.s]\nformat = \"csv\"\n[sources.s.kafka]\ntopic = \"t\"\n{brokers}"
        );
        let problem = Config::parse(&text).map(drop).unwrap_err();
        assert!(problem.contains("`sources.s.format` is about the files of a watched folder"), "{problem}");
        let text = format!("package = \"a\"\n[sources.s.kafka]\ntopic = \"t\"\n{brokers}");
        assert!(!Config::parse(&text).unwrap().sources["s"].kafka.as_ref().unwrap().skip_lost);
    }
}
