//! Values in plain form, and keys that come where they are expected, are read as the general rules read them.

use std::sync::Arc;

use metricc_ir::{Field, Kind, Path, Source, Step, TimeUnit, Type};
use proptest::prelude::*;

use super::*;
use crate::RecordDecoder;
use crate::field_decoder::{ValueDecoder, ValueFormat};
use crate::plain_value::PlainForm;

fn decoder() -> SharedDecoder {
    let optional = |kind| Type { kind, optional: true };
    let field = |name: &str, kind| Field::new(name, optional(kind));
    let mut fields = vec![
        Field::new("at", Type::of(Kind::Timestamp)),
        field("n", Kind::Int),
        field("price", Kind::Decimal { precision: 6, scale: 2 }),
        field("ratio", Kind::Float),
        field("name", Kind::String),
        field("day", Kind::Date),
        field("is_new", Kind::Bool),
        field("status", Kind::Enum(["a".to_owned(), "b".to_owned()].into())),
        field("took", Kind::Duration),
        field("checked", Kind::Int),
        field("list", Kind::List(Box::new(Type::of(Kind::Int)))),
        field("local", Kind::Timestamp),
        field("deep", Kind::Int),
    ];
    fields[0].unit = Some(TimeUnit::Second);
    fields[2].spelling.nulls = vec!["NA".to_owned()];
    fields[9].spelling.invalid_is_none = true;
    fields[11].zone = Some("Asia/Kolkata".into());
    fields[12].path = Path::new(["in", "n"].map(|name| Step::Name(name.to_owned())).to_vec());
    let (name, doc, identity) = ("s".into(), String::new(), Vec::new());
    RecordDecoder::new(&Arc::new(Source { name, doc, fields, time: 0, identity })).unwrap()
}

fn without_plain_form(value: &mut ValueDecoder) {
    value.plain = PlainForm::none();
    if let ValueFormat::List(element) = &mut value.format {
        without_plain_form(element);
    }
}

/// The reason why each record does not decode, the columns of the others, and what was seen of fields.
fn outcome(
    decoder: &SharedDecoder,
    records: &[String],
    is_one_parser: bool,
) -> (Vec<Result<(), Reject>>, String) {
    let mut rows = RowBuilder::new(decoder);
    let mut parser = NdjsonParser::new(decoder);
    let mut results = Vec::new();
    for record in records {
        if !is_one_parser {
            parser = NdjsonParser::new(decoder);
        }
        let result = parser.decode(record, false, &mut rows);
        rows.end_record(result.is_ok());
        results.push(result);
    }
    let all: Vec<usize> = (0..decoder.fields.len()).collect();
    let none_values = rows.count_none_values(decoder, &all);
    (results, format!("{:?} {none_values:?}", rows.take(&all)))
}

fn check(records: &[String]) {
    let plain = decoder();
    let mut general = RecordDecoder::clone(&plain);
    general.fields.iter_mut().for_each(|field| without_plain_form(&mut field.value));
    // The general rules, with a parser for each record: no key is expected.
    let wanted = outcome(&Arc::new(general), records, false);
    assert_eq!(outcome(&plain, records, true), wanted, "{records:?}");
}

const KEYS: [&str; 15] = [
    "at", "n", "price", "ratio", "name", "day", "is_new", "status", "took", "checked", "list", "local", "in",
    "x", "y\\u0041",
];

