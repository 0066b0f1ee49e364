//! Reading all partitions of a topic on and on, each from an offset of its own: for a log that takes in what
//! the topic gets. One client asks for all partitions at once, so their number costs neither threads nor
//! connections.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use krafka::consumer::{Consumer, TopicPartition};
use krafka::{Kafka, KrafkaError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connection::connect;
use crate::fetch::consumer;
use crate::topic::{Inner, panicked, read_error};
use crate::{KafkaError, Record, Topic};

/// Answers that are fetched ahead.
const MAX_AHEAD: usize = 2;
/// How long a broker waits for records before it answers without.
const WAIT: Duration = Duration::from_millis(200);

/// What was read of some partitions.
#[derive(Debug)]
pub struct Followed {
    /// Of each partition that has gone on.
    pub parts: Vec<FollowedPart>,
    /// Makes room for one more answer when it is dropped.
    _ahead: OwnedSemaphorePermit,
}

/// What was read of a partition.
#[derive(Debug)]
pub struct FollowedPart {
    /// The partition.
    pub partition: u32,
    /// Its records, by ascending offsets; perhaps none, where offsets have no record.
    pub records: Vec<Record>,
    /// The offset up to which there are no others.
    pub next: u64,
}

type Message = Result<Followed, KafkaError>;

/// The records of a topic as they come.
#[derive(Debug)]
pub struct Follow {
    receiver: Receiver<Message>,
    /// The task ends when this is dropped.
    _alive: Arc<()>,
    /// Keeps the runtime alive that fetches.
    _topic: Topic,
}

impl Follow {
    /// Reads each partition from its offset on.
    pub(crate) fn start(topic: &Topic, from: Vec<u64>) -> Self {
        let (sender, receiver) = channel();
        let alive = Arc::new(());
        let task = Task { topic: Arc::downgrade(&topic.inner), alive: Arc::downgrade(&alive), next: from };
        topic.inner.spawn(task.run(sender));
        Follow { receiver, _alive: alive, _topic: topic.clone() }
    }

    /// What has come; `None` if that is nothing within a time. Blocks the calling thread.
    ///
    /// # Errors
    /// [`KafkaError`] if the topic cannot be read on. Nothing comes after it.
    pub fn next_within(&mut self, time: Duration) -> Result<Option<Followed>, KafkaError> {
        match self.receiver.recv_timeout(time) {
            Ok(followed) => followed.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(panicked()),
        }
    }
}

struct Task {
    topic: Weak<Inner>,
    alive: Weak<()>,
    /// The next offset of each partition.
    next: Vec<u64>,
}

impl Task {
    async fn run(mut self, sender: Sender<Message>) {
        let Some(inner) = self.topic.upgrade() else { return };
        let name = inner.address.topic.clone();
        let kafka = connect(&inner.address, &inner.security).await;
        drop(inner);
        let read = match kafka {
            Ok(kafka) => self.read(&kafka, &name, &sender).await,
            Err(error) => Err(error),
        };
        if let Err(error) = read {
            // Nobody may want it any more.
            let _ = sender.send(Err(error));
        }
    }

    async fn read(&mut self, kafka: &Kafka, name: &str, sender: &Sender<Message>) -> Result<(), KafkaError> {
        let consumer = self.consumer(kafka, name).await.map_err(|error| read_error(name, 0, 0, &error))?;
        let ahead = Arc::new(Semaphore::new(MAX_AHEAD));
        while self.alive.strong_count() > 0 && self.topic.strong_count() > 0 {
            let Ok(permit) = ahead.clone().acquire_owned().await else { break };
            let polled = match consumer.poll(WAIT).await {
                Ok(polled) => polled,
                Err(KrafkaError::NoOffset { .. }) => return Err(self.out_of_range(name).await),
                Err(error) if error.is_retriable() => {
                    tokio::time::sleep(WAIT).await;
                    continue;
                }
                Err(error) => {
                    return Err(read_error(name, 0, self.next.first().copied().unwrap_or(0), &error));
                }
            };
            let mut records: BTreeMap<u32, Vec<Record>> = BTreeMap::new();
            for record in polled {
                let partition = record.partition.cast_unsigned();
                records.entry(partition).or_default().push(Record::from(record));
            }
            let parts = self.parts(&consumer, name, records).await;
            if !parts.is_empty() && sender.send(Ok(Followed { parts, _ahead: permit })).is_err() {
                break;
            }
        }
        consumer.close().await.map_err(|error| read_error(name, 0, 0, &error))
    }

    /// What has gone on, with the offsets after it.
    async fn parts(
        &mut self,
        consumer: &Consumer,
        name: &str,
        mut records: BTreeMap<u32, Vec<Record>>,
    ) -> Vec<FollowedPart> {
        let mut parts = Vec::new();
        for (partition, next) in (0u32..).zip(&mut self.next) {
            let records = records.remove(&partition).unwrap_or_default();
            let position = consumer.position(name, partition.cast_signed()).await;
            let position = position.map_or(0, |position| position.cast_unsigned());
            let after = records.last().map_or(0, |record| record.offset + 1).max(position);
            if after > *next {
                *next = after;
                parts.push(FollowedPart { partition, records, next: after });
            }
        }
        parts
    }

    async fn consumer(&self, kafka: &Kafka, name: &str) -> krafka::Result<Consumer> {
        let consumer = consumer(kafka, WAIT).await?;
        let partitions = (0i32..).zip(&self.next);
        consumer.assign(name, partitions.clone().map(|(partition, _)| partition).collect()).await?;
        let offset =
            |(partition, next): (i32, &u64)| (TopicPartition::new(name, partition), next.cast_signed());
        consumer.seek_many(partitions.map(offset)).await?;
        Ok(consumer)
    }

    /// Which partition does not have its offset, and why.
    async fn out_of_range(&self, name: &str) -> KafkaError {
        let Some(inner) = self.topic.upgrade() else { return panicked() };
        if let Err(error) = inner.check_id().await {
            return error;
        }
        for (partition, offset) in (0u32..).zip(self.next.iter().copied()) {
            let topic = name.to_owned();
            match inner.ends_of(partition).await {
                Ok(ends) if offset < ends.first => {
                    return KafkaError::Passed { topic, partition, offset, first: ends.first };
                }
                Ok(ends) if offset > ends.end => {
                    return KafkaError::Beyond { topic, partition, offset, end: ends.end };
                }
                Ok(_) => {}
                Err(error) => return error,
            }
        }
        let cause = "the broker has said that an offset is not there, and that it is".to_owned();
        KafkaError::Read { topic: name.to_owned(), partition: 0, offset: 0, cause }
    }
}
