//! Sources that are topics of Kafka.
//!
//! Without the feature `kafka`, no client of Kafka is compiled, and this says so.

use std::sync::Arc;

use metricc_ir::Source;
use metricc_log::{Binding, Log, LogError, Progress};

use super::arguments::KafkaArguments;
use super::terminal::Failure;

use crate::package::TOPIC as SCHEME;

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
    use metricc_kafka::{
        Bounds, ClientCertificate, From, RecordOptions, RecordSettings, RegistryAddress, Sasl, SchemaOrigin,
        Security, Tls, TopicAddress,
    };
    use metricc_log::{Binding, Log, LogError, Progress};
    use metricc_node::TokenReference;

    use super::SCHEME;
    use crate::cli::arguments::KafkaArguments;
    use crate::cli::terminal::Failure;

    /// What the command line says of topics.
    pub(super) struct Settings {
        registry: Option<RegistryAddress>,
        security: Security,
        bounds: Bounds,
    }

    impl Settings {
        pub(super) fn new(
            arguments: &KafkaArguments,
            sources: &[(String, Binding)],
        ) -> Result<Self, Failure> {
            let registry = registry(arguments)?;
            let mut reads_registry = false;
            for (name, binding) in sources.iter().filter(|(_, to)| to.path.starts_with(SCHEME)) {
                let problem = |problem| Failure::Message(format!("source `{name}`: {problem}"));
                binding.path.parse::<TopicAddress>().map_err(problem)?;
                let options = record_options(binding, registry.as_ref()).map_err(problem)?;
                reads_registry |= matches!(options, RecordOptions::Schema(_, SchemaOrigin::Registry(_)));
            }
            if registry.is_some() && !reads_registry {
                return Err(Failure::Message(
                    "`--registry` is given, and no source reads records with its schemas\n  help: such a source is \
                     `--source 'NAME=kafka://HOST:PORT/TOPIC,format=avro'`, or `format=protobuf`"
                        .to_owned(),
                ));
            }
            let from = arguments.from_offset.map(From::Offset).or(arguments.since.map(From::Time));
            Ok(Settings {
                registry,
                security: security(arguments)?,
                bounds: Bounds { from, to: arguments.to_offset },
            })
        }

        pub(super) fn open(
            &self,
            source: &Arc<Source>,
            binding: &Binding,
            progress: &dyn Fn(Progress),
        ) -> Result<Log, LogError> {
            let address = binding.path.parse::<TopicAddress>();
            let address = address.map_err(|problem| LogError::Request { problem })?;
            let options = record_options(binding, self.registry.as_ref());
            let options = options.map_err(|problem| LogError::Request { problem })?;
            metricc_kafka::open(source, address, self.security.clone(), &options, self.bounds, progress)
        }
    }

    fn registry(arguments: &KafkaArguments) -> Result<Option<RegistryAddress>, Failure> {
        let Some(url) = arguments.registry.clone() else { return Ok(None) };
        let auth = arguments.registry_auth.as_ref().map(TokenReference::read_secret).transpose();
        let auth =
            auth.map_err(|problem| Failure::Message(format!("the secret of `--registry-auth` {problem}")))?;
        Ok(Some(RegistryAddress { url, auth }))
    }

    /// What the records of a topic are. One whose schema is a file, or that has none, needs no registry.
    fn record_options(
        binding: &Binding,
        registry: Option<&RegistryAddress>,
    ) -> Result<RecordOptions, String> {
        let mut settings = RecordSettings::default();
        for (option, value) in &binding.record_options {
            settings.set(option, value)?;
        }
        if settings.schema.is_none() {
            settings.registry = registry.cloned();
        }
        settings.options()
    }

    fn security(arguments: &KafkaArguments) -> Result<Security, Failure> {
        let files = arguments.kafka_client_cert.clone().zip(arguments.kafka_client_key.clone());
        let client = files.map(|(certificate, key)| ClientCertificate { certificate, key });
        let tls = arguments.kafka_tls.then(|| Tls { ca: arguments.kafka_ca.clone(), client });
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
