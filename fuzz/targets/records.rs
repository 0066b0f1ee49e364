//! A request body of any bytes as NDJSON, as JSON and as CSV: it decodes without a panic, each record is
//! accepted or rejected once, and what is accepted as NDJSON is JSON, but for the words that some writers
//! have for floats.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use metricc_dsl::{SourceText, check};
use metricc_log::{BodyFormat, BodyLimits, EventDecoder, Events};
use serde::de::IgnoredAny;

/// Fields of all types.
const SOURCE: &str = "source events {
  id: string key  at: timestamp time unit ms  i: int = 3  f: float?  d: decimal(12, 2)?  b: bool?  on: date?  t: string?
  len: duration?  kind: enum(\"small\", \"large\")?
}
";

static DECODER: LazyLock<EventDecoder> = LazyLock::new(|| {
    let checked = check(&SourceText { name: "events.metric".to_owned(), bytes: SOURCE.into() });
    EventDecoder::new(&checked.package.sources[0]).expect("a source that is readable")
});

/// Whether all records are accepted, of which there is at least one.
fn is_accepted(events: &Events) -> bool {
    let records: Vec<u64> = events.rejected().iter().map(|rejected| rejected.record).collect();
    assert!(records.is_sorted_by(|a, b| a < b), "a record is rejected twice");
    assert!(
        records.last().is_none_or(|last| *last < events.n_records()),
        "a record is rejected that is not there"
    );
    events.n_records() > 0 && records.is_empty()
}

fuzz_target!(|body: &[u8]| {
    let ndjson = DECODER.ndjson(body);
    let has = |word: &[u8]| body.windows(word.len()).any(|part| part == word);
    if is_accepted(&ndjson) && !has(b"NaN") && !has(b"Infinity") {
        let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let lines = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
        let n_values = lines.map(|line| line.expect("an accepted record is JSON")).count();
        assert_eq!(n_values as u64, ndjson.n_records());
    }
    if let Ok(events) = DECODER.json(body) {
        is_accepted(&events);
    }
    let limits = BodyLimits { records: 10_000, bytes: 1 << 24 };
    if let Ok(events) = DECODER.decode(BodyFormat::Csv { delimiter: b',' }, body, &limits) {
        is_accepted(&events);
    }
});
