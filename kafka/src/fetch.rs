//! Reading a range of a partition. A task fetches ahead of the thread that decodes, at most two answers of
//! the broker.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use krafka::consumer::{AutoOffsetReset, Consumer, ConsumerRecord, IsolationLevel};
use krafka::{Kafka, KrafkaError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::topic::{Inner, panicked, read_error};
use crate::{KafkaError, Topic};

/// Answers that are fetched ahead.
const MAX_AHEAD: usize = 2;
/// The most bytes of an answer, as they are compressed.
const FETCH_BYTES: i32 = 2 << 20;
/// How long a broker waits for records before it answers without. It matters at the end of a range alone,
/// where the last offsets may have no record.
const WAIT: Duration = Duration::from_millis(20);

/// A record of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its offset.
    pub offset: u64,
    /// Its time in milliseconds since 1970.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value; a tombstone has none.
    pub value: Option<Bytes>,
    /// Its headers, in order; a name may be there more than once.
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl From<ConsumerRecord> for Record {
    fn from(record: ConsumerRecord) -> Self {
        let ConsumerRecord { offset, timestamp, key, value, headers, .. } = record;
        Record { offset: offset.cast_unsigned(), timestamp, key, value, headers }
    }
}

/// Some records that follow one another.
#[derive(Debug)]
pub struct Fetched {
    /// The records, by ascending offsets.
    pub records: Vec<Record>,
    /// The offset up to which there are no others.
    pub next: u64,
    /// Makes room for one more answer when it is dropped.
    _ahead: OwnedSemaphorePermit,
}

type Message = Result<Fetched, KafkaError>;

/// The records of a range of a partition, in order.
#[derive(Debug)]
pub struct Records {
    receiver: Receiver<Message>,
    next: u64,
    to: u64,
    /// Keeps the runtime alive that fetches.
    _topic: Topic,
}

impl Records {
    pub(crate) fn start(topic: &Topic, partition: u32, from: u64, to: u64) -> Self {
        let (sender, receiver) = channel();
        if from < to {
            let range = Range { partition, from, to };
            topic.inner.spawn(fetch_all(Arc::downgrade(&topic.inner), range, sender));
        }
        Records { receiver, next: from, to, _topic: topic.clone() }
    }

    /// The next records; `None` at the end of the range. Blocks the calling thread.
    ///
    /// # Errors
    /// [`KafkaError`] if they cannot be read. There is nothing more to read then.
    pub fn next_fetched(&mut self) -> Result<Option<Fetched>, KafkaError> {
        if self.next >= self.to {
            return Ok(None);
        }
        let fetched = self.receiver.recv().unwrap_or_else(|_| Err(panicked()))?;
        self.next = fetched.next;
        Ok(Some(fetched))
    }
}

/// A client that reads what is committed, from offsets that are set. A broker waits for records so long.
pub(crate) async fn consumer(kafka: &Kafka, wait: Duration) -> krafka::Result<Consumer> {
    kafka
        .consumer_without_group()
        .isolation_level(IsolationLevel::ReadCommitted)
        .auto_offset_reset(AutoOffsetReset::None)
        .enable_auto_commit(false)
        .max_poll_records(-1)
        .max_partition_fetch_bytes(FETCH_BYTES)
        .fetch_max_wait(wait)
        .metrics_push(false)
        .build()
        .await
}

/// What to read.
#[derive(Debug, Clone, Copy)]
struct Range {
    partition: u32,
    from: u64,
    to: u64,
}

/// Fetches until the range has been read, or nobody wants it any more.
async fn fetch_all(topic: Weak<Inner>, range: Range, sender: Sender<Message>) {
    let Some(inner) = topic.upgrade() else { return };
    let (name, patience) = (inner.address.topic.clone(), inner.patience);
    let kafka = match inner.connection().await {
        Ok(kafka) => kafka,
        Err(error) => return drop(sender.send(Err(error))),
    };
    drop(inner);
    let fetch = Fetch { topic: &topic, name: &name, range, patience, sender: &sender };
    match fetch.run(&kafka).await {
        Ok(()) => topic.upgrade().into_iter().for_each(|inner| inner.keep(kafka.clone())),
        // Nobody may want it any more.
        Err(error) => drop(sender.send(Err(error))),
    }
}

struct Fetch<'a> {
    topic: &'a Weak<Inner>,
    name: &'a str,
    range: Range,
    patience: Duration,
    sender: &'a Sender<Message>,
}

