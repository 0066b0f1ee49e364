//! How far a topic is in the log of a node, for status and counters.

use crate::status::family;

/// A topic that a source takes its events from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicStatus {
    /// Its address.
    pub topic: String,
    /// Its partitions, as far as they are known.
    pub partitions: Vec<TopicPartitionStatus>,
    /// Why it is not read at present.
    pub problem: Option<String>,
    /// Whether it is not read until the node is started again.
    pub is_stopped: bool,
    /// Records without a value since the node started.
    pub n_tombstones: u64,
}

/// How far a partition of a topic is in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TopicPartitionStatus {
    /// The offset up to which it is in the log.
    pub read: u64,
    /// Its last stable offset, when it was looked at last.
    pub end: u64,
}

impl TopicPartitionStatus {
    /// Offsets that are not in the log yet.
    pub fn lag(&self) -> u64 {
        self.end.saturating_sub(self.read)
    }
}

/// A value of a partition in the text format of Prometheus: its name, its help, and how it is read.
type PartitionValue = (&'static str, &'static str, fn(&TopicPartitionStatus) -> u64);

const PARTITION_VALUES: [PartitionValue; 3] = [
    ("kafka_lag", "Offsets of a partition of the topic that are not in the log.", TopicPartitionStatus::lag),
    ("kafka_read", "Offset up to which a partition of the topic is in the log.", |partition| partition.read),
    ("kafka_end", "Last stable offset of a partition of the topic.", |partition| partition.end),
];

/// The topics of sources in the text format of Prometheus.
pub(crate) fn text(topics: &[(&str, TopicStatus)]) -> String {
    let mut text = String::new();
    if topics.is_empty() {
        return text;
    }
    for (name, help, value) in PARTITION_VALUES {
        let samples = topics.iter().flat_map(|(source, topic)| {
            topic.partitions.iter().enumerate().map(move |(number, partition)| {
                (format!("{{source=\"{source}\",partition=\"{number}\"}}"), value(partition) as f64)
            })
        });
        family(&mut text, name, "gauge", help, samples);
    }
    let label = |source: &str| format!("{{source=\"{source}\"}}");
    let stopped =
        topics.iter().map(|(source, topic)| (label(source), f64::from(u8::from(topic.problem.is_some()))));
    family(&mut text, "kafka_problem", "gauge", "Whether the topic is not read at present.", stopped);
    let tombstones = topics.iter().map(|(source, topic)| (label(source), topic.n_tombstones as f64));
    family(&mut text, "kafka_tombstones_total", "counter", "Records without a value.", tombstones);
    text
}
