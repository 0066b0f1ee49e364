//! Where a topic is: `kafka://broker1,broker2:9093/topic`.

use std::fmt;
use std::str::FromStr;

/// What addresses of topics begin with.
const SCHEME: &str = "kafka://";
/// The port of a broker that names none.
const PORT: &str = "9092";

/// Some brokers of a cluster, and the name of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicAddress {
    /// `HOST:PORT` of the brokers to ask first; they name the others.
    pub brokers: Vec<String>,
    /// The topic.
    pub topic: String,
}

impl TopicAddress {
    /// Whether a path is to be an address of a topic.
    pub fn is_meant(path: &str) -> bool {
        path.starts_with(SCHEME)
    }

    /// The brokers, as messages and the client have them.
    pub(crate) fn broker_list(&self) -> String {
        self.brokers.join(",")
    }
}

impl fmt::Display for TopicAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.broker_list(), self.topic)
    }
}

impl FromStr for TopicAddress {
    type Err = String;

    /// # Errors
    /// A message with the form that is expected.
    fn from_str(text: &str) -> Result<Self, String> {
        let problem = |what: &str| format!("`{text}` {what}: write `kafka://HOST:PORT,HOST:PORT/TOPIC`");
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| problem("is not the address of a topic"))?;
        let (brokers, topic) = rest.split_once('/').ok_or_else(|| problem("names no topic"))?;
        if topic.is_empty() {
            return Err(problem("names no topic"));
        }
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !topic.chars().all(is_allowed) || topic.len() > 249 {
            return Err(problem("has a topic that cannot be one (letters, digits, `.`, `_` and `-`)"));
        }
        if brokers.contains('@') {
            return Err(problem(
                "has a user in it: give it as `--kafka-user`, and the password as a reference",
            ));
        }
        let brokers: Vec<String> =
            brokers.split(',').filter(|broker| !broker.is_empty()).map(with_port).collect();
        if brokers.is_empty() {
            return Err(problem("names no broker"));
        }
        Ok(TopicAddress { brokers, topic: topic.to_owned() })
    }
}

fn with_port(broker: &str) -> String {
    let host_end = broker.rfind(']').map_or(0, |bracket| bracket + 1);
    if broker[host_end..].contains(':') { broker.to_owned() } else { format!("{broker}:{PORT}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_brokers_and_a_topic() {
        let shown = |text: &str| text.parse::<TopicAddress>().map(|address| address.to_string());
        assert_eq!(shown("kafka://a/t"), Ok("kafka://a:9092/t".to_owned()));
        assert_eq!(shown("kafka://a,b:1,[::1],[::1]:2/t.x-y_z"), {
            Ok("kafka://a:9092,b:1,[::1]:9092,[::1]:2/t.x-y_z".to_owned())
        });
        for (text, part) in [
            ("kafka://a", "no topic"),
            ("kafka://a/", "no topic"),
            ("kafka:///t", "no broker"),
            ("kafka://a/t/u", "cannot be one"),
            ("kafka://user:secret@a/t", "--kafka-user"),
            ("a/t", "is not the address"),
        ] {
            assert!(shown(text).unwrap_err().contains(part), "{text}: {:?}", shown(text));
        }
    }
}
