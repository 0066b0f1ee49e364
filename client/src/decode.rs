//! Values of a definition, from the JSON of an answer.

use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

/// An answer that does not have the types of its metric: the serving layer has another definition.
#[derive(Debug, thiserror::Error)]
#[error("metric `{metric}`: the answer does not have its types: {source}; it is: {json}")]
pub struct DecodeError {
    /// The metric.
    pub metric: String,
    /// The start of the answer.
    pub json: String,
    /// Why it does not decode.
    pub source: serde_json::Error,
}

/// Longest part of an answer that an error repeats.
const SHOWN: usize = 200;

impl DecodeError {
    /// An answer of `metric` whose text `json` does not decode.
    pub fn new(metric: &str, json: &str, source: serde_json::Error) -> Self {
        let end = json.char_indices().nth(SHOWN).map_or(json.len(), |(end, _)| end);
        DecodeError { metric: metric.to_owned(), json: json[..end].to_owned(), source }
    }
}

/// Any value.
pub fn value<T: DeserializeOwned>(json: &str) -> Result<T, DecodeError> {
    serde_json::from_str(json).map_err(|error| DecodeError::new("", json, error))
}

/// A duration.
pub fn micros(json: &str) -> Result<SignedDuration, DecodeError> {
    value(json).map(SignedDuration::from_micros)
}

/// A duration that may be null.
pub fn optional_micros(json: &str) -> Result<Option<SignedDuration>, DecodeError> {
    value::<Option<i64>>(json).map(|value| value.map(SignedDuration::from_micros))
}

/// A field that holds a duration, for serde's `with`.
pub mod micros_field {
    use super::*;
    use serde::{Serialize, Serializer};

    /// Reads microseconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SignedDuration, D::Error> {
        i64::deserialize(from).map(SignedDuration::from_micros)
    }

    /// Writes microseconds.
    pub fn serialize<S: Serializer>(value: &SignedDuration, to: S) -> Result<S::Ok, S::Error> {
        value.as_micros().serialize(to)
    }
}

/// A field that may hold a duration, for serde's `with`.
pub mod optional_micros_field {
    use super::*;
    use serde::{Serialize, Serializer};

    /// Reads microseconds, or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SignedDuration>, D::Error> {
        Ok(Option::<i64>::deserialize(from)?.map(SignedDuration::from_micros))
    }

    /// Writes microseconds, or null.
    pub fn serialize<S: Serializer>(value: &Option<SignedDuration>, to: S) -> Result<S::Ok, S::Error> {
        value.map(|value| value.as_micros()).serialize(to)
    }
}
