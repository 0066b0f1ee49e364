//! What a topic holds, and whether that is still there.
//!
//! The topic says itself what it holds, in its last record with the state. A client remembers that record,
//! and compares it with the topic each time it is asked: a topic may be made again, and its records may be
//! deleted.
//!
//! Compaction removes records that newer ones replace, and leaves the first offset of a partition as it is. A
//! first offset that is greater than before means that rows are gone.

use std::collections::{BTreeMap, BTreeSet};

use krafka::admin::{DescribeTopicsOptions, ListOffsetsOptions, OffsetSpec, TopicPartition};
use krafka::error::ErrorCode;
use krafka::{Kafka, KrafkaError};
use serde::{Deserialize, Serialize};

use super::KafkaSettings;
use super::client::{ANSWER, unreachable};
use crate::{SinkError, Stored, Version};

/// What a topic holds, by metric.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The id of the topic.
    topic_id: String,
    /// The version of each metric that was written last.
    pub(super) metrics: BTreeMap<String, Stored>,
    /// The epoch of the log that the last write was of.
    #[serde(default)]
    epoch: Option<String>,
    /// The first offset of each partition, when it was looked at last.
    #[serde(default)]
    starts: BTreeMap<i32, i64>,
    /// Metrics of which rows may have been removed, and that were not written since.
    #[serde(default)]
    lost: BTreeSet<String>,
}

impl State {
    /// The state of a topic that holds nothing.
    pub(super) fn empty(topic: &Topic) -> Self {
        State { topic_id: topic.id.clone(), starts: topic.starts.clone(), ..State::default() }
    }

    /// The epoch of the log that the topic is of.
    pub(super) fn epoch(&self) -> Option<String> {
        self.epoch.clone().or_else(|| Some(self.metrics.values().next()?.epoch.clone()))
    }

    pub(super) fn is_lost(&self, metric: &str) -> bool {
        self.lost.contains(metric)
    }

    /// Why this is not the state of the topic as it is now, if so. `record` is the offset of the record that
    /// says it.
    pub(super) fn contradiction(&self, topic: &Topic, record: Option<i64>) -> Option<&'static str> {
        // A broker without ids gives each topic the id 0.
        let is_known = |id: &str| id.bytes().any(|digit| digit != b'0');
        let is_other = is_known(&self.topic_id) && is_known(&topic.id) && self.topic_id != topic.id;
        let start_of = |partition: &i32| topic.starts.get(partition).copied().unwrap_or(-1);
        if is_other || self.starts.iter().any(|(partition, start)| start_of(partition) < *start) {
            return Some("was deleted and made again");
        }
        let is_there = |offset: i64| (start_of(&0)..topic.end).contains(&offset);
        match record {
            Some(offset) if !is_there(offset) => Some("has lost the record that says what it holds"),
            _ => None,
        }
    }

    /// Takes note of what the topic is like now.
    pub(super) fn note(&mut self, topic: &Topic) {
        let is_later = |(partition, start): (&i32, &i64)| topic.starts.get(partition) > Some(start);
        if self.starts.iter().any(is_later) {
            self.lost.extend(self.metrics.keys().cloned());
        }
        self.starts.clone_from(&topic.starts);
        self.topic_id.clone_from(&topic.id);
    }

    /// The state after a write.
    pub(super) fn after(&self, version: &Version) -> Self {
        let mut state = self.clone();
        state.metrics.insert(version.metric.clone(), version.next.clone());
        state.epoch = Some(version.next.epoch.clone());
        if version.is_complete {
            state.lost.remove(&version.metric);
        }
        state
    }
}

/// What a topic is like.
#[derive(Debug)]
pub(super) struct Topic {
    /// Its id, as text: one that was deleted and made again has another.
    id: String,
    /// The first offset of each partition.
    starts: BTreeMap<i32, i64>,
    /// The offset after the last one of partition 0, where the state is.
    end: i64,
}

