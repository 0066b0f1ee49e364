//! From the configuration of a sink to the sink.

use metricc_sinks::{
    PostgresSettings, PostgresSink, RedisSettings, RedisSink, Secret, Sink, WebhookSettings, WebhookSink,
};

use crate::config::SinkConfig;
use crate::token::TokenReference;

/// The kind of a sink, and the sink.
type Made = (&'static str, Box<dyn Sink>);

/// # Errors
/// The kind, and what is wrong with a setting of it.
pub(super) fn sink(config: &SinkConfig) -> Result<Made, (&'static str, String)> {
    let (kind, made) = if config.postgres.is_some() {
        ("postgres", postgres(config))
    } else if config.redis.is_some() {
        ("redis", redis(config))
    } else if config.kafka.is_some() {
        ("kafka", kafka(config))
    } else {
        ("webhook", webhook(config))
    };
    made.map(|sink| (kind, sink)).map_err(|problem| (kind, problem))
}

/// Reads a secret.
fn secret(name: &str, reference: Option<&TokenReference>) -> Result<Option<Secret>, String> {
    let read = |reference: &TokenReference| reference.read_secret().map(Secret);
    reference.map(read).transpose().map_err(|problem| format!("`{name}` {problem}"))
}

/// The kind is set, as the configuration was checked.
fn unset() -> String {
    "is not set".to_owned()
}

fn postgres(config: &SinkConfig) -> Result<Box<dyn Sink>, String> {
    let config = config.postgres.as_ref().ok_or_else(unset)?;
    let settings = PostgresSettings {
        url: config.url.clone(),
        password: secret("password", config.password.as_ref())?,
        tls: config.tls,
        ca: config.ca.clone(),
        schema: config.schema.clone(),
    };
    Ok(Box::new(PostgresSink::new(settings)?))
}

fn redis(config: &SinkConfig) -> Result<Box<dyn Sink>, String> {
    let config = config.redis.as_ref().ok_or_else(unset)?;
    let settings = RedisSettings {
        url: config.url.clone(),
        user: config.user.clone(),
        password: secret("password", config.password.as_ref())?,
        prefix: config.prefix.clone(),
        keep: config.keep,
        ca: config.ca.clone(),
    };
    Ok(Box::new(RedisSink::new(settings)?))
}

fn webhook(config: &SinkConfig) -> Result<Box<dyn Sink>, String> {
    let config = config.webhook.as_ref().ok_or_else(unset)?;
    let settings = WebhookSettings {
        url: config.url.clone(),
        authorization: secret("authorization", config.authorization.as_ref())?,
        timeout: config.timeout,
        ca: config.ca.clone(),
    };
    Ok(Box::new(WebhookSink::new(settings)?))
}

#[cfg(feature = "kafka")]
fn kafka(config: &SinkConfig) -> Result<Box<dyn Sink>, String> {
    use metricc_sinks::{KafkaSettings, KafkaSink, Login};

    let config = config.kafka.as_ref().ok_or_else(unset)?;
    let password = secret("password", config.password.as_ref())?;
    let login = config.user.clone().zip(password);
    let settings = KafkaSettings {
        brokers: config.brokers.clone(),
        topic: config.topic.clone(),
        tls: config.tls,
        ca: config.ca.clone(),
        client: config.client_cert.clone().zip(config.client_key.clone()),
        login: login.map(|(user, password)| Login { mechanism: config.mechanism.clone(), user, password }),
    };
    Ok(Box::new(KafkaSink::new(settings)?))
}

#[cfg(not(feature = "kafka"))]
fn kafka(_: &SinkConfig) -> Result<Box<dyn Sink>, String> {
    Err("this `metricc` was built without the feature `kafka`: build it with `cargo build --release --features \
         sinks,kafka`"
        .to_owned())
}
