//! The configuration of a node, `metricc.toml`. Unknown keys and invalid values are errors with line and
//! column.

mod access_log;
mod ask;
mod batch;
mod checks;
mod kafka;
mod places;
mod postgres;
mod readers;
mod sinks;
mod tls;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use metricc_durable_log::DedupWindow;
use metricc_ir::plain_file;
use metricc_log::FileOptions;
use metricc_storage::StorageUrl;
use serde::{Deserialize, Deserializer};

pub use access_log::AccessLogConfig;
pub(crate) use ask::AskConfig;
pub(crate) use batch::BatchConfig;
pub use batch::WithoutCluster;
pub use kafka::KafkaConfig;
pub use postgres::PostgresConfig;
pub use readers::{ReadableMetrics, ReaderConfig};
pub use sinks::SinkConfig;
pub use tls::TlsConfig;

use crate::batch_cluster::BatchCluster;
use crate::listen::{ListenAddress, listen_address};
use crate::token::{TokenReference, located, references};

/// The configuration of a node. Paths are relative to the folder of the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The `.metric` file with the metrics to serve: a path, or a URL of an object store.
    pub package: PathBuf,
    /// The folder of the log and of the views.
    #[serde(default = "default_data")]
    pub data: PathBuf,
    /// Where views and flushed events lie besides, or instead of, this machine: `s3://BUCKET/PATH`, `gs://…`,
    /// `az://…` or `file:///PATH`.
    #[serde(default, deserialize_with = "storage")]
    pub storage: Option<StorageUrl>,
    /// The address to listen at.
    #[serde(default = "default_listen", deserialize_with = "listen")]
    pub listen: ListenAddress,
    /// Host names that requests may use for this node, besides its addresses.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// When batch runs.
    #[serde(default)]
    pub batch: BatchConfig,
    /// How the tail follows the log.
    #[serde(default)]
    pub speed: SpeedConfig,
    /// Limits of ingestion.
    #[serde(default)]
    pub ingest: IngestConfig,
    /// Answers at earlier frontiers.
    #[serde(default)]
    pub past: PastConfig,
    /// Limits of answers.
    #[serde(default)]
    pub reading: ReadingConfig,
    /// Limits of questions that no metric declares.
    #[serde(default)]
    pub ask: AskConfig,
    /// Limits of connections.
    #[serde(default)]
    pub http: HttpConfig,
    /// Access tokens.
    #[serde(default)]
    pub tokens: Tokens,
    /// Readers who may not read everything, by name.
    #[serde(default)]
    pub readers: BTreeMap<String, ReaderConfig>,
    /// The certificate of a node that speaks TLS itself.
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    /// Where reads are written to.
    #[serde(default)]
    pub access_log: Option<AccessLogConfig>,
    /// Settings per source.
    #[serde(default)]
    pub sources: BTreeMap<String, SourceConfig>,
    /// Versions of the package.
    #[serde(default)]
    pub deploy: DeployConfig,
    /// Where presented values are written to, by name.
    #[serde(default)]
    pub sinks: BTreeMap<String, SinkConfig>,
    /// PostgreSQL's protocol, if it is spoken.
    #[serde(default)]
    pub postgres: Option<PostgresConfig>,
    /// Whether to start although the log has lost acknowledged events. Not a setting of the file: it
    /// is meant for one start.
    #[serde(skip)]
    pub accept_loss: bool,
    /// The cluster of `[batch] cluster`. Whoever starts the node supplies it, since this crate knows
    /// no cluster.
    #[serde(skip)]
    pub batch_cluster: Option<BatchCluster>,
}

/// Which versions of the package are kept after another one has become live. Their states are followed, so
/// that each can be live again at once.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeployConfig {
    /// Most versions that are kept besides the live one.
    pub versions: usize,
    /// How long a version is kept after it was replaced.
    #[serde(deserialize_with = "duration")]
    pub keep_for: Duration,
}

/// How the tail follows the log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpeedConfig {
    /// Minimum time between two served frontiers.
    #[serde(deserialize_with = "duration")]
    pub refresh: Duration,
    /// Threads of the stream engine, per source.
    pub workers: usize,
    /// Maximum number of groups (windows and keys) of all metrics of a source, in view and tail together. The
    /// source rejects events when it has more.
    pub max_groups: u64,
}

/// Limits of ingestion.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngestConfig {
    /// Maximum size of a request in bytes, before and after decompression.
    pub max_bytes: usize,
    /// Maximum number of events in a request.
    pub max_events: u64,
    /// Byte budget of the requests that wait to be written. Further requests get status 429.
    pub max_waiting_bytes: usize,
    /// Number of positions of a source in the journal after which they are flushed to Parquet.
    pub seal_events: u64,
}

