//! The connection to the brokers of a topic, and what the topic holds.

use std::time::Duration;

use bytes::Bytes;
use krafka::auth::{AuthConfig, TlsConfig};
use krafka::consumer::ConsumerRecord;
use krafka::producer::TransactionalProducer;
use krafka::{Kafka, KrafkaError};

use super::keys::Keys;
use super::reader::{Ends, Reader};
use super::state::{State, Topic};
use super::{KafkaSettings, STATE};
use crate::SinkError;
use crate::error::with_causes;

/// How long a broker may take to accept a connection, to answer a request, and to have a record.
const CONNECT: Duration = Duration::from_secs(5);
pub(super) const ANSWER: Duration = Duration::from_secs(5);
const DELIVERED: Duration = Duration::from_secs(10);
/// How long a transaction may take. If a node is killed and not started again, others read no further for so
/// long.
const TRANSACTION: Duration = Duration::from_secs(300);
/// Offsets before the end that are looked at first.
const FIRST_LOOK: i64 = 64;

/// A connection with a transactional producer.
pub(super) struct Client {
    kafka: Kafka,
    pub(super) producer: TransactionalProducer,
    /// What the topic holds.
    pub(super) state: State,
    /// The offset of the record that says so, in partition 0; `None` before the first one.
    pub(super) record: Option<i64>,
}

pub(super) fn unreachable(settings: &KafkaSettings, error: &KrafkaError) -> SinkError {
    let (topic, brokers) = (&settings.topic, settings.brokers.join(","));
    let cause = with_causes(error);
    // The client reports a certificate that is not trusted as a login that is not accepted.
    let help = match error {
        KrafkaError::Auth { .. } if cause.contains("invalid peer certificate") => {
            "; name the certificate that has issued theirs with `ca`, and each broker by a name that is in its own"
        }
        KrafkaError::Auth { .. } => "; check `user`, `password` and `mechanism`",
        _ => "",
    };
    SinkError::Unreachable(format!("topic `{topic}` at `{brokers}`: {cause}{help}"))
}

/// The record that says what the topic holds is not one of metricc.
fn unreadable(settings: &KafkaSettings, offset: i64, error: &serde_json::Error) -> SinkError {
    let (topic, after) = (&settings.topic, offset + 1);
    SinkError::Unreachable(format!(
        "topic `{topic}`, partition 0, offset {offset}: the record with the header `{STATE}`, \
         which says what the topic holds, was not written by metricc ({error}): \
         delete the records before offset {after} with `kafka-delete-records`, and all rows are written \
         again, or set another `topic`"
    ))
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
        let topic = Topic::now(&kafka, settings).await?;
        let builder = kafka.producer().transaction_timeout(TRANSACTION).metrics_push(false);
        let builder = builder.delivery_timeout(DELIVERED).max_block(DELIVERED);
        let producer =
            builder.build_transactional(format!("metricc-{}", settings.topic)).await.map_err(failed)?;
        let found = last_state(&kafka, settings).await?;
        // The state of a topic that is gone says nothing about the one that has its name.
        let found = found.filter(|(state, _)| state.contradiction(&topic, None).is_none());
        let (mut state, record) = match found {
            Some((state, offset)) => (state, Some(offset)),
            None => (State::empty(&topic), None),
        };
        state.note(&topic);
        Ok(Client { kafka, producer, state, record })
    }

    /// Checks that the topic is still the one that was connected to, and takes note of what it has lost.
    pub(super) async fn check_topic(&mut self, settings: &KafkaSettings) -> Result<(), SinkError> {
        let topic = Topic::now(&self.kafka, settings).await?;
        if let Some(problem) = self.state.contradiction(&topic, self.record) {
            return Err(SinkError::Moved(format!("topic `{}` {problem}", settings.topic)));
        }
        self.state.note(&topic);
        Ok(())
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

    /// The keys of the topic before its ends that begin with a prefix, have a value, and are not among some
    /// keys.
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
    let tls = settings.tls.then(|| {
        let mut tls = TlsConfig::new();
        if let Some(ca) = &settings.ca {
            tls = tls.with_ca_cert(ca.to_string_lossy());
        }
        match &settings.client {
            Some((certificate, key)) => {
                tls.with_client_cert(certificate.to_string_lossy(), key.to_string_lossy())
            }
            None => tls,
        }
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

/// What the last committed record about the topic says, if there is one, and its offset. More is read until
/// it is found, or everything was.
async fn last_state(kafka: &Kafka, settings: &KafkaSettings) -> Result<Option<(State, i64)>, SinkError> {
    let reader = Reader::new(kafka, settings);
    let ends = reader.ends(0).await?;
    let mut look = FIRST_LOOK;
    loop {
        let from = ends.end.saturating_sub(look).max(ends.first);
        let mut last = None;
        let each = |record: ConsumerRecord| {
            if record.headers.iter().any(|(name, _)| &**name == STATE) {
                last = record.value.map(|value| (value, record.offset));
            }
        };
        reader.read(ends, from, each).await?;
        if let Some((value, offset)) = last {
            let state =
                serde_json::from_slice(&value).map_err(|error| unreadable(settings, offset, &error))?;
            return Ok(Some((state, offset)));
        }
        if from == ends.first {
            return Ok(None);
        }
        look = look.saturating_mul(8);
    }
}
