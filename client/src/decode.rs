//! Values of a definition, from the JSON of an answer.

mod exact_ints;

use exact_ints::ExactInts;
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

/// Any value. An int is a number, or a string of its digits.
pub fn value<T: DeserializeOwned>(json: &str) -> Result<T, DecodeError> {
    let mut from = serde_json::Deserializer::from_str(json);
    let value = T::deserialize(ExactInts(&mut from)).and_then(|value| from.end().map(|()| value));
    value.map_err(|error| DecodeError::new("", json, error))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Ranked {
        item: i64,
        value: Option<i128>,
        name: String,
    }

    #[test]
    fn ints_are_numbers_or_strings_wherever_they_stand() {
        assert_eq!(value::<i64>("9007199254740991").unwrap(), (1 << 53) - 1);
        assert_eq!(value::<i64>("\"-9223372036854775808\"").unwrap(), i64::MIN);
        assert_eq!(value::<i128>("\"15000000000000000006\"").unwrap(), 15_000_000_000_000_000_006);
        assert_eq!(value::<Option<u64>>("null").unwrap(), None);
        let json = r#"[{"item":"738529527931269425","value":"-18446744073709551616","name":"7"},
                       {"item":1,"value":null,"name":""}]"#;
        let ranked = value::<Vec<Ranked>>(json).unwrap();
        let large = Ranked {
            item: 738_529_527_931_269_425,
            value: Some(-18_446_744_073_709_551_616),
            name: "7".to_owned(),
        };
        assert_eq!(ranked, [large, Ranked { item: 1, value: None, name: String::new() }]);
        assert_eq!(micros("\"9007199254740993\"").unwrap().as_micros(), 9_007_199_254_740_993);
    }

    #[test]
    fn what_is_no_int_is_an_error() {
        for json in ["\"x\"", "1.5", "\"1.5\"", "true", "[1", "1 2"] {
            assert!(value::<i64>(json).is_err(), "{json}");
        }
        assert!(value::<i64>("\"9223372036854775808\"").is_err());
        assert!(value::<String>("7").is_err());
    }
}