/// Answers at frontiers before the view: they start from a version of the view that ended before, if there is
/// one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PastConfig {
    /// Number of versions of a view that are kept on disk besides the last one.
    pub versions: u64,
    /// Byte budget of the states of earlier versions that are kept in memory, for each source.
    pub max_bytes: usize,
    /// Number of answers that are computed from the log at a time.
    pub at_a_time: usize,
    /// Number of requests that wait for their turn. Further requests get status 503.
    pub waiting: usize,
}

/// Limits of answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReadingConfig {
    /// Most rows of one answer; and of all answers together whose rows are in memory as a whole.
    pub max_rows: u64,
    /// Most reads that are being answered at a time.
    pub max_answers: usize,
    /// Most reads of one client: of one token, or of one address without tokens.
    pub max_answers_per_client: usize,
    /// Most live clients at a time.
    pub max_live: usize,
    /// Most live clients with one token, or at one address without tokens.
    pub max_live_per_client: usize,
    /// How long a live client stays that has no new rows.
    #[serde(deserialize_with = "duration")]
    pub live_idle: Duration,
}

/// Limits of connections.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Most connections of one address at a time. Behind a proxy, all are of one.
    pub max_connections_per_address: usize,
}

/// Settings of a source.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceConfig {
    /// Number of partitions of its log. It cannot change after the first event.
    pub partitions: u32,
    /// The dedup window: how long an event's key is kept, in positions of its partition or in event time.
    #[serde(deserialize_with = "dedup_window")]
    pub duplicates_within: DedupWindow,
    /// A watched folder: files that are moved into it are ingested.
    pub watch: Option<PathBuf>,
    /// The format of the files in it, where their names do not tell it.
    pub format: Option<String>,
    /// The character between the cells of CSV files in it, or `tab`.
    pub delimiter: Option<String>,
    /// A topic whose records are ingested.
    pub kafka: Option<KafkaConfig>,
    /// Whether no version needs to read it yet: one that does is deployed later.
    pub deployed_later: bool,
}

impl SourceConfig {
    /// How the files of the watched folder are read.
    ///
    /// # Errors
    /// What an option may be.
    pub fn file_options(&self) -> Result<FileOptions, String> {
        let mut options = FileOptions::default();
        for (option, value) in [("format", &self.format), ("delimiter", &self.delimiter)] {
            if let Some(value) = value {
                options.set(option, value)?;
            }
        }
        Ok(options)
    }
}

/// Access tokens by scope, each as `file:PATH` or `env:VARIABLE`. Without any token, every user of this
/// machine may do everything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tokens {
    /// Tokens that may send events.
    #[serde(deserialize_with = "references")]
    pub ingest: Vec<TokenReference>,
    /// Tokens that may read metrics.
    #[serde(deserialize_with = "references")]
    pub query: Vec<TokenReference>,
    /// Tokens that may do both, and read quarantined records.
    #[serde(deserialize_with = "references")]
    pub admin: Vec<TokenReference>,
}

impl Default for DeployConfig {
    fn default() -> Self {
        DeployConfig { versions: 2, keep_for: Duration::from_secs(7 * 24 * 60 * 60) }
    }
}

impl Default for SpeedConfig {
    fn default() -> Self {
        SpeedConfig { refresh: Duration::from_millis(200), workers: 1, max_groups: 20_000_000 }
    }
}

impl Default for IngestConfig {
    fn default() -> Self {
        IngestConfig {
            max_bytes: 8 << 20,
            max_events: 10_000,
            max_waiting_bytes: 64 << 20,
            seal_events: 1_000_000,
        }
    }
}

impl Default for PastConfig {
    fn default() -> Self {
        PastConfig { versions: 8, max_bytes: 256 << 20, at_a_time: 1, waiting: 16 }
    }
}

impl Default for ReadingConfig {
    fn default() -> Self {
        ReadingConfig {
            max_rows: 5_000_000,
            max_answers: 256,
            max_answers_per_client: 128,
            max_live: 512,
            max_live_per_client: 256,
            live_idle: metricc_http_api::LIVE_IDLE,
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        HttpConfig { max_connections_per_address: 768 }
    }
}

impl Default for SourceConfig {
    fn default() -> Self {
        let duplicates_within = DedupWindow::Positions(1_000_000);
        SourceConfig {
            partitions: 1,
            duplicates_within,
            watch: None,
            format: None,
            delimiter: None,
            kafka: None,
            deployed_later: false,
        }
    }
}

fn storage<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<StorageUrl>, D::Error> {
    let url: StorageUrl = String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)?;
    if url.path().contains(['*', '?', '[']) {
        return Err(serde::de::Error::custom(format!("`{url}` is a glob, and one place is needed")));
    }
    Ok(Some(url))
}

fn default_data() -> PathBuf {
    PathBuf::from("metricc-data")
}

fn default_listen() -> ListenAddress {
    SocketAddr::from(([127, 0, 0, 1], 7171)).into()
}

fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ListenAddress, D::Error> {
    listen_address(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let micros = metricc_ir::text::duration::parse(&text).map_err(serde::de::Error::custom)?;
    match u64::try_from(micros) {
        Ok(micros @ 1..) => Ok(Duration::from_micros(micros)),
        _ => {
            let problem = format!("`{text}` is not a valid interval: it must be greater than zero");
            Err(serde::de::Error::custom(problem))
        }
    }
}

fn dedup_window<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DedupWindow, D::Error> {
    struct Visitor;
    impl serde::de::Visitor<'_> for Visitor {
        type Value = DedupWindow;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a number of positions such as 1000000, or a time such as \"24h\"")
        }

        fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<DedupWindow, E> {
            let value = u64::try_from(value);
            value
                .map(DedupWindow::Positions)
                .map_err(|_| E::custom("the number of positions must not be negative"))
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<DedupWindow, E> {
            let micros = metricc_ir::text::duration::parse(text).map_err(E::custom)?;
            let micros =
                u64::try_from(micros).map_err(|_| E::custom(format!("`{text}` must not be negative")))?;
            Ok(DedupWindow::EventTime { micros })
        }
    }
    deserializer.deserialize_any(Visitor)
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read `{}`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The configuration is invalid.
    #[error("{}: {problem}", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The problem, with line and column.
        problem: String,
    },
}

impl Config {
    /// The default configuration for a package.
    pub fn of_package(package: &Path) -> Self {
        Config {
            package: package.to_owned(),
            data: default_data(),
            storage: None,
            listen: default_listen(),
            hosts: Vec::new(),
            batch: BatchConfig::default(),
            speed: SpeedConfig::default(),
            ingest: IngestConfig::default(),
            deploy: DeployConfig::default(),
            past: PastConfig::default(),
            reading: ReadingConfig::default(),
            ask: AskConfig::default(),
            http: HttpConfig::default(),
            tokens: Tokens::default(),
            readers: BTreeMap::new(),
            tls: None,
            access_log: None,
            sources: BTreeMap::new(),
            sinks: BTreeMap::new(),
            postgres: None,
            accept_loss: false,
            batch_cluster: None,
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`], with line and column if the file is invalid.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = plain_file::read_text(path, plain_file::MOST_TEXT)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut config = Config::parse(&text)
            .map_err(|problem| ConfigError::Invalid { path: path.to_owned(), problem })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        if !config.package.to_str().is_some_and(metricc_storage::is_url) {
            config.package = folder.join(&config.package);
        }
        config.data = folder.join(&config.data);
        config.batch.store = config.batch.store.map(|store| folder.join(store));
        for watched in config.sources.values_mut().filter_map(|source| source.watch.as_mut()) {
            *watched = folder.join(&*watched);
        }
        let topics = config.sources.values_mut().filter_map(|source| source.kafka.as_mut());
        topics.for_each(|topic| topic.resolve(folder));
        config.sinks.values_mut().for_each(|sink| sink.resolve(folder));
        config.postgres.iter_mut().for_each(|postgres| postgres.resolve(folder));
        config.tls.iter_mut().for_each(|tls| tls.resolve(folder));
        if let Some(log) = &mut config.access_log {
            log.file = folder.join(&log.file);
        }
        let tokens = &mut config.tokens;
        let of_readers = config.readers.values_mut().map(|reader| &mut reader.tokens);
        let of_scopes = [&mut tokens.ingest, &mut tokens.query, &mut tokens.admin];
        for token in of_scopes.into_iter().chain(of_readers).flatten() {
            token.resolve(folder);
        }
        Ok(config)
    }

    /// Checks the watched folders, which have to be there, and no folder of the node.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub(crate) fn check_folders(&self) -> Result<(), String> {
        checks::watched_folders(self)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let config: Config = toml::from_str(text).map_err(|error| located(text, &error))?;
        checks::numbers(&config)?;
        checks::cluster(&config.batch)?;
        config.hosts.iter().try_for_each(|host| checks::host(host))?;
        for (name, source) in &config.sources {
            if !(1..=1024).contains(&source.partitions) {
                return Err(format!(
                    "`sources.{name}.partitions` is {}: it must be from 1 to 1024",
                    source.partitions
                ));
            }
            source.file_options().map_err(|problem| format!("`sources.{name}`: {problem}"))?;
            if let Some(topic) = &source.kafka {
                topic.check().map_err(|problem| format!("`sources.{name}.kafka`: {problem}"))?;
                checks::options_of_files(name, source)?;
            }
        }
        for (name, sink) in &config.sinks {
            sink.check(name).map_err(|problem| format!("`sinks.{name}`: {problem}"))?;
        }
        places::are_different(&config.sinks)?;
        config.readers.iter().try_for_each(|(name, reader)| reader.check(name))?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests;
