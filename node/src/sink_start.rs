//! Checking and starting sinks. Without the feature `sinks`, no client of another system is compiled, and
//! this says so.

use metricc_ir::AnyMetric;

#[cfg(not(feature = "sinks"))]
pub(crate) use without::{PreparedSink, start};

#[cfg(feature = "sinks")]
pub(crate) use crate::sinks::{PreparedSink, start};

use crate::config::Config;
use crate::error::NodeError;

/// Checks the settings of all sinks. Nothing is connected to.
///
/// # Errors
/// [`NodeError::Config`] if a sink cannot be as it is configured.
pub(crate) fn prepare(config: &Config, metrics: &[AnyMetric]) -> Result<Vec<PreparedSink>, NodeError> {
    let known: Vec<&str> = metrics.iter().map(AnyMetric::name).collect();
    let prepared = config.sinks.iter().map(|(name, sink)| {
        let wanted = match &sink.metrics {
            Some(wanted) => wanted.clone(),
            None => known.iter().map(|name| (*name).to_owned()).collect(),
        };
        if let Some(unknown) = wanted.iter().find(|metric| !known.contains(&metric.as_str())) {
            let list = known.join("`, `");
            return Err(NodeError::Config(format!(
                "`sinks.{name}.metrics`: there is no metric `{unknown}`; there are `{list}`"
            )));
        }
        PreparedSink::new(name, sink, wanted, config).map_err(NodeError::Config)
    });
    prepared.collect()
}

#[cfg(not(feature = "sinks"))]
mod without {
    use std::sync::Arc;
    use std::thread::JoinHandle;

    use tokio::runtime::Handle;

    use crate::config::{Config, SinkConfig};
    use crate::error::NodeError;
    use crate::reading::NodeServing;
    use crate::sink_status::SinkState;

    /// There is none.
    pub(crate) enum PreparedSink {}

    impl PreparedSink {
        pub(crate) fn new(name: &str, _: &SinkConfig, _: Vec<String>, _: &Config) -> Result<Self, String> {
            Err(format!(
                "`sinks.{name}` is set, and this `metricc` was built without the feature `sinks`: build it with `cargo build \
                 --release --features sinks`"
            ))
        }

        pub(crate) fn state(&self) -> Arc<SinkState> {
            match *self {}
        }
    }

    pub(crate) fn start(
        sink: PreparedSink,
        _: &NodeServing,
        _: &Handle,
    ) -> Result<JoinHandle<()>, NodeError> {
        match sink {}
    }
}
