//! Reading in one pass is reading field by field.

use std::sync::Arc;

use metricc_ir::{Field, Kind, Source, TimeUnit, Type};
use proptest::prelude::*;

use super::*;
use crate::RecordDecoder;

/// Fields of all kinds, in an order that is not that of the cells.
fn decoder() -> SharedDecoder {
    let optional = |kind| Type { kind, optional: true };
    let mut fields = vec![
        Field::new("at", Type::of(Kind::Timestamp)),
        Field::new("n", optional(Kind::Int)),
        Field::new("gone", optional(Kind::Float)),
        Field::new("price", optional(Kind::Decimal { precision: 6, scale: 2 })),
        Field::new("ratio", optional(Kind::Float)),
        Field::new("name", optional(Kind::String)),
        Field::new("day", optional(Kind::Date)),
        Field::new("is_new", optional(Kind::Bool)),
        Field::new("status", optional(Kind::Enum(["a".to_owned(), "b".to_owned()].into()))),
        Field::new("took", optional(Kind::Duration)),
        Field::new("checked", optional(Kind::Int)),
    ];
    fields[0].unit = Some(TimeUnit::Millisecond);
    fields[10].spelling.invalid_is_none = true;
    fields[5].spelling.nulls = vec!["NA".to_owned()];
    let (name, doc, identity) = ("s".into(), String::new(), Vec::new());
    RecordDecoder::new(&Arc::new(Source { name, doc, fields, time: 0, identity })).unwrap()
}

const HEADER: &str = "name,n,x,at,price,ratio,day,took,status,is_new,checked";

/// What becomes of a record: the reason why not, the columns and the counts of values that are none.
type Outcome = (Result<(), Reject>, String);

fn outcome(parser: &CsvParser, decoder: &SharedDecoder, text: &str) -> Outcome {
    let mut rows = RowBuilder::new(decoder);
    let result = parser.decode(text, false, &mut rows);
    rows.end_record(result.is_ok());
    let all: Vec<usize> = (0..decoder.fields.len()).collect();
    let none_values = rows.count_none_values(decoder, &all);
    (result, format!("{:?} {none_values:?}", rows.take(&all)))
}

fn check(text: &str) {
    let decoder = decoder();
    let header = Header::parse(&decoder, HEADER.as_bytes(), b',').unwrap();
    let in_one_pass = CsvParser::new(&decoder, header);
    assert!(in_one_pass.order.is_some());
    let header = Header::parse(&decoder, HEADER.as_bytes(), b',').unwrap();
    let by_fields = CsvParser { order: None, ..CsvParser::new(&decoder, header) };
    assert_eq!(outcome(&in_one_pass, &decoder, text), outcome(&by_fields, &decoder, text), "{text}");
}

/// The spellings of a cell: plain ones, others that are fine, and wrong ones.
fn cell(plain: &'static [&'static str]) -> impl Strategy<Value = String> {
    let other =
        ["", "\"\"", "NA", "\"a\"\"b\"", "\"a", "a\"b", "\"a\"b", " 1", "1 ", "+1", "1e2", "NaN", "é", "-"];
    (prop::sample::select(plain), prop::sample::select(other.to_vec()), 0u8..20).prop_map(
        |(plain, other, way)| match way {
            0..14 => plain.to_owned(),
            14..18 => format!("\"{plain}\""),
            _ => other.to_owned(),
        },
    )
}

proptest! {
    #[test]
    fn one_pass_reads_what_reading_by_fields_does(
        name in cell(&["plain", "two words", "é", "a,b", "NA"]),
        n in cell(&["1", "-17", "0", "123456789012345678", "9223372036854775807", "01", "1.0"]),
        x in cell(&["skipped", "1", "1,2"]),
        at in cell(&[
            "2026-04-25T10:00:00.123Z", "1767205800000", "2026-04-25 10:00:00+02:00", "20260425T1000Z", "5.5",
        ]),
        price in cell(&["12.34", "1234.5", "12345.67", "1.234", "7"]),
        ratio in cell(&["0.1", "-0.0", "1e300", "inf", "123456789.123456789"]),
        day in cell(&["2026-04-25", "20260425", "2026-02-30"]),
        took in cell(&["5", "5s", "1.5"]),
        status in cell(&["a", "b", "c"]),
        is_new in cell(&["true", "false", "truely", "True"]),
        checked in cell(&["1", "x"]),
        extra in 0usize..12,
    ) {
        let record = [name, n, x, at, price, ratio, day, took, status, is_new, checked].join(",");
        check(&record);
        // A cell too many, or too few.
        check(&format!("{record},"));
        check(record.rsplit_once(',').unwrap().0);
        check(record.get(..record.len().saturating_sub(extra)).unwrap_or(""));
    }

    #[test]
    fn any_text_is_read_alike(text in "[a1\",.\\- \t]{0,40}") {
        check(&text);
    }
}
