//! The connection to the brokers of a topic, and what the topic holds.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use krafka::admin::DescribeTopicsOptions;
use krafka::auth::{AuthConfig, TlsConfig};
use krafka::consumer::ConsumerRecord;
use krafka::error::ErrorCode;
use krafka::producer::TransactionalProducer;
use krafka::{Kafka, KrafkaError};

use super::keys::Keys;
use super::reader::{Ends, Reader};
use super::{KafkaSettings, STATE, State};
use crate::SinkError;
use crate::error::with_causes;

/// How long a broker may take to accept a connection, to answer a request, and to have a record.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(5);
const DELIVERED: Duration = Duration::from_secs(10);
/// How long a transaction may take. If a node is killed and not started again, others read no further for so long.
const TRANSACTION: Duration = Duration::from_secs(300);
/// Offsets before the end that are looked at first.
const FIRST_LOOK: i64 = 64;

/// A connection with a transactional producer.
pub(super) struct Client {
    kafka: Kafka,
    pub(super) producer: TransactionalProducer,
    /// What the topic holds.
    pub(super) state: State,
}

pub(super) fn unreachable(settings: &KafkaSettings, error: &KrafkaError) -> SinkError {
    let (topic, brokers) = (&settings.topic, settings.brokers.join(","));
    SinkError::Unreachable(format!("topic `{topic}` at `{brokers}`: {}", with_causes(error)))
}

/// The id of the topic, as text: one that was deleted and made again has another.
async fn topic_id(kafka: &Kafka, settings: &KafkaSettings) -> Result<String, SinkError> {
    let topic = &settings.topic;
    let options = DescribeTopicsOptions::default().timeout(ANSWER);
    let found = kafka.admin().describe_topics([topic], options).await;
    let found = found.and_then(|mut topics| {
        topics.remove(topic).unwrap_or_else(|| Err(KrafkaError::unknown_topic(topic)))
    });
    match found {
        Ok(found) => Ok(found.topic_id.iter().map(|byte| format!("{byte:02x}")).collect()),
        Err(KrafkaError::Broker { code: ErrorCode::UnknownTopicOrPartition, .. }) => {
            Err(SinkError::Unreachable(format!(
                "there is no topic `{topic}` at `{}`: create it",
                settings.brokers.join(",")
            )))
        }
        Err(error) => Err(unreachable(settings, &error)),
    }
}

impl Client {
    /// Connects, ends what another writer to the topic has left open, and reads what the topic holds.
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
        let topic_id = topic_id(&kafka, settings).await?;
        let builder = kafka.producer().transaction_timeout(TRANSACTION).metrics_push(false);
        let builder = builder.delivery_timeout(DELIVERED).max_block(DELIVERED);
        let producer =
            builder.build_transactional(format!("metricc-{}", settings.topic)).await.map_err(failed)?;
        let state = last_state(&kafka, settings).await?;
        // The state of a topic that is gone says nothing about the one that has its name.
        let state = state.filter(|state| state.topic_id == topic_id);
        let state = state.unwrap_or_else(|| State { topic_id, metrics: BTreeMap::new() });
        Ok(Client { kafka, producer, state })
    }

    /// Checks that the topic is still the one that was connected to.
    pub(super) async fn check_topic(&self, settings: &KafkaSettings) -> Result<(), SinkError> {
        if topic_id(&self.kafka, settings).await? == self.state.topic_id {
            return Ok(());
        }
        Err(SinkError::Moved(format!("topic `{}` was deleted and made again", settings.topic)))
    }

    /// The ends of all partitions.
    pub(super) async fn ends(&self, settings: &KafkaSettings) -> Result<Vec<Ends>, SinkError> {
        let reader = Reader::new(&self.kafka, settings);
        let partitions = self.producer.partitions_for(&settings.topic).await;
        let mut ends = Vec::new();
        for partition in partitions.map_err(|error| unreachable(settings, &error))? {
            ends.push(reader.ends(partition.partition).await?);
        }
        Ok(ends)
    }

    /// The keys of the topic before its ends that begin with a prefix, have a value, and are not among some keys.
    pub(super) async fn other_keys(
        &self,
        settings: &KafkaSettings,
        (ends, prefix): (&[Ends], &[u8]),
        keys: &mut Keys,
    ) -> Result<Vec<Bytes>, SinkError> {
        let reader = Reader::new(&self.kafka, settings);
        let mut found = Vec::new();
        for ends in ends {
            let each = |record: ConsumerRecord| {
                let Some(key) = record.key.filter(|key| key.starts_with(prefix)) else { return };
                if record.value.is_some() && keys.is_other(&key) {
                    found.push(key);
                }
            };
            reader.read(*ends, ends.first, each).await?;
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

/// What the last committed record about the topic says, if there is one. More is read until it is found, or
/// everything was.
async fn last_state(kafka: &Kafka, settings: &KafkaSettings) -> Result<Option<State>, SinkError> {
    let reader = Reader::new(kafka, settings);
    let ends = reader.ends(0).await?;
    let mut look = FIRST_LOOK;
    loop {
        let from = ends.end.saturating_sub(look).max(ends.first);
        let mut last = None;
        let each = |record: ConsumerRecord| {
            if record.headers.iter().any(|(name, _)| &**name == STATE) {
                last = record.value;
            }
        };
        reader.read(ends, from, each).await?;
        if let Some(value) = last {
            return serde_json::from_slice(&value).map(Some).map_err(|error| {
                let topic = &settings.topic;
                SinkError::Unreachable(format!(
                    "topic `{topic}`: its record of what it holds cannot be read: {error}"
                ))
            });
        }
        if from == ends.first {
            return Ok(None);
        }
        look = look.saturating_mul(8);
    }
}
