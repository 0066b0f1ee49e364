//! A topic of Kafka: one transaction for each version, with a record for each row that differs.
//!
//! The last record of a transaction, always in partition 0, says what the topic holds of every metric. A
//! topic is of one sink. That record is found from the end of the partition, by a reader that sees only what
//! is committed; whether it is still there is checked each time the sink is asked. The transactional id
//! belongs to the topic: a producer that starts with it ends the transaction that another one has left open,
//! and a node that was taken for dead cannot write any more.

mod client;
mod keys;
mod reader;
mod state;

use std::path::PathBuf;

use async_trait::async_trait;
use krafka::{KrafkaError, Record};
use reader::Ends;
use state::State;

use crate::error::with_causes;
use crate::{Change, Changes, Held, Row, Rows, Secret, Sink, SinkError, Version, Written};

/// Headers of records of rows.
const FRONTIER: &str = "metricc-frontier";
const HASH: &str = "metricc-metric-hash";
const VERSION: &str = "metricc-version";
/// Header of the record that says what the topic holds.
const STATE: &str = "metricc-state";
/// The key of that record.
const STATE_KEY: &str = "{\"metricc\":\"state\"}";

/// A topic, and who writes to it.
#[derive(Debug, Clone)]
pub struct KafkaSettings {
    /// `HOST:PORT` of some brokers.
    pub brokers: Vec<String>,
    /// The topic.
    pub topic: String,
    /// Whether brokers are reached by TLS.
    pub tls: bool,
    /// The certificates that are trusted instead of those of the public web.
    pub ca: Option<PathBuf>,
    /// The files of the certificate that the brokers are shown, and of its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The user who logs in.
    pub login: Option<Login>,
}

/// A user, and how the password is proved.
#[derive(Debug, Clone)]
pub struct Login {
    /// `plain`, `scram-sha-256` or `scram-sha-512`.
    pub mechanism: String,
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// A topic with the changes of presented values.
pub struct KafkaSink {
    settings: KafkaSettings,
    client: Option<client::Client>,
}

impl std::fmt::Debug for KafkaSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaSink").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The key of the record of a row: a topic has rows of several metrics.
fn key_of(metric: &str, row: &Row<'_>) -> String {
    // Names of metrics need no escaping.
    format!("{{\"metric\":\"{metric}\",\"key\":{},\"window\":{}}}", row.key, row.window)
}

impl KafkaSink {
    /// Checks the settings; does not connect.
    ///
    /// # Errors
    /// What is wrong with a setting.
    pub fn new(settings: KafkaSettings) -> Result<Self, String> {
        let is_address = |broker: &&String| {
            broker.rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty() && !host.contains('@') && port.parse::<u16>().is_ok()
            })
        };
        if let Some(other) = settings.brokers.iter().find(|broker| !is_address(broker)) {
            // What stands before an `@` may be a secret.
            let shown = other.rsplit('@').next().unwrap_or_default();
            return Err(format!("`{shown}` is not the address of a broker, which has the form `HOST:PORT`"));
        }
        let is_of_topic = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let topic = &settings.topic;
        if topic.is_empty() || topic.len() > 249 || !topic.bytes().all(is_of_topic) {
            return Err(format!(
                "`{topic}` cannot be the name of a topic, which has letters, digits, `.`, `_` and `-`"
            ));
        }
        Ok(KafkaSink { settings, client: None })
    }

    async fn client(&mut self) -> Result<&mut client::Client, SinkError> {
        if self.client.is_none() {
            self.client = Some(client::Client::connect(&self.settings).await?);
        }
        self.client.as_mut().ok_or_else(|| SinkError::Unreachable("there is no connection".to_owned()))
    }

    fn error(&self, error: &KrafkaError) -> SinkError {
        refused_record(&self.settings.topic, &with_causes(error))
    }

    /// Sends the changes and the new state. The transaction is open. Rows of the topic before some ends are
    /// removed unless they are among the changes. Returns how many rows were sent, and the offset of the
    /// state.
    async fn send(
        &self,
        client: &client::Client,
        version: &Version,
        changes: &mut dyn Changes,
        (state, ends): (&State, Option<&[Ends]>),
    ) -> Result<(u64, Option<i64>), SinkError> {
        let topic = &self.settings.topic;
        // Which rows are removed is known only after all rows: only the topic has the old ones.
        let mut keys = ends.map(|ends| (ends, keys::Keys::default()));
        let mut n_rows = 0;
        while let Some(change) = changes.next()? {
            let (rows, is_removed): (&Rows, bool) = match &change {
                Change::Written(rows) => (rows, false),
                Change::Removed(rows) => (rows, true),
            };
            for json in &rows.json {
                let key = key_of(&version.metric, &Row::parse(json)?);
                if let Some((_, keys)) = &mut keys {
                    keys.add(key.as_bytes());
                }
                let record = match is_removed {
                    true => Record::tombstone(topic, key),
                    false => Record::new(topic, json.clone()).key(key),
                };
                self.enqueue(client, with_headers(record, version)).await?;
                n_rows += 1;
            }
        }
        if let Some((ends, mut keys)) = keys {
            let prefix = format!("{{\"metric\":\"{}\",", version.metric);
            for gone in client.other_keys(&self.settings, (ends, prefix.as_bytes()), &mut keys).await? {
                self.enqueue(client, with_headers(Record::tombstone(topic, gone), version)).await?;
                n_rows += 1;
            }
        }
        let failed = |error: serde_json::Error| SinkError::Refused(error.to_string());
        let value = serde_json::to_string(state).map_err(failed)?;
        let last = Record::new(topic, value).key(STATE_KEY).partition(0).header(STATE, "1");
        // Before the last record is sent, all others have their places.
        client.producer.flush().await.map_err(|error| self.error(&error))?;
        let sent = client.producer.send(last).await.map_err(|error| self.error(&error))?;
        Ok((n_rows, Some(sent.offset).filter(|offset| *offset >= 0)))
    }

    /// A record that fails makes the commit fail.
    async fn enqueue(&self, client: &client::Client, record: Record) -> Result<(), SinkError> {
        let sent = client.producer.enqueue(record).await;
        sent.map(drop).map_err(|error| self.error(&error))
    }
}