impl Topic {
    /// Asks the brokers.
    pub(super) async fn now(kafka: &Kafka, settings: &KafkaSettings) -> Result<Self, SinkError> {
        let topic = &settings.topic;
        let options = DescribeTopicsOptions::default().timeout(ANSWER);
        let found = kafka.admin().describe_topics([topic], options).await;
        let found = found.and_then(|mut topics| {
            topics.remove(topic).unwrap_or_else(|| Err(KrafkaError::unknown_topic(topic)))
        });
        let found = found.map_err(|error| match error {
            KrafkaError::Broker { code: ErrorCode::UnknownTopicOrPartition, .. } => {
                let brokers = settings.brokers.join(",");
                SinkError::Unreachable(format!("there is no topic `{topic}` at `{brokers}`: create it"))
            }
            error => unreachable(settings, &error),
        })?;
        let all = found.partitions.iter().map(|found| found.partition).collect();
        let starts = offsets(kafka, settings, all, OffsetSpec::Earliest).await?;
        let ends = offsets(kafka, settings, vec![0], OffsetSpec::Latest).await?;
        let id = found.topic_id.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Topic { id, starts, end: ends.get(&0).copied().unwrap_or(0) })
    }
}

/// An offset of each of some partitions.
async fn offsets(
    kafka: &Kafka,
    settings: &KafkaSettings,
    partitions: Vec<i32>,
    which: OffsetSpec,
) -> Result<BTreeMap<i32, i64>, SinkError> {
    let failed = |error: KrafkaError| unreachable(settings, &error);
    let wanted =
        partitions.iter().map(|partition| (TopicPartition::new(&*settings.topic, *partition), which));
    let options = ListOffsetsOptions::default().timeout(ANSWER);
    let found = kafka.admin().list_offsets(wanted, options).await.map_err(failed)?;
    let offset = |(of, found): (TopicPartition, Result<_, KrafkaError>)| {
        let found: krafka::admin::ListedOffset = found.map_err(failed)?;
        Ok((of.partition, found.offset))
    };
    found.into_iter().map(offset).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Schema;

    use super::*;

    fn topic(id: &str, starts: [i64; 2], end: i64) -> Topic {
        Topic {
            id: id.to_owned(),
            starts: starts.into_iter().enumerate().map(|(n, at)| (n as i32, at)).collect(),
            end,
        }
    }

    fn written(state: &State, metric: &str, is_complete: bool) -> State {
        let next = Stored {
            hash: "h".to_owned(),
            epoch: "e".to_owned(),
            frontier: vec![1],
            version: 1,
            id: "i".to_owned(),
        };
        let (metric, schema) = (metric.to_owned(), Arc::new(Schema::empty()));
        state.after(&Version { metric, base: None, next, is_complete, schema, n_keys: 0 })
    }

    #[test]
    fn a_topic_without_the_record_is_not_the_one_that_was_written() {
        let state = written(&State::empty(&topic("0a", [0, 5], 0)), "m", true);
        for (now, is_same) in [
            (topic("0a", [0, 5], 8), true),
            (topic("0a", [7, 5], 8), true),
            (topic("0a", [8, 5], 9), false),
            (topic("0a", [0, 5], 7), false),
            (topic("0b", [0, 5], 8), false),
            (topic("0a", [0, 0], 8), false),
            // Without an id, the offsets decide.
            (topic("00", [0, 5], 8), true),
            (topic("00", [0, 5], 7), false),
        ] {
            assert_eq!(state.contradiction(&now, Some(7)).is_none(), is_same, "{now:?}");
        }
        assert_eq!(state.contradiction(&topic("0a", [0, 5], 0), None), None, "nothing was written");
    }

    #[test]
    fn records_that_are_deleted_are_written_again() {
        let state = written(&State::empty(&topic("0a", [0, 0], 0)), "a", true);
        let mut state = written(&state, "b", true);
        state.note(&topic("0a", [0, 0], 8));
        assert!(!state.is_lost("a"));
        state.note(&topic("0a", [0, 3], 8));
        assert!(state.is_lost("a") && state.is_lost("b"));
        let text = serde_json::to_string(&written(&state, "a", true)).unwrap();
        let mut state: State = serde_json::from_str(&text).unwrap();
        state.note(&topic("0a", [0, 3], 9));
        assert!(!state.is_lost("a") && state.is_lost("b"), "the topic remembers it");
    }
}
