//! Redis: a hash for each version of a metric, and a key that names the one to read.
//!
//! A version is built under a new name, which no reader knows. Then a script sets the key that names it,
//! if that still names the version that the write starts from; the version before expires a while later. What
//! was built in vain is removed. What is being built expires as well, so that a write that was cut off leaves
//! nothing behind.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisError, Script,
    ServerErrorKind, TlsCertificates,
};
use serde::{Deserialize, Serialize};

use crate::error::with_causes;
use crate::{Change, Changes, Held, Row, Secret, Sink, SinkError, Stored, Version, Written};

/// The field of a hash that says what the version is. Those of rows begin with `{`.
const FRONTIER: &str = "frontier";
/// After how long an unfinished version goes, in seconds.
const UNFINISHED: i64 = 600;
/// Rows of one command.
const ROWS: usize = 512;
/// How long a server may take to accept a connection, and to answer: it copies a whole version.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(30);
/// How long it may take to remove what was built in vain.
const REMOVED: Duration = Duration::from_secs(2);

/// Names the new version, if the old one is named and the new one is whole, and lets the old one expire. What
/// is being built may be evicted, and then begins again as a part of itself: so its fields are counted.
const SWAP: &str = "
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if redis.call('HLEN', KEYS[2]) ~= tonumber(ARGV[3]) then return 2 end
if redis.call('HGET', KEYS[2], 'frontier') ~= KEYS[2] then return 2 end
redis.call('HSET', KEYS[2], 'frontier', ARGV[4])
redis.call('PERSIST', KEYS[2])
redis.call('SET', KEYS[1], KEYS[2])
if ARGV[1] ~= '' then redis.call('PEXPIRE', ARGV[1], ARGV[2]) end
return 1";

/// Removes what was built, unless it is named. A key of another type names nothing.
const FORGET: &str = "
if redis.pcall('GET', KEYS[1]) == KEYS[2] then return 0 end
return redis.call('UNLINK', KEYS[2])";

/// What the field `frontier` of a version says.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    #[serde(flatten)]
    stored: Stored,
    /// Fields of the hash, without this one.
    rows: i64,
}

/// Where a server is, and what keys are named.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `redis://HOST:PORT/DATABASE`, or `rediss://` for an encrypted connection, without a password.
    pub url: String,
    /// The user.
    pub user: Option<String>,
    /// The password of the user.
    pub password: Option<Secret>,
    /// What the names of keys begin with.
    pub prefix: String,
    /// How long a version stays after it was replaced.
    pub keep: Duration,
    /// The certificates that are trusted instead of those of this machine.
    pub ca: Option<PathBuf>,
}

/// Hashes of presented values in a Redis server.
pub struct RedisSink {
    client: Client,
    shown: String,
    prefix: String,
    keep: Duration,
    connection: Option<MultiplexedConnection>,
    /// The name of the version of each metric that is read.
    names: BTreeMap<String, String>,
}

impl std::fmt::Debug for RedisSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisSink").field("server", &self.shown).finish_non_exhaustive()
    }
}

