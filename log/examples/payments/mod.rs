//! Records of seven declared fields and two others, some 190 bytes each as NDJSON: what the examples decode.

use std::sync::Arc;

use metricc_ir::{Field, Kind, Source, Type};

/// The fields that are declared; records have two more.
pub(crate) fn source() -> Arc<Source> {
    let field = |(name, kind): (&str, Kind)| Field::new(name, Type::of(kind));
    let fields = [
        ("created_at", Kind::Timestamp),
        ("merchant_id", Kind::Int),
        ("country", Kind::String),
        ("status", Kind::String),
        ("amount_minor", Kind::Int),
        ("amount", Kind::Float),
        ("latency_ms", Kind::Float),
    ];
    let fields = fields.into_iter().map(field).collect();
    Arc::new(Source { name: "payments".into(), doc: String::new(), fields, time: 0, identity: Vec::new() })
}

const COUNTRIES: [&str; 8] = ["IN", "US", "GB", "DE", "FR", "BR", "ID", "SG"];
const STATUS: [&str; 8] =
    ["captured", "captured", "captured", "failed", "captured", "captured", "captured", "refunded"];

/// The values of a record, as texts.
fn values(record: u64) -> [(&'static str, String); 9] {
    // The constant of Fibonacci hashing: the same records on every machine, without order.
    let random = (record + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let at = 1_767_205_800_000_000 + record * 1_296_000 + random % 1_000_000;
    let (day, of_day) = (at / 86_400_000_000, at % 86_400_000_000);
    let (seconds, micros) = (of_day / 1_000_000, of_day % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    // 20,453 is the last day of 2025.
    let (month, day) = if day == 20_453 { ("2025-12", 31) } else { ("2026-01", (day - 20_454) % 31 + 1) };
    let instant = format!("{month}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z");
    let amount = (random >> 8) % 100_000 * ((random >> 40) % 40);
    let latency = (random >> 20) % 1_000_000;
    let quoted = |text: &str| format!("\"{text}\"");
    [
        ("event_id", random.to_string()),
        ("created_at", quoted(&instant)),
        ("ts_us", at.to_string()),
        ("merchant_id", ((random >> 32) % 200_000).to_string()),
        ("country", quoted(COUNTRIES[(random >> 16) as usize % 8])),
        ("status", quoted(STATUS[(random >> 24) as usize % 8])),
        ("amount_minor", amount.to_string()),
        ("amount", format!("{:?}", amount as f64 / 100.0)),
        ("latency_ms", format!("{:?}", latency as f64 / 1000.0)),
    ]
}

/// Some records as NDJSON.
pub(crate) fn ndjson(n_records: u64) -> String {
    let record = |record| {
        let members = values(record).map(|(name, value)| format!("\"{name}\":{value}"));
        format!("{{{}}}\n", members.join(","))
    };
    (0..n_records).map(record).collect()
}

/// Some records as CSV, without quotes.
pub(crate) fn csv(n_records: u64) -> String {
    let header = values(0).map(|(name, _)| name).join(",");
    let record = |record| values(record).map(|(_, value)| value.replace('"', "")).join(",") + "\n";
    std::iter::once(header + "\n").chain((0..n_records).map(record)).collect()
}