/// An error of the brokers. What is wrong with a record stands in the text of the error of its transaction.
fn refused_record(topic: &str, text: &str) -> SinkError {
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if has(&["MessageTooLarge", "RecordListTooLarge", "exceeds max_request_size", "exceeds buffer_memory"]) {
        return SinkError::Refused(format!(
            "topic `{topic}`: a row is larger than `max.message.bytes` allows: \
             raise it for the topic, or leave the metric out of `metrics` ({text})"
        ));
    }
    let text = format!("topic `{topic}`: {text}");
    if has(&["InvalidRecord"]) { SinkError::Refused(text) } else { SinkError::Unreachable(text) }
}

fn with_headers(record: Record, version: &Version) -> Record {
    let record = record.header(FRONTIER, version.frontier_text()).header(HASH, version.next.hash.clone());
    record.header(VERSION, version.next.version.to_string())
}

#[async_trait]
impl Sink for KafkaSink {
    async fn held(&mut self, metric: &str) -> Result<Held, SinkError> {
        let settings = self.settings.clone();
        let checked = self.client().await?.check_topic(&settings).await;
        if checked.is_err() {
            self.client = None;
        }
        checked?;
        let client = self.client().await?;
        Ok(Held::Known {
            stored: client.state.metrics.get(metric).cloned(),
            is_lost: client.state.is_lost(metric),
            // Two nodes that write to one topic would end each other's transactions.
            epoch: client.state.epoch(),
            removable: format!("topic `{}` and create it again", settings.topic),
        })
    }

    async fn write(&mut self, version: &Version, changes: &mut dyn Changes) -> Result<Written, SinkError> {
        self.client().await?;
        // Whatever happens before the end, the next write begins with a new client, which ends the
        // transaction.
        let Some(mut client) = self.client.take() else {
            return Err(SinkError::Unreachable("there is no connection".to_owned()));
        };
        client.check_topic(&self.settings).await?;
        if client.state.metrics.get(&version.metric) != version.base.as_ref() {
            let topic = &self.settings.topic;
            return Err(SinkError::Moved(format!("topic `{topic}` holds another version now")));
        }
        if client.state.is_lost(&version.metric) && !version.is_complete {
            self.client = Some(client);
            let topic = &self.settings.topic;
            return Err(SinkError::Moved(format!(
                "records of topic `{topic}` were deleted, and all rows are written again"
            )));
        }
        let state = client.state.after(version);
        let ends = if version.is_complete { Some(client.ends(&self.settings).await?) } else { None };
        client.producer.begin().map_err(|error| self.error(&error))?;
        match self.send(&client, version, changes, (&state, ends.as_deref())).await {
            Ok((n_rows, record)) => {
                client.producer.commit().await.map_err(|error| self.error(&error))?;
                (client.state, client.record) = (state, record);
                self.client = Some(client);
                Ok(Written { n_rows })
            }
            Err(error) => {
                if client.producer.abort().await.is_ok() {
                    self.client = Some(client);
                }
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let settings = |broker: &str, topic: &str| KafkaSettings {
            brokers: vec![broker.to_owned()],
            topic: topic.to_owned(),
            tls: false,
            ca: None,
            client: None,
            login: None,
        };
        for (broker, topic, part) in [
            ("b", "t", "`b` is not the address of a broker"),
            ("b:9092", "a b", "`a b` cannot be the name of a topic"),
        ] {
            assert!(KafkaSink::new(settings(broker, topic)).unwrap_err().contains(part));
        }
        assert!(KafkaSink::new(settings("b:9092", "t")).is_ok());
    }

    #[test]
    fn a_row_that_is_too_large_is_of_its_metric_alone() {
        let text =
            "transaction must be aborted: produce to t-1 failed with MessageTooLarge; abort the transaction";
        let SinkError::Refused(said) = refused_record("t", text) else { panic!("it is refused") };
        assert!(said.contains("`max.message.bytes`") && said.contains("out of `metrics`"), "{said}");
        assert!(matches!(refused_record("t", "the connection is closed"), SinkError::Unreachable(_)));
    }
}
