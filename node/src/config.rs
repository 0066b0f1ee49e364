//! `metricc.toml`: what a node is told. Unknown names and values without sense are errors that name their place.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use metricc_durable_log::DedupWindow;
use serde::{Deserialize, Deserializer};

/// What a node is told. Paths are relative to the folder of the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The `.metric` file whose metrics are served.
    pub package: PathBuf,
    /// The folder of the log and of the views.
    #[serde(default = "default_data")]
    pub data: PathBuf,
    /// Where it is listened.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Names under which clients may ask for this node, beside its addresses.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// When batch runs.
    #[serde(default)]
    pub batch: BatchConfig,
    /// How fresh answers are.
    #[serde(default)]
    pub speed: SpeedConfig,
    /// How events come in.
    #[serde(default)]
    pub ingest: IngestConfig,
    /// Who may do what.
    #[serde(default)]
    pub tokens: Tokens,
    /// What differs from source to source.
    #[serde(default)]
    pub sources: BTreeMap<String, SourceConfig>,
}

/// When batch runs: whichever comes first.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// After this time, if anything came.
    #[serde(deserialize_with = "duration")]
    pub every: Duration,
    /// After so many events.
    pub events: u64,
    /// Threads.
    pub workers: usize,
    /// Whether each version also writes the presented values of all metrics as tables for other programs.
    pub tables: bool,
}

/// How fresh answers are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpeedConfig {
    /// The least time between two frontiers that are served.
    #[serde(deserialize_with = "duration")]
    pub refresh: Duration,
    /// Threads of each source.
    pub workers: usize,
    /// Groups (windows and keys) of all metrics of a source, in view and tail together, from which on no more events of it
    /// are taken.
    pub max_groups: u64,
}

/// How events come in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngestConfig {
    /// The most bytes of a request, before and after it is unpacked.
    pub max_bytes: usize,
    /// The most events of a request.
    pub max_events: u64,
    /// Bytes of requests that wait to be written; more are told to come again.
    pub max_waiting_bytes: usize,
    /// Positions of a source in the journal before they are sealed to Parquet.
    pub seal_events: u64,
}

/// What differs from source to source.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceConfig {
    /// Partitions of its log, fixed with the first event.
    pub partitions: u32,
    /// For how long the key of an event is remembered: so many positions of its partition, or until an event is so much
    /// newer by its time.
    #[serde(deserialize_with = "horizon")]
    pub duplicates_within: DedupWindow,
    /// A folder of files with its events: what is put there is taken.
    pub watch: Option<PathBuf>,
}

/// Who may do what: the names of files, or of variables of the environment, that hold a token each. Without any, everybody
/// on this machine may do everything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tokens {
    /// May send events.
    pub ingest: Vec<String>,
    /// May read metrics.
    pub query: Vec<String>,
    /// May do all that, and see what was quarantined.
    pub admin: Vec<String>,
}

impl Default for BatchConfig {
    fn default() -> Self {
        BatchConfig { every: Duration::from_secs(300), events: 1_000_000, workers: 1, tables: true }
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

impl Default for SourceConfig {
    fn default() -> Self {
        SourceConfig { partitions: 1, duplicates_within: DedupWindow::Positions(1_000_000), watch: None }
    }
}

fn default_data() -> PathBuf {
    PathBuf::from("metricc-data")
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7171))
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let micros = metricc_ir::text::duration::parse(&text).map_err(serde::de::Error::custom)?;
    match u64::try_from(micros) {
        Ok(micros @ 1..) => Ok(Duration::from_micros(micros)),
        _ => {
            Err(serde::de::Error::custom(format!("`{text}` is no time to wait: it has to be more than none")))
        }
    }
}

fn horizon<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DedupWindow, D::Error> {
    struct Visitor;
    impl serde::de::Visitor<'_> for Visitor {
        type Value = DedupWindow;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a number of positions such as 1000000, or a time such as \"24h\"")
        }

        fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<DedupWindow, E> {
            let value = u64::try_from(value);
            value.map(DedupWindow::Positions).map_err(|_| E::custom("a number of positions is not negative"))
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<DedupWindow, E> {
            let micros = metricc_ir::text::duration::parse(text).map_err(E::custom)?;
            let micros = u64::try_from(micros).map_err(|_| E::custom(format!("`{text}` goes backwards")))?;
            Ok(DedupWindow::EventTime { micros })
        }
    }
    deserializer.deserialize_any(Visitor)
}

