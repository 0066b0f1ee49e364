//! The connection to the brokers of a topic, and what the topic holds.

use std::time::{Duration, Instant};

use bytes::Bytes;
use krafka::auth::{AuthConfig, TlsConfig};
use krafka::consumer::{AutoOffsetReset, Consumer, ConsumerRecord, IsolationLevel};
use krafka::producer::TransactionalProducer;
use krafka::{Kafka, KrafkaError};

use super::keys::Keys;
use super::{KafkaSettings, SINK, State};
use crate::SinkError;
use crate::error::with_causes;

/// How long a broker may take to accept a connection, to answer a request, and to have a record.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);
const DELIVERED: Duration = Duration::from_secs(20);
/// How long a transaction may take; a broker allows no more unless it is configured.
const TRANSACTION: Duration = Duration::from_secs(900);
/// How long a broker waits for records before it answers without, and how long none may come.
const WAIT: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);
/// Offsets before the end that are looked at first.
const FIRST_LOOK: i64 = 64;

/// A connection with a transactional producer.
pub(super) struct Client {
    kafka: Kafka,
    pub(super) producer: TransactionalProducer,
    /// What the topic holds.
    pub(super) state: State,
}

fn unreachable(settings: &KafkaSettings, error: &KrafkaError) -> SinkError {
    let (topic, brokers) = (&settings.topic, settings.brokers.join(","));
    SinkError::Unreachable(format!("topic `{topic}` at `{brokers}`: {}", with_causes(error)))
}

impl Client {
    /// Connects, ends what another writer with this name has left open, and reads what the topic holds.
    pub(super) async fn connect(settings: &KafkaSettings) -> Result<Self, SinkError> {
        let failed = |error: KrafkaError| unreachable(settings, &error);
        let kafka = Kafka::builder(settings.brokers.join(","))
            .client_id("metricc")
            .connect_timeout(CONNECT)
            .request_timeout(ANSWER)
            .allow_auto_create_topics(false)
            .security(security(settings))
            .connect();
        let kafka = kafka.await.map_err(failed)?;
        let id = format!("metricc-{}-{}", settings.name, settings.topic);
        let builder = kafka.producer().transaction_timeout(TRANSACTION).metrics_push(false);
        let builder = builder.delivery_timeout(DELIVERED).max_block(DELIVERED);
        let producer = builder.build_transactional(id).await.map_err(failed)?;
        let state = last_state(&kafka, settings).await?;
        Ok(Client { kafka, producer, state })
    }

    /// The keys of the topic that begin with a prefix, have a value, and are not among some keys.
    pub(super) async fn other_keys(
        &self,
        settings: &KafkaSettings,
        prefix: &[u8],
        keys: &mut Keys,
    ) -> Result<Vec<Bytes>, SinkError> {
        let failed = |error: KrafkaError| unreachable(settings, &error);
        let mut found = Vec::new();
        for partition in self.producer.partitions_for(&settings.topic).await.map_err(failed)? {
            let reader = Reader::new(&self.kafka, settings, partition.partition).await?;
            let (first, end) = reader.ends().await?;
            reader
                .read(first, end, |record| {
                    let Some(key) = record.key.filter(|key| key.starts_with(prefix)) else { return };
                    if record.value.is_some() && keys.is_other(&key) {
                        found.push(key);
                    }
                })
                .await?;
        }
        Ok(found)
    }
}

fn security(settings: &KafkaSettings) -> AuthConfig {
    let tls = settings.tls.then(|| match &settings.ca {
        Some(ca) => TlsConfig::new().with_ca_cert(ca.to_string_lossy()),
        None => TlsConfig::new(),
    });
    let Some(login) = &settings.login else {
        return tls.map_or_else(AuthConfig::plaintext, AuthConfig::ssl);
    };
    let (user, password) = (&login.user, &login.password.0);
    let config = match login.mechanism.as_str() {
        "plain" => AuthConfig::sasl_plain(user, password),
        "scram-sha-256" => AuthConfig::sasl_scram_sha256(user, password),
        _ => AuthConfig::sasl_scram_sha512(user, password),
    };
    match tls {
        Some(tls) => config.with_tls(tls),
        None => config,
    }
}

/// What the last committed record of the sink says. More is read until it is found, or everything was.
async fn last_state(kafka: &Kafka, settings: &KafkaSettings) -> Result<State, SinkError> {
    let reader = Reader::new(kafka, settings, 0).await?;
    let (first, end) = reader.ends().await?;
    let mut look = FIRST_LOOK;
    loop {
        let from = end.saturating_sub(look).max(first);
        let mut last = None;
        reader
            .read(from, end, |record| {
                let is_of_sink = |value: &Option<Bytes>| value.as_deref() == Some(settings.name.as_bytes());
                if record.headers.iter().any(|(name, value)| &**name == SINK && is_of_sink(value)) {
                    last = record.value;
                }
            })
            .await?;
        if let Some(value) = last {
            return serde_json::from_slice(&value).map_err(|error| {
                let topic = &settings.topic;
                SinkError::Unreachable(format!(
                    "topic `{topic}`: its record of this sink cannot be read: {error}"
                ))
            });
        }
        if from == first {
            return Ok(State::default());
        }
        look = look.saturating_mul(8);
    }
}

/// Reads what is committed of a partition.
struct Reader<'a> {
    consumer: Consumer,
    settings: &'a KafkaSettings,
    partition: i32,
}

impl<'a> Reader<'a> {
    async fn new(kafka: &Kafka, settings: &'a KafkaSettings, partition: i32) -> Result<Self, SinkError> {
        let failed = |error: KrafkaError| unreachable(settings, &error);
        let builder = kafka
            .consumer_without_group()
            .isolation_level(IsolationLevel::ReadCommitted)
            .auto_offset_reset(AutoOffsetReset::None)
            .enable_auto_commit(false)
            .fetch_max_wait(WAIT)
            .metrics_push(false);
        let consumer = builder.build().await.map_err(failed)?;
        Ok(Reader { consumer, settings, partition })
    }

    /// The first offset, and the one after the last that is committed.
    async fn ends(&self) -> Result<(i64, i64), SinkError> {
        let ends = self.consumer.fetch_watermarks(&self.settings.topic, self.partition).await;
        ends.map_err(|error| unreachable(self.settings, &error))
    }

    async fn read(&self, from: i64, end: i64, mut each: impl FnMut(ConsumerRecord)) -> Result<(), SinkError> {
        let (topic, partition) = (&self.settings.topic, self.partition);
        let failed = |error: KrafkaError| unreachable(self.settings, &error);
        if from >= end {
            return Ok(());
        }
        self.consumer.assign(topic, vec![partition]).await.map_err(failed)?;
        self.consumer.seek(topic, partition, from).await.map_err(failed)?;
        let mut moved = (from, Instant::now());
        while moved.0 < end {
            for record in self.consumer.poll(WAIT).await.map_err(failed)? {
                if record.offset < end {
                    each(record);
                }
            }
            // Ends of transactions, and what was aborted, have offsets and no records.
            let next = self.consumer.position(topic, partition).await.unwrap_or(moved.0);
            if next > moved.0 {
                moved = (next, Instant::now());
            } else if moved.1.elapsed() > PATIENCE {
                let problem = format!("no record for {} s at offset {}", PATIENCE.as_secs(), moved.0);
                return Err(SinkError::Unreachable(format!(
                    "topic `{topic}`, partition {partition}: {problem}"
                )));
            }
        }
        Ok(())
    }
}