const VALUES: [&str; 56] = [
    "\"2026-04-25T10:00:00.123Z\"",
    "\"2026-04-25 10:00:00+05:30\"",
    "\"2026-04-25T10:00:00\"",
    "1767205800",
    "1767205800.5",
    "\"1767205800\"",
    "-1",
    "\"2026-04-25T10:00:00Z",
    "2026-04-25T10:00:00Z",
    "\"2026-04-25\"",
    "\"20260425\"",
    "\"2026-02-30\"",
    "0",
    "-0",
    "01",
    "17",
    "123456789012345678",
    "12345678901234567890",
    "1.0",
    "1.",
    "1e2",
    "12.34",
    "-12.345",
    "\"12.34\"",
    "\" 12.34\"",
    "\"1,5\"",
    "NaN",
    "-Infinity",
    "\"NaN\"",
    "0.1",
    "123456789.123456789",
    "1e400",
    "\"\"",
    "\"a\"",
    "\"b\"",
    "\"c\"",
    "\"NA\"",
    "\"é\"",
    "\"a\\u0041\"",
    "\"a\\x\"",
    "\"a",
    "\"a\tb\"",
    "true",
    "false",
    "tru",
    "truex",
    "null",
    "nul",
    "[1,2,3]",
    "[1,\"2\",null]",
    "[1,]",
    "{\"n\":5}",
    "{\"n\": 5, \"n\": 6}",
    "{}",
    "\"5s\"",
    "\"a string that is longer than several words of eight bytes are\"",
];

proptest! {
    #[test]
    fn plain_values_and_expected_keys_change_nothing(
        records in prop::collection::vec(
            (
                prop::collection::vec((0usize..KEYS.len(), 0usize..VALUES.len()), 0..9),
                0u8..4,
                prop::sample::select(vec!["", " ", ","]),
            ),
            1..6,
        )
    ) {
        let records: Vec<String> = records.iter().map(|(members, blanks, behind)| {
            let (colon, comma) = [(":", ","), (": ", ", "), (" :", " ,"), (":", ",")][usize::from(*blanks)];
            let mut members = members.clone();
            if *blanks < 3 {
                // In the usual order, each key once.
                members.sort_by_key(|(key, _)| *key);
                members.dedup_by_key(|(key, _)| *key);
            }
            let member = |(key, value): &(usize, usize)| format!("\"{}\"{colon}{}", KEYS[*key], VALUES[*value]);
            let members = members.iter().map(member);
            let at = r#""at":"2026-04-25T10:00:00Z""#;
            let first = (*blanks == 0).then(|| at.to_owned());
            let all: Vec<String> = first.into_iter().chain(members).collect();
            format!("{{{}}}{behind}", all.join(comma))
        }).collect();
        check(&records);
    }

    /// Fields with values of their own types, so that most records decode.
    #[test]
    fn records_that_decode_are_read_alike(
        rows in prop::collection::vec(
            (any::<i64>(), any::<i32>(), 0u32..1_000_000, any::<f64>(),
             "[a-z é\"\\\\/]{0,40}", any::<bool>(), 0u8..4),
            1..6,
        )
    ) {
        let records: Vec<String> = rows.iter().map(|(n, took, price, ratio, name, is_new, way)| {
            let name = serde_json::to_string(name).unwrap();
            let ratio = serde_json::to_string(ratio).unwrap();
            let price = format!("{}.{:02}", price / 100, price % 100);
            let (month, micros) = (price.len() % 12 + 1, took.unsigned_abs() % 1_000_000);
            let at = format!("2026-{month:02}-25T10:{way:02}:00.{micros:06}Z");
            let nested = format!("{{\"n\":{n},\"skipped\":[{name},{ratio}]}}");
            let blank = if *way == 1 { " " } else { "" };
            format!(
                "{{\"at\":{blank}\"{at}\",\"n\":{blank}{n},\"x\":{n},\"price\":{blank}{price},\
                 \"ratio\":{ratio},\"name\":{name},\"is_new\":{is_new}{blank},\"took\":{took},\
                 \"list\":[{took}, 1,2],\"in\":{nested}}}"
            )
        }).collect();
        check(&records);
    }

    #[test]
    fn damaged_records_are_refused_alike(at in 0usize..120, with in any::<char>(), cut in 0usize..130) {
        let text = r#"{"at":"2026-04-25T10:00:00.5Z","n":12,"x":"y","price":1.25,"name":"é","is_new":true"#;
        let text = format!("{text},\"in\":{{\"n\":3}},\"ratio\":0.5}}");
        let damaged = text.chars().enumerate().map(|(place, found)| if place == at { with } else { found });
        let damaged: String = damaged.take(cut).collect();
        check(&[text, damaged]);
    }
}
