//! Sources that are topics of Kafka.
//!
//! Without the feature `kafka`, no client of Kafka is compiled, and this says so.

use std::sync::Arc;

use metricc_ir::Source;
use metricc_log::{Binding, Log, LogError, Progress};

use super::arguments::KafkaArguments;
use super::terminal::Failure;

/// What begins the address of a topic.
const SCHEME: &str = "kafka://";

/// Opens logs: those of topics, and those of files.
pub(crate) struct Topics {
    #[cfg(feature = "kafka")]
    topics: topics::Settings,
}

impl Topics {
    /// Checks the addresses and options of topics before anything is opened.
    pub(crate) fn new(arguments: &KafkaArguments, sources: &[(String, Binding)]) -> Result<Self, Failure> {
        let is_topic = |(_, binding): &&(String, Binding)| binding.path.starts_with(SCHEME);
        let topic = sources.iter().find(is_topic);
        if let (None, Some(option)) = (topic, arguments.given()) {
            return Err(Failure::Message(format!(
                "`{option}` is about topics of Kafka, and no source is one\n  help: a topic is \
                 `--source NAME={SCHEME}HOST:PORT/TOPIC`"
            )));
        }
        #[cfg(not(feature = "kafka"))]
        if let Some((name, _)) = topic {
            return Err(Failure::Message(format!(
                "source `{name}` is a topic of Kafka, and this `metricc` was built without the feature `kafka`\n  \
                 help: build it with `cargo build --release --features kafka`"
            )));
        }
        Ok(Topics {
            #[cfg(feature = "kafka")]
            topics: topics::Settings::new(arguments, sources)?,
        })
    }

    /// Opens the log of a source.
    pub(crate) fn open_log(
        &self,
        source: &Arc<Source>,
        binding: &Binding,
        progress: &dyn Fn(Progress),
    ) -> Result<Log, LogError> {
        #[cfg(feature = "kafka")]
        if binding.path.starts_with(SCHEME) {
            return self.topics.open(source, binding, progress);
        }
        super::stored::open_log(source, binding, progress)
    }
}

#[cfg(feature = "kafka")]
mod topics {
    use std::sync::Arc;

    use metricc_ir::Source;
    use metricc_kafka::{Bounds, From, Sasl, Security, Tls, TopicAddress};
    use metricc_log::{Binding, Log, LogError, Progress};

    use super::SCHEME;
    use crate::cli::arguments::KafkaArguments;
    use crate::cli::terminal::Failure;

    /// What the command line says of topics.
    pub(super) struct Settings {
        security: Security,
        bounds: Bounds,
    }

    impl Settings {
        pub(super) fn new(
            arguments: &KafkaArguments,
            sources: &[(String, Binding)],
        ) -> Result<Self, Failure> {
            for (name, Binding { path, .. }) in sources.iter().filter(|(_, to)| to.path.starts_with(SCHEME)) {
                let problem = |problem| Failure::Message(format!("source `{name}`: {problem}"));
                path.parse::<TopicAddress>().map_err(problem)?;
            }
            let from = arguments.from_offset.map(From::Offset).or(arguments.since.map(From::Time));
            Ok(Settings { security: security(arguments)?, bounds: Bounds { from, to: arguments.to_offset } })
        }

        pub(super) fn open(
            &self,
            source: &Arc<Source>,
            binding: &Binding,
            progress: &dyn Fn(Progress),
        ) -> Result<Log, LogError> {
            let address = binding.path.parse::<TopicAddress>();
            let address = address.map_err(|problem| LogError::Request { problem })?;
            metricc_kafka::open(
                source,
                address,
                self.security.clone(),
                &binding.options,
                self.bounds,
                progress,
            )
        }
    }

    fn security(arguments: &KafkaArguments) -> Result<Security, Failure> {
        let tls = arguments.kafka_tls.then(|| Tls { ca: arguments.kafka_ca.clone() });
        let (Some(user), Some(password)) = (&arguments.kafka_user, &arguments.kafka_password) else {
            return Ok(Security { tls, sasl: None });
        };
        let password = password.read_secret();
        let password = password
            .map_err(|problem| Failure::Message(format!("the password of `--kafka-password` {problem}")))?;
        let mechanism = arguments.kafka_mechanism.parse();
        let mechanism =
            mechanism.map_err(|problem| Failure::Message(format!("`--kafka-mechanism`: {problem}")))?;
        Ok(Security { tls, sasl: Some(Sasl { mechanism, user: user.clone(), password }) })
    }
}
