//! Reading a topic. Without the feature `kafka`, no client of Kafka is compiled, and this says so.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::config::KafkaConfig;
use crate::error::NodeError;
use crate::source::NodeSource;
use crate::source_start::Task;
use crate::writer::Ingest;

/// What the records of a topic go into.
#[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "nothing reads a topic"))]
pub(crate) struct Sink<'a> {
    pub(crate) source: &'a Arc<NodeSource>,
    pub(crate) ingest: &'a Ingest,
    pub(crate) runtime: &'a Handle,
}

/// What the thread does that reads a topic.
///
/// # Errors
/// [`NodeError::Config`] if the configuration does not describe one that the source can be read from.
#[cfg(feature = "kafka")]
pub(crate) fn task(config: &KafkaConfig, into: &Sink<'_>) -> Result<Task, NodeError> {
    use crate::thread_priority::{Priority, lower_priority};
    use crate::topic_source::{self, TopicSource};

    let name = into.source.name();
    let wrong = |problem: String| NodeError::Config(format!("`sources.{name}.kafka`: {problem}"));
    let (address, security) = topic_source::connection(config).map_err(wrong)?;
    let options = topic_source::record_options(config).map_err(wrong)?;
    if let Some(decoder) = into.source.decoder() {
        let texts = topic_source::texts(&decoder, &options, &address);
        texts.map_err(|error| wrong(error.to_string()))?;
    }
    let topic = TopicSource {
        address,
        security,
        options,
        skip_lost: config.skip_lost,
        commit_group: config.commit_group.clone(),
        commits_fail: std::sync::atomic::AtomicBool::new(false),
        source: into.source.clone(),
        ingest: into.ingest.clone(),
        runtime: into.runtime.clone(),
    };
    Ok(Box::new(move || {
        lower_priority(Priority::Decoding);
        topic.run();
    }))
}

#[cfg(not(feature = "kafka"))]
pub(crate) fn task(_: &KafkaConfig, into: &Sink<'_>) -> Result<Task, NodeError> {
    Err(NodeError::Config(format!(
        "`sources.{}.kafka` is set, and this `metricc` was built without the feature `kafka`: build it with `cargo build \
         --release --features kafka`",
        into.source.name()
    )))
}
