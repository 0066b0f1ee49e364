//! What a record has beside its value: key, headers, time and place. A field reads it by a path, such as
//! `from kafka.key`, as if each record, a JSON object, had an object `kafka` in it; so a log that was written
//! to files with such an object gives the same events.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Record;

impl Record {
    /// The text that the record is decoded from; `None` if it has no value. With `has_envelope`, what it has
    /// beside its value is in it.
    pub fn text(&self, partition: u32, has_envelope: bool) -> Option<Cow<'_, [u8]>> {
        let value = self.value.as_deref()?;
        let rest = value.trim_ascii_start().strip_prefix(b"{");
        let Some(rest) = rest.filter(|_| has_envelope) else { return Some(Cow::Borrowed(value)) };
        let mut text = format!("{{\"kafka\":{}", self.envelope(partition)).into_bytes();
        if !rest.trim_ascii_start().starts_with(b"}") {
            text.push(b',');
        }
        text.extend_from_slice(rest);
        Some(Cow::Owned(text))
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

    fn text(value: Option<&'static str>, has_envelope: bool) -> Option<String> {
        let record = Record {
            offset: 7,
            timestamp: 1500,
            key: Some(bytes::Bytes::from_static(b"k\"1")),
            value: value.map(|value| bytes::Bytes::from_static(value.as_bytes())),
            headers: vec![
                ("trace".to_owned(), Some(bytes::Bytes::from_static(b"first"))),
                ("raw".to_owned(), Some(bytes::Bytes::from_static(b"\xff"))),
                ("trace".to_owned(), Some(bytes::Bytes::from_static(b"last"))),
            ],
        };
        record.text(3, has_envelope).map(|text| String::from_utf8(text.into_owned()).unwrap())
    }

    #[test]
    fn an_object_gets_an_object_with_what_stands_beside_it() {
        let envelope = r#"{"headers":{"raw":null,"trace":"last"},"key":"k\"1","offset":7,"partition":3,"timestamp":"1970-01-01T00:00:01.5Z"}"#;
        let wanted = |rest: &str| Some(format!("{{\"kafka\":{envelope}{rest}"));
        assert_eq!(text(Some(r#"{"a":1}"#), true), wanted(r#","a":1}"#));
        assert_eq!(text(Some(" { }"), true), wanted(" }"));
        assert_eq!(text(Some("[1]"), true), Some("[1]".to_owned()));
        assert_eq!(text(Some(r#"{"a":1}"#), false), Some(r#"{"a":1}"#.to_owned()));
        assert_eq!(text(None, true), None);
    }
}
