//! Arguments of sources that are topics of Kafka.

use std::path::PathBuf;

use clap::Args;
use metricc_ir::text::timestamp;
use metricc_node::TokenReference;

/// Which records of a topic are read, and how its brokers are reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Topics of Kafka")]
pub(crate) struct KafkaArguments {
    /// Read each partition from this offset on [default: from where retention has left it]
    #[arg(long, value_name = "N", conflicts_with = "since")]
    pub(crate) from_offset: Option<u64>,
    /// Read each partition from the first record of this time on, by the time of its records in the topic:
    /// 2026-04-25 (in UTC), or 2026-04-25T10:00:00+05:30
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    pub(crate) since: Option<i64>,
    /// Read each partition up to this offset, without it [default: its last stable offset now]
    #[arg(long, value_name = "N")]
    pub(crate) to_offset: Option<u64>,
    /// Where the schemas of records with `,format=avro` and `,format=protobuf` are: the URL of a schema
    /// registry, such as http://registry:8081. A topic without one names a file: `,schema=payments.avsc`
    #[arg(long, value_name = "URL")]
    pub(crate) registry: Option<String>,
    /// Where what the registry is to be told is: `env:VARIABLE` or `file:PATH` with USER:PASSWORD, or a token
    #[arg(long, value_name = "REFERENCE", requires = "registry", value_parser = reference)]
    pub(crate) registry_auth: Option<TokenReference>,
    /// Reach the brokers by TLS
    #[arg(long)]
    pub(crate) kafka_tls: bool,
    /// Trust the certificates of this PEM file instead of those of the public web
    #[arg(long, value_name = "FILE", requires = "kafka_tls")]
    pub(crate) kafka_ca: Option<PathBuf>,
    /// Show the brokers this certificate (PEM, with those that have issued it)
    #[arg(long, value_name = "FILE", requires = "kafka_tls", requires = "kafka_client_key")]
    pub(crate) kafka_client_cert: Option<PathBuf>,
    /// The private key of that certificate (PEM, not encrypted)
    #[arg(long, value_name = "FILE", requires = "kafka_client_cert")]
    pub(crate) kafka_client_key: Option<PathBuf>,
    /// Log in as this user (SASL)
    #[arg(long, value_name = "NAME", requires = "kafka_password")]
    pub(crate) kafka_user: Option<String>,
    /// Where the password is: `env:VARIABLE` or `file:PATH`
    #[arg(long, value_name = "REFERENCE", requires = "kafka_user", value_parser = reference)]
    pub(crate) kafka_password: Option<TokenReference>,
    /// How the password is proved: `plain`, `scram-sha-256` or `scram-sha-512`
    #[arg(long, value_name = "NAME", requires = "kafka_user", default_value = "scram-sha-512")]
    pub(crate) kafka_mechanism: String,
}

impl KafkaArguments {
    /// An option that was given, if there is one.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let given = [
            (self.from_offset.is_some(), "--from-offset"),
            (self.since.is_some(), "--since"),
            (self.to_offset.is_some(), "--to-offset"),
            (self.registry.is_some(), "--registry"),
            (self.kafka_tls, "--kafka-tls"),
            (self.kafka_user.is_some(), "--kafka-user"),
        ];
        given.into_iter().find(|(is_given, _)| *is_given).map(|(_, name)| name)
    }
}

/// A date, or an instant, in milliseconds since 1970.
fn milliseconds(text: &str) -> Result<i64, String> {
    let date = || Some(i64::from(timestamp::parse_date(text).ok()?) * 86_400_000);
    let instant = timestamp::parse(text, None).map(|micros| micros.div_euclid(1000));
    instant.ok().or_else(date).ok_or_else(|| {
        "neither a date nor an instant: write it as `2026-04-25` or `2026-04-25T10:00:00Z`".to_owned()
    })
}

/// A password itself on the command line would be seen by all users of the machine.
fn reference(text: &str) -> Result<TokenReference, String> {
    match TokenReference::from(text) {
        TokenReference::Invalid => {
            Err("write where the password is, as `env:VARIABLE` or `file:PATH`, not the password itself"
                .to_owned())
        }
        reference => Ok(reference),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_or_instants() {
        assert_eq!(milliseconds("1970-01-02"), Ok(86_400_000));
        assert_eq!(milliseconds("1970-01-01T00:00:01.0015Z"), Ok(1001));
        assert_eq!(milliseconds("1970-01-01T05:30:01+05:30"), Ok(1000));
        for text in ["yesterday", "2026-04-25T10:00:00", ""] {
            assert!(milliseconds(text).unwrap_err().contains("neither a date nor an instant"), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_taken_from_the_command_line() {
        assert!(reference("env:PASSWORD").is_ok());
        assert!(!reference("secret").unwrap_err().contains("secret"));
    }
}