impl Fetch<'_> {
    async fn run(&self, kafka: &Kafka) -> Result<(), KafkaError> {
        let Range { partition, from, to } = self.range;
        let consumer = self.consumer(kafka).await.map_err(|error| self.error(from, &error))?;
        let ahead = Arc::new(Semaphore::new(MAX_AHEAD));
        let (mut next, mut moved) = (from, Instant::now());
        while next < to {
            let Ok(permit) = ahead.clone().acquire_owned().await else { break };
            let polled = match consumer.poll(WAIT).await {
                Ok(polled) => polled,
                Err(KrafkaError::NoOffset { .. }) => return Err(self.out_of_range(next).await),
                Err(error) if error.is_retriable() && moved.elapsed() < self.patience => {
                    tokio::time::sleep(WAIT).await;
                    continue;
                }
                Err(error) => return Err(self.error(next, &error)),
            };
            let position = consumer.position(self.name, partition.cast_signed()).await;
            let position = position.map_or(next, |position| position.cast_unsigned());
            let after = polled.last().map_or(next, |record| record.offset.cast_unsigned() + 1).max(position);
            if after <= next {
                if moved.elapsed() >= self.patience {
                    return Err(self.stalled(next, &consumer).await);
                }
                continue;
            }
            (next, moved) = (after.min(to), Instant::now());
            let in_range = polled.into_iter().take_while(|record| record.offset.cast_unsigned() < to);
            let records = in_range.map(Record::from).collect();
            if next >= to {
                self.check_id().await?;
            }
            if self.sender.send(Ok(Fetched { records, next, _ahead: permit })).is_err() {
                break;
            }
        }
        consumer.close().await.map_err(|error| self.error(next, &error))
    }

    async fn consumer(&self, kafka: &Kafka) -> krafka::Result<Consumer> {
        let consumer = consumer(kafka, WAIT).await?;
        let Range { partition, from, .. } = self.range;
        consumer.assign(self.name, vec![partition.cast_signed()]).await?;
        consumer.seek(self.name, partition.cast_signed(), from.cast_signed()).await?;
        Ok(consumer)
    }

    fn error(&self, offset: u64, error: &KrafkaError) -> KafkaError {
        read_error(self.name, self.range.partition, offset, error)
    }

    /// The topic may have been made again while it was read.
    async fn check_id(&self) -> Result<(), KafkaError> {
        match self.topic.upgrade() {
            Some(inner) => inner.check_id().await.map(drop),
            None => Ok(()),
        }
    }

    /// Why the broker does not have an offset.
    async fn out_of_range(&self, offset: u64) -> KafkaError {
        let Some(inner) = self.topic.upgrade() else { return panicked() };
        if let Err(error) = inner.check_id().await {
            return error;
        }
        let (topic, partition) = (self.name.to_owned(), self.range.partition);
        match inner.ends_of(partition).await {
            Ok(ends) if offset < ends.first => {
                KafkaError::Passed { topic, partition, offset, first: ends.first }
            }
            Ok(ends) => KafkaError::Beyond { topic, partition, offset, end: ends.end },
            Err(error) => error,
        }
    }

    /// Why nothing comes, as far as the broker says it.
    async fn stalled(&self, offset: u64, consumer: &Consumer) -> KafkaError {
        if let Err(error) = self.check_id().await {
            return error;
        }
        let partition = self.range.partition;
        let cause = match consumer.fetch_watermarks(self.name, partition.cast_signed()).await {
            Err(error) => error.to_string(),
            Ok((_, end)) => format!("no record for {} s, and the end is {end}", self.patience.as_secs()),
        };
        KafkaError::Read { topic: self.name.to_owned(), partition, offset, cause }
    }
}
