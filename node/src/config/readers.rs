//! `[readers.NAME]`: readers who may read some metrics, and some rows of them.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::token::{TokenReference, references};

/// A reader.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaderConfig {
    /// The tokens that it is known by.
    #[serde(deserialize_with = "references")]
    pub tokens: Vec<TokenReference>,
    /// The metrics that it may read; all others answer as if they were not there.
    pub metrics: Vec<ReadableMetrics>,
    /// The rows that it may read: a condition over the keys of the metrics.
    #[serde(default, rename = "where")]
    pub filter: Option<String>,
}

/// Metrics that a reader may read: `"NAME"`, in which `*` is any characters, or `{ name = "NAME", where = "…" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadableMetrics {
    /// The name, or a pattern of names.
    pub name: String,
    /// The rows of these metrics, instead of those of the reader.
    pub filter: Option<String>,
}

impl<'de> Deserialize<'de> for ReadableMetrics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Entry {
            name: String,
            #[serde(default, rename = "where")]
            filter: Option<String>,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = ReadableMetrics;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a metric, or a table with `name` and `where`")
            }

            fn visit_str<E>(self, name: &str) -> Result<ReadableMetrics, E> {
                Ok(ReadableMetrics { name: name.to_owned(), filter: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ReadableMetrics, A::Error> {
                let Entry { name, filter } = Entry::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ReadableMetrics { name, filter })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl ReaderConfig {
    /// # Errors
    /// What is missing, or not a name.
    pub(super) fn check(&self, name: &str) -> Result<(), String> {
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_of_name) {
            let problem = "is not a name: write up to 64 letters, digits, `-`, `_` and `.`";
            return Err(format!("`readers.{name}` {problem}"));
        }
        if self.tokens.is_empty() {
            let help = "nobody is this reader; add one, as in `tokens = [\"file:reader.token\"]`";
            return Err(format!("`readers.{name}.tokens` has no token: {help}"));
        }
        if self.metrics.is_empty() {
            let help = "name those that it may read, or all with `metrics = [\"*\"]`";
            return Err(format!("`readers.{name}.metrics` has no metric: {help}"));
        }
        Ok(())
    }

    /// The entry that a metric is readable by: the first one that names it.
    pub(crate) fn entry(&self, metric: &str) -> Option<&ReadableMetrics> {
        self.metrics.iter().find(|entry| is_of_pattern(entry.name.as_bytes(), metric.as_bytes()))
    }

    /// The rows of a metric that it may read; `None` for all.
    pub(crate) fn filter_of<'a>(&'a self, entry: &'a ReadableMetrics) -> Option<&'a str> {
        entry.filter.as_deref().or(self.filter.as_deref())
    }
}

/// Whether a name is of a pattern, in which `*` is any characters.
fn is_of_pattern(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        // What follows a star begins somewhere in the rest; patterns are short.
        Some((b'*', rest)) => (0..=name.len()).any(|from| is_of_pattern(rest, &name[from..])),
        Some((byte, rest)) => name.first() == Some(byte) && is_of_pattern(rest, &name[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::is_of_pattern;

    #[test]
    fn a_star_is_any_characters() {
        for (pattern, names, others) in [
            ("revenue", &["revenue"][..], &["revenue_eu", "", "evenue"][..]),
            ("revenue*", &["revenue", "revenue_eu"], &["a_revenue"]),
            ("*", &["", "a"], &[]),
            ("*_eu", &["a_eu", "_eu"], &["a_eu_b"]),
            ("a*b*c", &["abc", "a_b_b_c"], &["acb", "ab"]),
        ] {
            let of = |name: &&str| is_of_pattern(pattern.as_bytes(), name.as_bytes());
            assert!(names.iter().all(of) && !others.iter().any(of), "{pattern}");
        }
    }
}