/// Why a configuration is none.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("`{}` is not readable: {error}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: std::io::Error,
    },
    /// The file is not what a configuration is.
    #[error("{}: {problem}", .path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },
}

impl Config {
    /// What a node is told if only its package is named.
    pub fn of_package(package: &Path) -> Self {
        Config {
            package: package.to_owned(),
            data: default_data(),
            listen: default_listen(),
            hosts: Vec::new(),
            batch: BatchConfig::default(),
            speed: SpeedConfig::default(),
            ingest: IngestConfig::default(),
            tokens: Tokens::default(),
            sources: BTreeMap::new(),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`] with the line and column of what is wrong.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        let mut config =
            Config::parse(&text).map_err(|problem| ConfigError::Form { path: path.to_owned(), problem })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.package = folder.join(&config.package);
        config.data = folder.join(&config.data);
        for watched in config.sources.values_mut().filter_map(|source| source.watch.as_mut()) {
            *watched = folder.join(&*watched);
        }
        let tokens = &mut config.tokens;
        for place in [&mut tokens.ingest, &mut tokens.query, &mut tokens.admin].into_iter().flatten() {
            if let Some(path) = place.strip_prefix("file:") {
                *place = format!("file:{}", folder.join(path).display());
            }
        }
        Ok(config)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let config: Config = toml::from_str(text).map_err(|error| error.to_string())?;
        let numbers = [
            ("batch.events", config.batch.events),
            ("batch.workers", config.batch.workers as u64),
            ("speed.workers", config.speed.workers as u64),
            ("speed.max_groups", config.speed.max_groups),
            ("ingest.max_bytes", config.ingest.max_bytes as u64),
            ("ingest.max_events", config.ingest.max_events),
            ("ingest.max_waiting_bytes", config.ingest.max_waiting_bytes as u64),
            ("ingest.seal_events", config.ingest.seal_events),
        ];
        if let Some((name, _)) = numbers.into_iter().find(|(_, value)| *value == 0) {
            return Err(format!("`{name}` is 0: it has to be at least 1"));
        }
        for (name, source) in &config.sources {
            if !(1..=1024).contains(&source.partitions) {
                return Err(format!(
                    "`sources.{name}.partitions` is {}: it is from 1 to 1024",
                    source.partitions
                ));
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_has_a_sense() {
        let config = Config::parse("package = \"a.metric\"\n[sources.clicks]\npartitions = 2\n").unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:7171");
        assert_eq!((config.batch.every.as_secs(), config.batch.events), (300, 1_000_000));
        assert_eq!(config.sources["clicks"].partitions, 2);
        assert_eq!(config.sources["clicks"].duplicates_within, DedupWindow::Positions(1_000_000));
        let config = Config::parse("package = \"a\"\n[sources.s]\nduplicates_within = \"24h\"\n").unwrap();
        let day = DedupWindow::EventTime { micros: 86_400_000_000 };
        assert_eq!(config.sources["s"].duplicates_within, day);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, parts) in [
            ("", &["missing field `package`"][..]),
            ("package = 5", &["line 1, column 11", "invalid type"]),
            ("package = \"a\"\n\npackag = \"b\"", &["line 3, column 1", "unknown field `packag`"]),
            (
                "package = \"a\"\n[batch]\nevery = \"5 minutes\"",
                &["line 3, column 9", "not a duration such as `1h30m`"],
            ),
            ("package = \"a\"\n[batch]\nevery = \"0s\"", &["line 3, column 9", "more than none"]),
            ("package = \"a\"\n[batch]\nevents = -1", &["line 3, column 10", "invalid value"]),
            ("package = \"a\"\n[batch]\nevents = 0", &["`batch.events` is 0"]),
            (
                "package = \"a\"\n[sources.s]\npartitions = 0",
                &["`sources.s.partitions` is 0: it is from 1 to 1024"],
            ),
            ("package = \"a\"\n[sources.s]\nduplicates_within = -1", &["line 3, column 21", "not negative"]),
            ("package = \"a\"\n[sources.s]\nduplicates_within = \"-1h\"", &["line 3, column 21"]),
            ("package = \"a\"\n[sources.s]\nduplicates_within = true", &["such as \"24h\""]),
            ("package = \"a\"\nlisten = \"here\"", &["line 2, column 10", "invalid socket address"]),
        ] {
            let problem = Config::parse(text).unwrap_err();
            for part in parts {
                assert!(problem.contains(part), "{text:?}: {problem}");
            }
        }
    }
}