impl RedisSink {
    /// Checks the settings; does not connect.
    ///
    /// # Errors
    /// What is wrong with a setting, without what stands there.
    pub fn new(settings: RedisSettings) -> Result<Self, String> {
        let form = "it must be of the form `redis://HOST:PORT/DATABASE`, or `rediss://` for TLS";
        // The error may show a part of a password.
        let info = settings.url.as_str().into_connection_info();
        let info = info.map_err(|_| format!("`url` cannot be understood: {form}"))?;
        let mut login = info.redis_settings().clone();
        if login.password().is_some() {
            let way = "set `password = \"env:NAME\"` or `\"file:PATH\"` instead";
            return Err(format!("`url` has a password, which a configuration must not contain: {way}"));
        }
        if settings.user.is_some() && settings.password.is_none() {
            return Err("`user` is set without `password`, such as `env:PASSWORD`".to_owned());
        }
        if let Some(user) = &settings.user {
            login = login.set_username(user);
        }
        if let Some(Secret(password)) = &settings.password {
            login = login.set_password(password);
        }
        let shown = info.addr().to_string();
        let has_tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
        let info = info.set_redis_settings(login);
        let client = if has_tls {
            // The client takes the provider of the process; another one may have been set, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let read = |path: &PathBuf| {
                std::fs::read(path)
                    .map_err(|error| format!("`ca`: `{}` cannot be read: {error}", path.display()))
            };
            let root_cert = settings.ca.as_ref().map(read).transpose()?;
            Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })
        } else if settings.ca.is_some() {
            return Err("`ca` is set, and the `url` does not begin with `rediss://`".to_owned());
        } else {
            Client::open(info)
        };
        let client = client.map_err(|error| error.to_string())?;
        let RedisSettings { prefix, keep, .. } = settings;
        Ok(RedisSink { client, shown, prefix, keep, connection: None, names: BTreeMap::new() })
    }

    async fn connection(&mut self) -> Result<MultiplexedConnection, SinkError> {
        if let Some(connection) = &self.connection {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER));
        let connected = self.client.get_multiplexed_async_connection_with_config(&config).await;
        let connection = connected.map_err(|error| {
            let cause = with_causes(&error);
            SinkError::Unreachable(format!("cannot connect to Redis at {}: {cause}", self.shown))
        })?;
        self.connection = Some(connection.clone());
        Ok(connection)
    }

    /// After an error, the next call connects again.
    fn failed(&mut self, error: &RedisError) -> SinkError {
        self.connection = None;
        error_of(error)
    }

    /// A key that has another type than metricc gives it was set by another program.
    fn wrong_type(&mut self, error: &RedisError, key: &str) -> SinkError {
        let text = with_causes(error);
        match text.contains("WRONGTYPE") {
            true => SinkError::Refused(format!(
                "key `{key}` has another type than metricc would give it: \
                 remove it with `UNLINK {key}`, or set another `prefix` ({text})"
            )),
            false => self.failed(error),
        }
    }

    /// The key that names the version of a metric.
    fn pointer(&self, metric: &str) -> String {
        format!("{}:{metric}", self.prefix)
    }

    /// Builds a version under a name, and names it.
    async fn build_and_name(
        &mut self,
        connection: &mut MultiplexedConnection,
        version: &Version,
        (pointer, name): (&str, &str),
        changes: &mut dyn Changes,
    ) -> Result<Written, SinkError> {
        let (n_fields, n_rows) = self.build(connection, version, name, changes).await?;
        let state = State { stored: version.next.clone(), rows: n_fields - 1 };
        let state = serde_json::to_string(&state).map_err(|error| SinkError::Refused(error.to_string()))?;
        let base = self.names.get(&version.metric).cloned().unwrap_or_default();
        let keep = i64::try_from(self.keep.as_millis()).unwrap_or(i64::MAX);
        let script = Script::new(SWAP);
        let mut script = script.key(pointer);
        let script = script.key(name).arg(base).arg(keep).arg(n_fields).arg(state);
        let swapped = script.invoke_async::<i64>(connection).await;
        match swapped.map_err(|error| self.wrong_type(&error, pointer))? {
            1 => {
                self.names.insert(version.metric.clone(), name.to_owned());
                Ok(Written { n_rows })
            }
            2 => Err(SinkError::Moved(format!(
                "the version `{name}` has lost rows while it was written: Redis evicts keys, or was emptied"
            ))),
            _ => {
                let problem =
                    "names another version now: Redis has lost what it had, or another node writes there";
                Err(SinkError::Moved(format!("key `{pointer}` {problem}")))
            }
        }
    }

    /// Builds a version under a name. Returns how many fields it has, and how many rows were changed.
    async fn build(
        &self,
        connection: &mut MultiplexedConnection,
        version: &Version,
        name: &str,
        changes: &mut dyn Changes,
    ) -> Result<(i64, u64), SinkError> {
        let base = self.names.get(&version.metric).filter(|_| !version.is_complete);
        let mut begin = redis::pipe();
        // All at once: what is cut off here has an end of its time, or is not there.
        begin.atomic();
        if let Some(base) = base {
            begin.cmd("COPY").arg(base).arg(name);
        }
        // Until it is whole, it says its own name.
        begin.cmd("HSET").arg(name).arg(FRONTIER).arg(name).ignore();
        begin.cmd("EXPIRE").arg(name).arg(UNFINISHED).ignore();
        begin.cmd("HLEN").arg(name);
        let begun = begin.query_async::<Vec<i64>>(connection).await.map_err(|error| error_of(&error))?;
        let mut n_fields = begun.last().copied().unwrap_or(0);
        if let (Some(base), Some(0)) = (base, begun.first()) {
            return Err(SinkError::Moved(format!("the version {base} is gone")));
        }
        let mut n_rows = 0;
        while let Some(change) = changes.next()? {
            let (rows, is_removed) = match &change {
                Change::Written(rows) => (rows, false),
                Change::Removed(rows) => (rows, true),
            };
            for part in rows.json.chunks(ROWS) {
                let n_changed = send(connection, name, part, is_removed).await?;
                n_fields += if is_removed { -n_changed } else { n_changed };
                n_rows += part.len() as u64;
            }
        }
        Ok((n_fields, n_rows))
    }
}

