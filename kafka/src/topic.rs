//! A topic of a cluster: its partitions, where they begin and end, and reading them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use krafka::Kafka;
use krafka::KrafkaError;
use krafka::admin::{
    AlterConsumerGroupOffsetsOptions, DescribeTopicsOptions, ListOffsetsOptions, OffsetSpec,
};
use krafka::consumer::TopicPartition;

use crate::background::Background;
use crate::connection::connect;
use crate::error::with_causes;
use crate::fetch::{Records, consumer};
use crate::follow::Follow;
use crate::{GroupCommits, KafkaError, Security, TopicAddress};

/// How long a partition may take to give its next record before reading fails, and a broker to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait before a question is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the records of a partition begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The first offset that retention has left.
    pub first: u64,
    /// The last stable offset: before it, no transaction is open.
    pub end: u64,
}

/// A topic. Clones share its connections. Its methods block the calling thread.
#[derive(Debug, Clone)]
pub struct Topic {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) address: TopicAddress,
    pub(crate) security: Security,
    pub(crate) patience: Duration,
    background: Background,
    /// What answers questions about the topic.
    kafka: Kafka,
    /// Connections of readers that have ended. A broker answers the requests of a connection one by one, so
    /// each reader has its own.
    idle: Mutex<Vec<Kafka>>,
    id: [u8; 16],
    n_partitions: u32,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic")
            .field("address", &self.address)
            .field("n_partitions", &self.n_partitions)
            .finish_non_exhaustive()
    }
}

impl Topic {
    /// Connects to the cluster and looks at the topic.
    ///
    /// # Errors
    /// [`KafkaError`] if no broker answers or lets this client in, or there is no such topic.
    pub fn open(address: TopicAddress, security: Security) -> Result<Self, KafkaError> {
        Topic::open_with_patience(address, security, PATIENCE)
    }

    /// As [`Topic::open`]; a partition may take so long to give its next record.
    ///
    /// # Errors
    /// As [`Topic::open`].
    pub fn open_with_patience(
        address: TopicAddress,
        security: Security,
        patience: Duration,
    ) -> Result<Self, KafkaError> {
        let background =
            Background::start().map_err(|error| KafkaError::Client { cause: error.to_string() })?;
        let (to, by) = (address.clone(), security.clone());
        let opened = background.wait(async move {
            let kafka = connect(&to, &by).await?;
            let (id, n_partitions) = describe(&kafka, &to, patience).await?;
            Ok((kafka, id, n_partitions))
        });
        let (kafka, id, n_partitions) = opened.unwrap_or_else(|| Err(panicked()))?;
        let idle = Mutex::default();
        let inner = Inner { address, security, patience, background, kafka, idle, id, n_partitions };
        Ok(Topic { inner: Arc::new(inner) })
    }

    /// Where it is.
    pub fn address(&self) -> &TopicAddress {
        &self.inner.address
    }

    /// The id that the cluster has given it; zeros if it gives none. A topic that was deleted and made again
    /// has another one.
    pub fn id(&self) -> [u8; 16] {
        self.inner.id
    }

    /// The number of its partitions when it was opened.
    pub fn n_partitions(&self) -> u32 {
        self.inner.n_partitions
    }

    /// Where its partitions begin and end now, in their order.
    ///
    /// # Errors
    /// [`KafkaError`] if a partition does not say.
    pub fn ends(&self) -> Result<Vec<Ends>, KafkaError> {
        let (first, end) = (self.offsets(OffsetSpec::Earliest)?, self.offsets(OffsetSpec::Latest)?);
        Ok(first.into_iter().zip(end).map(|(first, end)| Ends { first, end }).collect())
    }

    /// For each partition the first offset whose record is of this time or later, in milliseconds since 1970;
    /// `None` if it has no such record.
    ///
    /// # Errors
    /// [`KafkaError`] if a partition does not say.
    pub fn offsets_since(&self, milliseconds: i64) -> Result<Vec<Option<u64>>, KafkaError> {
        let inner = self.inner.clone();
        let offsets = async move { inner.offsets_since(milliseconds.max(0)).await };
        self.inner.background.wait(offsets).unwrap_or_else(|| Err(panicked()))
    }

    /// The records of a partition from one offset to another, which is not after the end of the partition.
    pub fn records(&self, partition: u32, from: u64, to: u64) -> Records {
        Records::start(self, partition, from, to)
    }

    /// The records of all partitions as they come, each from its offset on.
    pub fn follow(&self, from: Vec<u64>) -> Follow {
        Follow::start(self, from)
    }

    /// Whether the topic is still the one that was opened, and the number of its partitions now.
    ///
    /// # Errors
    /// [`KafkaError`] if it was deleted or made again, or that is not known.
    pub fn check(&self) -> Result<u32, KafkaError> {
        let inner = self.inner.clone();
        let checked = async move { inner.check_id().await };
        self.inner.background.wait(checked).unwrap_or_else(|| Err(panicked()))
    }

    /// Offsets that are committed for a group, for those who watch its lag.
    pub fn commits(&self, group: &str) -> GroupCommits {
        GroupCommits::new(self, group)
    }

    fn offsets(&self, spec: OffsetSpec) -> Result<Vec<u64>, KafkaError> {
        let inner = self.inner.clone();
        let offsets = async move { inner.offsets(spec).await };
        self.inner.background.wait(offsets).unwrap_or_else(|| Err(panicked()))
    }
}

