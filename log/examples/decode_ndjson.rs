//! Decodes NDJSON, so that a profiler can count what a record costs: `decode_ndjson FORM RECORDS ROUNDS` with
//! `flat`, `renamed` or `paths`.
//!
//! ```text
//! valgrind --tool=callgrind target/debug/examples/decode_ndjson paths 4000 3
//! ```
//!
//! The values are the same in each form; the difference between two numbers of rounds is the cost of decoding
//! alone.

use std::error::Error;
use std::sync::Arc;

use metricc_ir::{Field, Kind, Path, Source, Step, Type};
use metricc_log::EventDecoder;

/// Fields and where they stand: their own name, another one, and a path.
const FIELDS: [(&str, &str, [&str; 2]); 8] = [
    ("at", "eventTime", ["meta", "at"]),
    ("id", "eventId", ["meta", "id"]),
    ("user_id", "userId", ["user", "id"]),
    ("country", "userCountry", ["user", "country"]),
    ("sku", "itemSku", ["item", "sku"]),
    ("quantity", "itemQuantity", ["item", "quantity"]),
    ("price", "itemPrice", ["item", "price"]),
    ("status", "orderStatus", ["item", "status"]),
];

fn ty(name: &str) -> Type {
    Type::of(match name {
        "at" => Kind::Timestamp,
        "quantity" => Kind::Int,
        "price" => Kind::Decimal { precision: 10, scale: 2 },
        _ => Kind::String,
    })
}

fn value(name: &str, record: usize) -> String {
    match name {
        "at" => {
            format!("\"2026-04-25T{:02}:{:02}:{:02}Z\"", record / 3600 % 24, record / 60 % 60, record % 60)
        }
        "quantity" => format!("{}", record % 17),
        "price" => format!("{}.{:02}", record % 1000, record % 100),
        name => format!("\"{name}-{:06}\"", record % 1_000_000),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let form = arguments.next().unwrap_or_default();
    let n_records: usize = arguments.next().unwrap_or_default().parse()?;
    let n_rounds: usize = arguments.next().unwrap_or_default().parse()?;
    let fields = FIELDS.iter().map(|(name, other, path)| {
        let path = match form.as_str() {
            "renamed" => Path::of_name(*other),
            "paths" => Path::new(path.iter().map(|step| Step::Name((*step).to_owned())).collect()),
            _ => Path::default(),
        };
        Field { path, ..Field::new(*name, ty(name)) }
    });
    let (name, doc, identity) = ("events".into(), String::new(), Vec::new());
    let source = Arc::new(Source { name, doc, fields: fields.collect(), time: 0, identity });
    let mut body = String::new();
    for record in 0..n_records {
        let members = |of: &str| {
            let of_object = FIELDS.iter().filter(|(.., path)| of.is_empty() || path[0] == of);
            let member = |(name, other, path): &(&str, &str, [&str; 2])| {
                let key = if !of.is_empty() {
                    path[1]
                } else if form == "renamed" {
                    other
                } else {
                    name
                };
                format!("\"{key}\":{}", value(name, record))
            };
            format!("{{{}}}", of_object.map(member).collect::<Vec<_>>().join(","))
        };
        body.push_str(&match form.as_str() {
            "paths" => {
                format!(
                    "{{\"meta\":{},\"user\":{},\"item\":{}}}",
                    members("meta"),
                    members("user"),
                    members("item")
                )
            }
            _ => members(""),
        });
        body.push('\n');
    }
    let decoder = EventDecoder::new(&source)?;
    for _ in 0..n_rounds {
        let events = decoder.ndjson(body.as_bytes());
        if events.n_records() != n_records as u64 || !events.rejected().is_empty() {
            return Err(format!("{:?}", events.rejected().first()).into());
        }
    }
    Ok(())
}
