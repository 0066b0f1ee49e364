//! What the types of settings do not say: their bounds, and which folders fit together.

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use super::{BatchConfig, Config, SourceConfig, WithoutCluster};

/// Most threads of an engine.
const MOST_WORKERS: usize = 1024;

/// Checks the numbers, of which none may be 0.
pub(super) fn numbers(config: &Config) -> Result<(), String> {
    let numbers = [
        ("batch.events", config.batch.events),
        ("batch.workers", config.batch.workers as u64),
        ("speed.workers", config.speed.workers as u64),
        ("speed.max_groups", config.speed.max_groups),
        ("ingest.max_bytes", config.ingest.max_bytes as u64),
        ("ingest.max_events", config.ingest.max_events),
        ("ingest.max_waiting_bytes", config.ingest.max_waiting_bytes as u64),
        ("ingest.seal_events", config.ingest.seal_events),
        ("past.at_a_time", config.past.at_a_time as u64),
        ("ask.max_bytes", config.ask.max_bytes as u64),
        ("ask.at_a_time", config.ask.at_a_time as u64),
        ("ask.workers", config.ask.workers as u64),
        ("reading.max_rows", config.reading.max_rows),
        ("reading.max_answers", config.reading.max_answers as u64),
        ("reading.max_answers_per_client", config.reading.max_answers_per_client as u64),
        ("reading.max_live", config.reading.max_live as u64),
        ("reading.max_live_per_client", config.reading.max_live_per_client as u64),
        ("http.max_connections_per_address", config.http.max_connections_per_address as u64),
    ];
    let of_postgres = config.postgres.iter().flat_map(|postgres| {
        [
            ("postgres.max_connections", postgres.max_connections as u64),
            ("postgres.max_statements", postgres.max_statements as u64),
            ("postgres.max_rows", postgres.max_rows),
            ("postgres.max_bytes", postgres.max_bytes as u64),
        ]
    });
    if let Some((name, _)) = numbers.into_iter().chain(of_postgres).find(|(_, value)| *value == 0) {
        return Err(format!("`{name}` is 0: it must be at least 1"));
    }
    let workers = [
        ("batch.workers", config.batch.workers),
        ("speed.workers", config.speed.workers),
        ("ask.workers", config.ask.workers),
    ];
    match workers.into_iter().find(|(_, workers)| *workers > MOST_WORKERS) {
        Some((name, workers)) => Err(format!("`{name}` is {workers}: it must be at most {MOST_WORKERS}")),
        None => Ok(()),
    }
}

/// Checks that the settings of a cluster are there together.
pub(super) fn cluster(batch: &BatchConfig) -> Result<(), String> {
    let (has_store, is_local) = (batch.store.is_some(), batch.without_cluster == WithoutCluster::Local);
    match &batch.cluster {
        Some(_) if !has_store => {
            Err("`batch.cluster` needs `batch.store`: the folder that the node and the executors share"
                .to_owned())
        }
        None if has_store || is_local => {
            let name = if has_store { "store" } else { "without_cluster" };
            Err(format!(
                "`batch.{name}` is set without `batch.cluster`: name the scheduler, such as `df://127.0.0.1:50050`"
            ))
        }
        _ => Ok(()),
    }
}

/// Checks a name under which clients may name the node.
pub(super) fn host(host: &str) -> Result<(), String> {
    if is_host(host) {
        return Ok(());
    }
    let problem = format!("`{host}` in `hosts` is not a host name");
    // What is meant, if only something stands around it.
    let text = host.trim();
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.split(['/', '?', '#']).next().unwrap_or_default();
    let text = text.rsplit('@').next().unwrap_or_default();
    let bracketed = format!("[{text}]");
    let without_port = text.rsplit_once(':').map_or(text, |(name, _)| name);
    match [text, &bracketed, without_port].into_iter().find(|meant| is_host(meant)) {
        Some(meant) => Err(format!(
            "{problem}: write the name alone, `{meant}`, without a scheme, a port or a path; requests may name any port"
        )),
        None => Err(format!("{problem}: write a name or an address, such as `metrics.example` or `[::1]`")),
    }
}

fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let is_of_label = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.len() <= 253 && text.split('.').all(|label| !label.is_empty() && label.bytes().all(is_of_label))
}

/// Checks that what is said of files is not meant for the records of a topic.
pub(super) fn options_of_files(name: &str, source: &SourceConfig) -> Result<(), String> {
    let given = [("format", &source.format), ("delimiter", &source.delimiter)];
    match given.into_iter().find(|(_, value)| value.is_some()) {
        Some((option, _)) if source.watch.is_none() => Err(format!(
            "`sources.{name}.{option}` is about the files of a watched folder: for the records of a topic, write it below \
             `[sources.{name}.kafka]`"
        )),
        _ => Ok(()),
    }
}

/// Checks that each watched folder is there, outside of the data folder, and watched for one source.
pub(super) fn watched_folders(config: &Config) -> Result<(), String> {
    let data = real_path(&config.data);
    let mut seen: Vec<(&str, PathBuf)> = Vec::new();
    for (name, source) in &config.sources {
        let Some(folder) = &source.watch else { continue };
        let (problem, shown) = (format!("`sources.{name}.watch`"), folder.display());
        if !folder.is_dir() {
            let found = if folder.exists() {
                "is no folder"
            } else {
                "does not exist: create it, and move files into it"
            };
            return Err(format!("{problem}: `{shown}` {found}"));
        }
        let real = real_path(folder);
        if real.starts_with(&data) {
            let data = config.data.display();
            return Err(format!(
                "{problem}: `{shown}` is inside of the data folder `{data}`, which is the node's own: watch a folder \
                 outside of it"
            ));
        }
        if let Some((other, _)) = seen.iter().find(|(_, known)| *known == real) {
            return Err(format!(
                "{problem}: `{shown}` is watched for source `{other}` as well: give each its own"
            ));
        }
        seen.push((name, real));
    }
    Ok(())
}

/// The path without links, as far as it exists.
fn real_path(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut ancestors = absolute.ancestors();
    let found = ancestors.find_map(|above| Some((above, above.canonicalize().ok()?)));
    let Some((above, real)) = found else { return absolute };
    absolute.strip_prefix(above).map_or(absolute.clone(), |rest| real.join(rest))
}
