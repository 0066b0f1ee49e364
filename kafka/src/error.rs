//! Why a topic cannot be read. Each error names the broker or the topic, with partition and offset where
//! there is one, and what to do.

use krafka::KrafkaError;
use krafka::error::ErrorCode;
use metricc_log::LogError;

use crate::TopicAddress;

/// What TLS says of a certificate that it does not accept.
const UNTRUSTED: &str = "invalid peer certificate";

/// Why a topic cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KafkaError {
    /// No broker answers.
    #[error("no broker of `{brokers}` answers: {cause}")]
    Unreachable {
        /// The brokers.
        brokers: String,
        /// What the client reported.
        cause: String,
    },
    /// A broker does not let this client in.
    #[error("the brokers `{brokers}` do not accept this client: {cause}")]
    Authentication {
        /// The brokers.
        brokers: String,
        /// What the client reported.
        cause: String,
    },
    /// The certificate of a broker is not trusted here.
    #[error("the brokers `{brokers}` are not trusted: {cause}")]
    Untrusted {
        /// The brokers.
        brokers: String,
        /// What the client reported.
        cause: String,
    },
    /// A setting of the connection is wrong.
    #[error("the connection to `{brokers}` cannot be made: {cause}")]
    Setting {
        /// The brokers.
        brokers: String,
        /// What is wrong.
        cause: String,
    },
    /// There is no such topic.
    #[error("there is no topic `{topic}` at `{brokers}`")]
    NoTopic {
        /// The topic.
        topic: String,
        /// The brokers.
        brokers: String,
    },
    /// The topic was deleted and made again: its offsets mean other records.
    #[error("topic `{topic}` was deleted and made again: its offsets name other records than before")]
    Replaced {
        /// The topic.
        topic: String,
    },
    /// Retention has removed an offset that is to be read.
    #[error(
        "topic `{topic}`, partition {partition}: offset {offset} is no longer there; the first one is {first}"
    )]
    Passed {
        /// The topic.
        topic: String,
        /// Its partition.
        partition: u32,
        /// The offset that is to be read.
        offset: u64,
        /// The first offset that is left.
        first: u64,
    },
    /// An offset is after the end of its partition, where it has been before.
    #[error("topic `{topic}`, partition {partition}: offset {offset} is after the end, which is {end}")]
    Beyond {
        /// The topic.
        topic: String,
        /// Its partition.
        partition: u32,
        /// The offset that is to be read.
        offset: u64,
        /// The offset after the last record.
        end: u64,
    },
    /// Reading has failed, or does not go on.
    #[error("topic `{topic}`, partition {partition}, offset {offset}: {cause}")]
    Read {
        /// The topic.
        topic: String,
        /// Its partition.
        partition: u32,
        /// The next offset.
        offset: u64,
        /// What the client reported.
        cause: String,
    },
    /// The offsets of a partition are not known.
    #[error("topic `{topic}`, partition {partition}: its offsets are not known: {cause}")]
    Offsets {
        /// The topic.
        topic: String,
        /// Its partition.
        partition: u32,
        /// What the client reported.
        cause: String,
    },
    /// A schema registry does not say what a schema is.
    #[error("the schema registry `{url}` does not give the schema: {cause}")]
    Registry {
        /// Its address.
        url: String,
        /// What it answers, or why it does not.
        cause: String,
    },
    /// The offsets of a group cannot be committed.
    #[error("the offsets of topic `{topic}` cannot be committed for the group `{group}`: {cause}")]
    Commit {
        /// The topic.
        topic: String,
        /// The group.
        group: String,
        /// What the client reported.
        cause: String,
    },
    /// The client itself has failed.
    #[error("the client of Kafka has failed: {cause}")]
    Client {
        /// How.
        cause: String,
    },
}

impl KafkaError {
    /// What to do.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            KafkaError::Unreachable { .. } => {
                "check host and port, that the brokers run, whether they want TLS, a login or a client certificate; the addresses that \
                 brokers advertise (`advertised.listeners`) must be reachable from here as well"
                    .into()
            }
            KafkaError::Authentication { .. } => {
                "check mechanism, user and password, and what this user may do".into()
            }
            KafkaError::Untrusted { .. } => {
                "name the certificate that has issued theirs, with `--kafka-ca` or `ca`; each broker is reached by a \
                 name or address that is in its certificate"
                    .into()
            }
            KafkaError::NoTopic { .. } => {
                "check the name, and that this user may describe and read the topic; metricc creates none".into()
            }
            KafkaError::Replaced { .. } => "read it as another log, from its start".into(),
            KafkaError::Passed { first, .. } => {
                format!("start at offset {first}, and keep records longer (`retention.ms`, `retention.bytes`)")
            }
            KafkaError::Beyond { .. } => {
                "records were lost at the broker, or the topic was made again: read it from its start".into()
            }
            KafkaError::Read { .. } | KafkaError::Offsets { .. } => {
                "see whether the partition has a leader, and run it again: nothing was changed".into()
            }
            KafkaError::Registry { .. } => {
                "check its URL, that it runs, and what it wants to be told (`registry_auth`, `--registry-auth`); no record \
                 was rejected for this"
                    .into()
            }
            KafkaError::Commit { .. } => {
                "the group must have no members, and this user may have to be allowed to read it; nothing depends on \
                 these offsets"
                    .into()
            }
            KafkaError::Setting { .. } | KafkaError::Client { .. } => return None,
        })
    }

    /// The error of a client that could not connect.
    pub(crate) fn of_connection(address: &TopicAddress, error: &KrafkaError) -> Self {
        let (brokers, cause) = (address.broker_list(), with_causes(error));
        match error {
            KrafkaError::Config { message } => KafkaError::Setting { brokers, cause: message.clone() },
            // The client reports both alike.
            KrafkaError::Auth { .. } if cause.contains(UNTRUSTED) => KafkaError::Untrusted { brokers, cause },
            error if is_denied(error) => KafkaError::Authentication { brokers, cause },
            _ => KafkaError::Unreachable { brokers, cause },
        }
    }

    /// The error of a request about a topic.
    pub(crate) fn of_topic(address: &TopicAddress, error: &KrafkaError) -> Self {
        match error {
            KrafkaError::Broker { code: ErrorCode::UnknownTopicOrPartition, .. }
            | KrafkaError::UnknownTopic { .. } => {
                KafkaError::NoTopic { topic: address.topic.clone(), brokers: address.broker_list() }
            }
            error => KafkaError::of_connection(address, error),
        }
    }

    /// The error of a log one of whose partitions cannot be read.
    pub(crate) fn in_log(self, name: &str) -> LogError {
        LogError::Partition { name: name.to_owned(), help: self.help(), cause: Box::new(self) }
    }
}

fn is_denied(error: &KrafkaError) -> bool {
    match error {
        KrafkaError::Auth { .. } => true,
        KrafkaError::Broker { code, .. } => matches!(
            code,
            ErrorCode::SaslAuthenticationFailed
                | ErrorCode::UnsupportedSaslMechanism
                | ErrorCode::TopicAuthorizationFailed
                | ErrorCode::ClusterAuthorizationFailed
        ),
        _ => false,
    }
}

/// An error with what has caused it, each once.
pub(crate) fn with_causes(error: &KrafkaError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
