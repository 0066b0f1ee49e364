//! A request body of any bytes as an Arrow stream: it is refused or decoded, without a panic, within the
//! declared limits.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use metricc_dsl::{SourceText, check};
use metricc_log::{BodyFormat, BodyLimits, EventDecoder};

const SOURCE: &str = "source events {
  id: string key  at: timestamp time unit ms  i: int = 3  f: float?  d: decimal(12, 2)?  b: bool?  on: date?  t: string?
}
";

static DECODER: LazyLock<EventDecoder> = LazyLock::new(|| {
    let checked = check(&SourceText { name: "events.metric".to_owned(), bytes: SOURCE.into() });
    EventDecoder::new(&checked.package.sources[0]).expect("a source that is readable")
});

fuzz_target!(|body: &[u8]| {
    let limits = BodyLimits { records: 1_000, bytes: 1 << 20 };
    if let Ok(events) = DECODER.decode(BodyFormat::Arrow, body, &limits) {
        assert!(events.n_records() <= limits.records);
        assert!(events.rejected().iter().all(|rejected| rejected.record < events.n_records()));
    }
});
