//! Sinks of a node: each has a thread of its own, which writes the newest published version to it.
//!
//! What a sink holds decides what it is sent next, and the sink is asked for it at the start and after every
//! failure. So nothing that happens to the node, to the sink or to the network loses a change or repeats one,
//! and the changes of a time in which it was down are one write.
//!
//! Invariant: nothing waits for a sink. It reads published versions as any reader does, and holds nothing but
//! the version that it wrote last.

mod changes;
mod driver;
mod feed;
mod kinds;

use std::sync::Arc;
use std::thread::JoinHandle;

use metricc_sinks::Sink;
use tokio::runtime::Handle;

use crate::config::{Config, SinkConfig};
use crate::error::NodeError;
use crate::reading::NodeServing;
use crate::sink_status::SinkState;
use crate::thread_priority::{Priority, lower_priority};

/// A sink whose settings are checked.
pub(crate) struct PreparedSink {
    state: Arc<SinkState>,
    config: SinkConfig,
    metrics: Vec<String>,
    sink: Box<dyn Sink>,
}

impl PreparedSink {
    /// # Errors
    /// What is wrong with a setting.
    pub(crate) fn new(
        name: &str,
        config: &SinkConfig,
        metrics: Vec<String>,
        node: &Config,
    ) -> Result<Self, String> {
        let (kind, sink) = kinds::sink(name, config, &node.data)
            .map_err(|(kind, problem)| format!("`sinks.{name}.{kind}`: {problem}"))?;
        let state = Arc::new(SinkState::new(name, kind, &metrics));
        Ok(PreparedSink { state, config: config.clone(), metrics, sink })
    }

    pub(crate) fn state(&self) -> Arc<SinkState> {
        self.state.clone()
    }
}

/// Starts the thread of a sink.
///
/// # Errors
/// If it cannot be started, or a metric is not served.
pub(crate) fn start(
    prepared: PreparedSink,
    serving: &NodeServing,
    runtime: &Handle,
) -> Result<JoinHandle<()>, NodeError> {
    let PreparedSink { state, config, metrics, sink } = prepared;
    let name = format!("metricc-sink-{}", state.name);
    let driver = driver::Driver::new(state, config.every, &metrics, sink, serving.clone());
    let driver = driver.map_err(|problem| NodeError::Config(problem.to_string()))?;
    let runtime = runtime.clone();
    Ok(std::thread::Builder::new().name(name).spawn(move || {
        lower_priority(Priority::Batch);
        runtime.block_on(driver.run());
    })?)
}
