//! What a record has beside its value: key, headers, time and place. A field reads it by a path, such as
//! `from kafka.key`, as if each record, a JSON object, had an object `kafka` in it; so a log that was written
//! to files with such an object gives the same events.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Record;

impl Record {
    /// A text with what the record has beside its value in it, if the text is an object.
    pub(crate) fn with_envelope<'t>(&self, partition: u32, text: Cow<'t, [u8]>) -> Cow<'t, [u8]> {
        let Some(rest) = text.trim_ascii_start().strip_prefix(b"{") else { return text };
        let mut with = format!("{{\"kafka\":{}", self.envelope(partition)).into_bytes();
        if !rest.trim_ascii_start().starts_with(b"}") {
            with.push(b',');
        }
        with.extend_from_slice(rest);
        Cow::Owned(with)
    }

    /// An object with nothing but what the record has beside its value, and the value, which is a text.
    pub(crate) fn envelope_alone(&self, partition: u32, text: &str) -> Vec<u8> {
        let mut envelope = self.envelope(partition);
        envelope["value"] = text.into();
        format!("{{\"kafka\":{envelope}}}").into_bytes()
    }

    /// Bytes that are no text are null. Of headers with one name, the last counts, as it does in Kafka.
    fn envelope(&self, partition: u32) -> Value {
        let as_text =
            |bytes: Option<&[u8]>| bytes.and_then(|bytes| std::str::from_utf8(bytes).ok().map(str::to_owned));
        let headers: BTreeMap<&str, Option<String>> =
            self.headers.iter().map(|(name, value)| (name.as_str(), as_text(value.as_deref()))).collect();
        let time = jiff::Timestamp::from_millisecond(self.timestamp).ok().filter(|_| self.timestamp >= 0);
        json!({
            "key": as_text(self.key.as_deref()),
            "headers": headers,
            "timestamp": time.map(|time| time.to_string()),
            "partition": partition,
            "offset": self.offset,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            offset: 7,
            timestamp: 1500,
            key: Some(bytes::Bytes::from_static(b"k\"1")),
            value: None,
            headers: vec![
                ("trace".to_owned(), Some(bytes::Bytes::from_static(b"first"))),
                ("raw".to_owned(), Some(bytes::Bytes::from_static(b"\xff"))),
                ("trace".to_owned(), Some(bytes::Bytes::from_static(b"last"))),
            ],
        }
    }

    #[test]
    fn an_object_gets_an_object_with_what_stands_beside_it() {
        let envelope = r#"{"headers":{"raw":null,"trace":"last"},"key":"k\"1","offset":7,"partition":3,"timestamp":"1970-01-01T00:00:01.5Z"}"#;
        let wanted = |rest: &str| format!("{{\"kafka\":{envelope}{rest}");
        let text = |value: &str| {
            let text = record().with_envelope(3, Cow::Borrowed(value.as_bytes())).into_owned();
            String::from_utf8(text).unwrap()
        };
        assert_eq!(text(r#"{"a":1}"#), wanted(r#","a":1}"#));
        assert_eq!(text(" { }"), wanted(" }"));
        assert_eq!(text("[1]"), "[1]");
    }

    #[test]
    fn a_text_is_one_value() {
        let alone: Value = serde_json::from_slice(&record().envelope_alone(3, "a \"line\"\n")).unwrap();
        assert_eq!(alone["kafka"]["value"], "a \"line\"\n");
        assert_eq!((&alone["kafka"]["offset"], alone.as_object().unwrap().len()), (&json!(7), 1));
    }
}
