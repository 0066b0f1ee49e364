//! Which sinks would write to one place.
//!
//! Two sinks of one node in one place would take each other for another node, and write all rows in turn. Two in
//! one topic would end each other's transactions, also if they have different metrics.

use std::collections::BTreeMap;

use super::{KafkaConfig, SinkConfig};

/// Checks that no two sinks write to one place.
///
/// # Errors
/// The two sinks, their place, and the way out.
pub(super) fn are_different(sinks: &BTreeMap<String, SinkConfig>) -> Result<(), String> {
    let all: Vec<(&String, &SinkConfig)> = sinks.iter().collect();
    for (index, (name, sink)) in all.iter().enumerate() {
        for (other_name, other) in &all[..index] {
            if let Some(topic) = shared_topic(sink, other) {
                return Err(format!(
                    "`sinks.{name}`: topic `{topic}` is that of sink `{other_name}`: name the metrics of both in one sink, or \
                     give each a topic"
                ));
            }
            let Some(metric) = shared_metric(sink, other) else { continue };
            let Some((place, setting)) = shared_place(sink, other) else { continue };
            return Err(format!(
                "`sinks.{name}`: {metric} in {place} is written by sink `{other_name}` as well: give each another `{setting}`, or \
                 other `metrics`"
            ));
        }
    }
    Ok(())
}

fn shared_topic<'a>(one: &'a SinkConfig, other: &SinkConfig) -> Option<&'a str> {
    let (one, other): (&KafkaConfig, &KafkaConfig) = (one.kafka.as_ref()?, other.kafka.as_ref()?);
    let is_same = one.topic == other.topic && one.brokers.iter().any(|broker| other.brokers.contains(broker));
    is_same.then_some(&one.topic)
}

/// A metric that both have, for a message. A sink without a list has all metrics.
fn shared_metric(one: &SinkConfig, other: &SinkConfig) -> Option<String> {
    let shared = match (&one.metrics, &other.metrics) {
        (None, None) => return Some("each metric".to_owned()),
        (Some(all), None) | (None, Some(all)) => all.first(),
        (Some(one), Some(other)) => one.iter().find(|metric| other.contains(metric)),
    };
    shared.map(|metric| format!("`{metric}`"))
}

/// The place of both, for a message, and the setting that tells places of one server apart.
fn shared_place(one: &SinkConfig, other: &SinkConfig) -> Option<(String, &'static str)> {
    if let (Some(one), Some(other)) = (&one.postgres, &other.postgres) {
        let is_same = one.schema == other.schema && database(&one.url) == database(&other.url);
        return is_same.then(|| (format!("schema `{}`", one.schema), "schema"));
    }
    let (one, other) = (one.redis.as_ref()?, other.redis.as_ref()?);
    let is_same = one.prefix == other.prefix && keys(&one.url) == keys(&other.url);
    is_same.then(|| (format!("prefix `{}`", one.prefix), "prefix"))
}

/// User, server and path of a URL. Who logs in and how is no part of the place.
fn parts(url: &str, port: u16) -> (&str, String, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, server) = authority.rsplit_once('@').unwrap_or(("", authority));
    let has_port = server.rsplit(']').next().is_some_and(|rest| rest.contains(':'));
    let port = if has_port { String::new() } else { format!(":{port}") };
    (user, format!("{}{port}", server.to_lowercase()), path.trim_end_matches('/'))
}

/// Server and database of PostgreSQL: without a name, the database is that of the user's name.
fn database(url: &str) -> (String, &str) {
    let (user, server, path) = parts(url, 5432);
    (server, if path.is_empty() { user } else { path })
}

/// Server and database of Redis.
fn keys(url: &str) -> (String, &str) {
    let (_, server, path) = parts(url, 6379);
    (server, if path.is_empty() { "0" } else { path })
}

#[cfg(test)]
mod tests {
    use crate::Config;

    fn problem(one: &str, other: &str) -> Option<String> {
        let text = format!("package = \"a\"\n[sinks.one{one}\n[sinks.two{other}\n");
        Config::parse(&text).err()
    }

    #[test]
    fn one_place_is_of_one_sink() {
        let postgres = |rest: &str| format!(".postgres]\nurl = \"postgres://{rest}");
        let redis = |rest: &str| format!(".redis]\nurl = \"redis://{rest}");
        let kafka = |brokers: &str| format!(".kafka]\nbrokers = [{brokers}]\ntopic = \"t\"");
        for (one, other, part) in [
            (postgres("u@h/d\""), postgres("v@H:5432/d?x=1\""), "another `schema`"),
            (postgres("d@h\""), postgres("v@h/d\""), "schema `metricc`"),
            (redis("h\""), redis("h:6379/0\""), "another `prefix`"),
            (kafka("\"a:9\", \"b:9\""), kafka("\"b:9\""), "topic `t` is that of sink `one`"),
        ] {
            let said = problem(&one, &other).expect("it is refused");
            assert!(said.contains("`sinks.two`") && said.contains(part), "{said}");
        }
        for (one, other) in [
            (postgres("u@h/d\""), postgres("u@h/e\"")),
            (postgres("u@h/d\""), postgres("u@h/d\"\nschema = \"s\"")),
            (redis("h\""), redis("h/1\"")),
            (redis("h\""), redis("h\"\nprefix = \"p\"")),
            (kafka("\"a:9\""), kafka("\"b:9\"")),
        ] {
            assert_eq!(problem(&one, &other), None);
        }
    }

    #[test]
    fn metrics_of_one_place_may_be_divided() {
        let sink = |metrics: &str| format!("]\n{metrics}[sinks.NAME.redis]\nurl = \"redis://h\"");
        let problem = |one: &str, other: &str| {
            problem(&sink(one).replace("NAME", "one"), &sink(other).replace("NAME", "two"))
        };
        assert_eq!(problem("metrics = [\"a\"]\n", "metrics = [\"b\"]\n"), None);
        let said = problem("metrics = [\"a\", \"b\"]\n", "metrics = [\"b\"]\n").expect("it is refused");
        assert!(said.contains("`b` in prefix `metricc`"), "{said}");
        assert!(problem("metrics = [\"a\"]\n", "").is_some());
    }
}