/// Sets or removes the fields of rows. Returns how many fields there are more or less then.
async fn send(
    connection: &mut MultiplexedConnection,
    name: &str,
    rows: &[String],
    is_removed: bool,
) -> Result<i64, SinkError> {
    let mut pipe = redis::pipe();
    let command = pipe.cmd(if is_removed { "HDEL" } else { "HSET" }).arg(name);
    for json in rows {
        command.arg(Row::parse(json)?.key_text());
        if !is_removed {
            command.arg(json);
        }
    }
    pipe.cmd("EXPIRE").arg(name).arg(UNFINISHED).ignore();
    let changed = pipe.query_async::<Vec<i64>>(connection).await.map_err(|error| error_of(&error))?;
    Ok(changed.first().copied().unwrap_or(0))
}

/// What an error says about the server.
fn error_of(error: &RedisError) -> SinkError {
    let text = format!("Redis: {}", with_causes(error));
    let is_of_server = matches!(error.kind(), ErrorKind::Server(kind) if kind == ServerErrorKind::ResponseError)
        || matches!(error.kind(), ErrorKind::Extension);
    // A server that loads its data, is out of memory, or wants a password takes no metric at all.
    let takes_nothing = ["OOM", "NOAUTH", "NOPERM", "MISCONF"].iter().any(|code| error.code() == Some(code));
    match is_of_server && !takes_nothing {
        true => SinkError::Refused(text),
        false => SinkError::Unreachable(text),
    }
}

#[async_trait]
impl Sink for RedisSink {
    async fn held(&mut self, metric: &str) -> Result<Held, SinkError> {
        let mut connection = self.connection().await?;
        let pointer = self.pointer(metric);
        let name = redis::cmd("GET").arg(&pointer).query_async::<Option<String>>(&mut connection).await;
        let name = name.map_err(|error| self.wrong_type(&error, &pointer))?;
        self.names.remove(metric);
        let removable = format!("key `{pointer}` and the hash that it names");
        let Some(name) = name else {
            return Ok(Held::Known { stored: None, is_lost: false, epoch: None, removable });
        };
        let foreign = || {
            let way = format!("remove it with `UNLINK {pointer}`, or set another `prefix`");
            SinkError::Refused(format!(
                "key `{pointer}` names `{name}`, which metricc has not written: {way}"
            ))
        };
        if !name.starts_with(&format!("{pointer}:")) {
            return Err(foreign());
        }
        let mut pipe = redis::pipe();
        pipe.cmd("HGET").arg(&name).arg(FRONTIER).cmd("HLEN").arg(&name);
        let found = pipe.query_async::<(Option<String>, i64)>(&mut connection).await;
        let (state, n_fields) = found.map_err(|error| self.wrong_type(&error, &name))?;
        let state =
            state.map(|state| serde_json::from_str::<State>(&state)).transpose().map_err(|_| foreign())?;
        self.names.insert(metric.to_owned(), name);
        let is_lost = state.as_ref().is_some_and(|state| state.rows + 1 != n_fields);
        Ok(Held::Known { stored: state.map(|state| state.stored), is_lost, epoch: None, removable })
    }

    async fn write(&mut self, version: &Version, changes: &mut dyn Changes) -> Result<Written, SinkError> {
        let mut connection = self.connection().await?;
        let pointer = self.pointer(&version.metric);
        let name = format!("{pointer}:{}:{}", version.next.version, version.next.id);
        let written = self.build_and_name(&mut connection, version, (&pointer, &name), changes).await;
        if let Err(error) = &written {
            let script = Script::new(FORGET);
            let mut script = script.key(&pointer);
            let forget = script.key(&name).invoke_async::<i64>(&mut connection);
            // If it is not removed, it expires.
            let _ = tokio::time::timeout(REMOVED, forget).await;
            if let SinkError::Unreachable(_) = error {
                self.connection = None;
            }
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused_without_the_password() {
        let settings = |url: &str| RedisSettings {
            url: url.to_owned(),
            user: None,
            password: None,
            prefix: "m".to_owned(),
            keep: Duration::from_secs(1),
            ca: None,
        };
        for (url, part) in [
            ("http://h", "cannot be understood"),
            ("redis://u:S3cret@h", "has a password"),
            ("redis://u:S3cret@h/x", "cannot be understood"),
        ] {
            let problem = RedisSink::new(settings(url)).unwrap_err();
            assert!(problem.contains(part) && !problem.contains("S3cret"), "{url}: {problem}");
        }
        let with_ca = RedisSettings { ca: Some("ca.pem".into()), ..settings("redis://h") };
        assert!(RedisSink::new(with_ca).unwrap_err().contains("rediss://"));
        assert_eq!(RedisSink::new(settings("redis://h:6380/2")).unwrap().shown, "h:6380");
    }
}
