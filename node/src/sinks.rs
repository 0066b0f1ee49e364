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
mod memory;

use std::path::PathBuf;
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
    /// The folder of what the node remembers of it.
    memory: PathBuf,
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
        let (kind, sink) =
            kinds::sink(config).map_err(|(kind, problem)| format!("`sinks.{name}.{kind}`: {problem}"))?;
        let state = Arc::new(SinkState::new(name, kind, &metrics));
        let memory = node.data.join("sinks").join(name);
        Ok(PreparedSink { state, config: config.clone(), metrics, sink, memory })
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
    let PreparedSink { state, config, metrics, sink, memory } = prepared;
    let name = format!("metricc-sink-{}", state.name);
    let of_sink = format!("`sinks.{}`", state.name);
    let driver = driver::Driver::new(
        state,
        config.every,
        &metrics,
        (sink, &memory),
        config.metrics.is_none(),
        serving.clone(),
    );
    let driver = driver.map_err(|(metric, problem)| {
        NodeError::Config(format!(
            "{of_sink}: `{metric}` cannot be written: {problem}; or name the other metrics in `metrics`"
        ))
    })?;
    let runtime = runtime.clone();
    Ok(std::thread::Builder::new().name(name).spawn(move || {
        lower_priority(Priority::Batch);
        runtime.block_on(driver.run());
    })?)
}
