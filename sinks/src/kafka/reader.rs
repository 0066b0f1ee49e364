//! Reading what is committed of a topic, up to its end.
//!
//! What is committed after the start of a transaction that is still open cannot be read. To take the end of
//! what can be read for the end of the topic would be to forget versions: a reader waits for such a
//! transaction, which is of another program, and then gives up.

use std::time::{Duration, Instant};

use krafka::consumer::{AutoOffsetReset, Consumer, ConsumerRecord, IsolationLevel};
use krafka::{Kafka, KrafkaError};

use super::client::unreachable;
use crate::SinkError;
use crate::kafka::KafkaSettings;

/// How long a broker waits for records before it answers without, and how long none may come.
const WAIT: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(20);

/// The offsets of a partition: the first one, and the one after the last, whether that is committed or not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) partition: i32,
    pub(super) first: i64,
    pub(super) end: i64,
}

/// Reads a topic.
pub(super) struct Reader<'a> {
    kafka: &'a Kafka,
    settings: &'a KafkaSettings,
}

impl<'a> Reader<'a> {
    pub(super) fn new(kafka: &'a Kafka, settings: &'a KafkaSettings) -> Self {
        Reader { kafka, settings }
    }

    async fn consumer(&self, isolation: IsolationLevel) -> Result<Consumer, SinkError> {
        let builder = self.kafka.consumer_without_group().isolation_level(isolation);
        let builder = builder.auto_offset_reset(AutoOffsetReset::None).enable_auto_commit(false);
        let built = builder.fetch_max_wait(WAIT).metrics_push(false).build().await;
        built.map_err(|error| unreachable(self.settings, &error))
    }

    /// The ends of a partition.
    pub(super) async fn ends(&self, partition: i32) -> Result<Ends, SinkError> {
        let consumer = self.consumer(IsolationLevel::ReadUncommitted).await?;
        let ends = consumer.fetch_watermarks(&self.settings.topic, partition).await;
        self.close(consumer).await;
        let (first, end) = ends.map_err(|error| unreachable(self.settings, &error))?;
        Ok(Ends { partition, first, end })
    }

    /// Gives each committed record from an offset on, up to the end.
    pub(super) async fn read(
        &self,
        ends: Ends,
        from: i64,
        each: impl FnMut(ConsumerRecord),
    ) -> Result<(), SinkError> {
        if from >= ends.end {
            return Ok(());
        }
        let consumer = self.consumer(IsolationLevel::ReadCommitted).await?;
        let read = self.read_with(&consumer, ends, from, each).await;
        self.close(consumer).await;
        read
    }

    async fn read_with(
        &self,
        consumer: &Consumer,
        Ends { partition, end, .. }: Ends,
        from: i64,
        mut each: impl FnMut(ConsumerRecord),
    ) -> Result<(), SinkError> {
        let topic = &self.settings.topic;
        let failed = |error: KrafkaError| unreachable(self.settings, &error);
        consumer.assign(topic, vec![partition]).await.map_err(failed)?;
        consumer.seek(topic, partition, from).await.map_err(failed)?;
        let mut moved = (from, Instant::now());
        while moved.0 < end {
            for record in consumer.poll(WAIT).await.map_err(failed)? {
                if record.offset < end {
                    each(record);
                }
            }
            // Ends of transactions, and what was aborted, have offsets and no records.
            let next = consumer.position(topic, partition).await.unwrap_or(moved.0);
            if next > moved.0 {
                moved = (next, Instant::now());
            } else if moved.1.elapsed() > PATIENCE {
                let problem = "a transaction of another program is open there, or the broker does not answer";
                return Err(SinkError::Unreachable(format!(
                    "topic `{topic}`, partition {partition}: nothing can be read after offset {} of {end}: {problem}",
                    moved.0
                )));
            }
        }
        Ok(())
    }

    async fn close(&self, consumer: Consumer) {
        if let Err(error) = consumer.close().await {
            tracing::debug!(topic = self.settings.topic, %error, "a reader of the topic was not closed");
        }
    }
}