impl Inner {
    async fn offsets(&self, spec: OffsetSpec) -> Result<Vec<u64>, KafkaError> {
        let topic = &self.address.topic;
        let wanted = (0..self.n_partitions).map(|n| (TopicPartition::new(topic, n.cast_signed()), spec));
        let options = ListOffsetsOptions::default().read_committed(true).timeout(self.patience);
        let found = self.kafka.admin().list_offsets(wanted, options).await;
        let found = found.map_err(|error| KafkaError::of_topic(&self.address, &error))?;
        let mut found: BTreeMap<_, _> =
            found.into_iter().map(|(partition, offset)| (partition.partition(), offset)).collect();
        let offsets = (0..self.n_partitions).map(|partition| {
            let offset = found.remove(&partition.cast_signed());
            let offset = offset.unwrap_or_else(|| Err(KrafkaError::unknown_topic(topic)));
            let offset = offset.map_err(|error| self.of_partition(partition, &error))?;
            Ok(offset.offset.cast_unsigned())
        });
        offsets.collect()
    }

    /// The consumer is asked: to the administration's client, no record is an error that it asks again about.
    async fn offsets_since(&self, milliseconds: i64) -> Result<Vec<Option<u64>>, KafkaError> {
        let topic = &self.address.topic;
        let of_topic = |error| KafkaError::of_topic(&self.address, &error);
        let consumer = consumer(&self.kafka, Duration::ZERO).await.map_err(of_topic)?;
        let until = Instant::now() + self.patience;
        let found = loop {
            let found = consumer.offsets_for_times_for_topic(topic, milliseconds).await.map_err(of_topic)?;
            let may_pass =
                |found: &Result<i64, KrafkaError>| found.as_ref().is_err_and(KrafkaError::is_retriable);
            if !found.values().any(may_pass) || Instant::now() >= until {
                break found;
            }
            tokio::time::sleep(PAUSE).await;
        };
        consumer.close().await.map_err(of_topic)?;
        let offsets = (0..self.n_partitions).map(|partition| match found.get(&partition.cast_signed()) {
            Some(Ok(offset)) => Ok(u64::try_from(*offset).ok()),
            Some(Err(error)) => Err(self.of_partition(partition, error)),
            None => Err(self.of_partition(partition, &KrafkaError::unknown_topic(topic))),
        });
        offsets.collect()
    }

    /// Commits the offsets of some partitions for a group that has no members.
    pub(crate) async fn commit(&self, group: String, offsets: Vec<(u32, u64)>) -> Result<(), KafkaError> {
        let topic = &self.address.topic;
        let cause = |error: &KrafkaError| KafkaError::Commit {
            topic: topic.clone(),
            group: group.clone(),
            cause: with_causes(error),
        };
        let offsets = offsets.into_iter().map(|(partition, offset)| {
            (TopicPartition::new(topic, partition.cast_signed()), offset.cast_signed())
        });
        let options = AlterConsumerGroupOffsetsOptions::default().timeout(self.patience);
        let done = self.kafka.admin().alter_consumer_group_offsets(&*group, offsets, options).await;
        let done = done.map_err(|error| cause(&error))?;
        done.into_values().find_map(Result::err).map_or(Ok(()), |error| Err(cause(&error)))
    }

    fn of_partition(&self, partition: u32, error: &KrafkaError) -> KafkaError {
        match KafkaError::of_topic(&self.address, error) {
            KafkaError::Unreachable { cause, .. } => {
                KafkaError::Offsets { topic: self.address.topic.clone(), partition, cause }
            }
            error => error,
        }
    }

    /// Where one partition begins and ends now.
    pub(crate) async fn ends_of(&self, partition: u32) -> Result<Ends, KafkaError> {
        let at = |offsets: Vec<u64>| offsets.get(partition as usize).copied().unwrap_or(0);
        let first = at(self.offsets(OffsetSpec::Earliest).await?);
        Ok(Ends { first, end: at(self.offsets(OffsetSpec::Latest).await?) })
    }

    /// The number of its partitions; an error if the topic is not the one that was opened.
    pub(crate) async fn check_id(&self) -> Result<u32, KafkaError> {
        let (id, n_partitions) = describe(&self.kafka, &self.address, self.patience).await?;
        if id == self.id {
            Ok(n_partitions)
        } else {
            Err(KafkaError::Replaced { topic: self.address.topic.clone() })
        }
    }

    /// A connection for a reader.
    pub(crate) async fn connection(&self) -> Result<Kafka, KafkaError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(kafka) => Ok(kafka),
            None => connect(&self.address, &self.security).await,
        }
    }

    /// Keeps the connection of a reader that has ended.
    pub(crate) fn keep(&self, kafka: Kafka) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(kafka);
    }

    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.background.spawn(future);
    }
}

/// The id of a topic, and the number of its partitions.
async fn describe(
    kafka: &Kafka,
    address: &TopicAddress,
    patience: Duration,
) -> Result<([u8; 16], u32), KafkaError> {
    let options = DescribeTopicsOptions::default().timeout(patience);
    let found = kafka.admin().describe_topics([&address.topic], options).await;
    let found = found.and_then(|mut topics| {
        topics.remove(&address.topic).unwrap_or_else(|| Err(KrafkaError::unknown_topic(&address.topic)))
    });
    let found = found.map_err(|error| KafkaError::of_topic(address, &error))?;
    Ok((found.topic_id, u32::try_from(found.partitions.len()).unwrap_or(u32::MAX)))
}

pub(crate) fn panicked() -> KafkaError {
    KafkaError::Client { cause: "it has panicked".to_owned() }
}

/// The error of reading a partition on.
pub(crate) fn read_error(topic: &str, partition: u32, offset: u64, error: &KrafkaError) -> KafkaError {
    KafkaError::Read { topic: topic.to_owned(), partition, offset, cause: with_causes(error) }
}
